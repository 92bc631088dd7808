EXTRA_DIST += tests/e2e/conftest.py \
	tests/e2e/personas.py tests/e2e/relay.py tests/e2e/rewriter.py \
	tests/e2e/scripted.py tests/e2e/scripted_store.py \
	tests/e2e/scripted_wire.py tests/e2e/scripted_world.py tests/e2e/servers.py \
	tests/e2e/servers_courier.py tests/e2e/servers_cyrus.py \
	tests/e2e/servers_mix.py tests/e2e/servers_people.py \
	tests/e2e/test_acceptance.py tests/e2e/test_adopt.py \
	tests/e2e/test_bad_input.py \
	tests/e2e/test_busy.py tests/e2e/test_changes.py tests/e2e/test_compress.py \
	tests/e2e/test_cost.py tests/e2e/test_daily.py tests/e2e/test_edited.py \
	tests/e2e/test_ends.py \
	tests/e2e/test_explain.py tests/e2e/test_faults.py tests/e2e/test_held.py \
	tests/e2e/test_hostile.py tests/e2e/test_hostile_files.py \
	tests/e2e/test_jobs.py tests/e2e/test_kept.py tests/e2e/test_keywords.py \
	tests/e2e/test_large.py tests/e2e/test_left.py tests/e2e/test_less.py \
	tests/e2e/test_local_trouble.py tests/e2e/test_mailbox_rules.py \
	tests/e2e/test_mailboxes.py tests/e2e/test_many.py tests/e2e/test_moves.py \
	tests/e2e/test_moving.py \
	tests/e2e/test_new_child.py \
	tests/e2e/test_odd_messages.py tests/e2e/test_odd_names.py \
	tests/e2e/test_patterns.py \
	tests/e2e/test_pipeline.py tests/e2e/test_policy.py \
	tests/e2e/test_races.py tests/e2e/test_reads.py \
	tests/e2e/test_reports.py \
	tests/e2e/test_safety.py \
	tests/e2e/test_scripted_gmail.py tests/e2e/test_scripted_lies.py \
	tests/e2e/test_scripted_names.py tests/e2e/test_scripted_refusals.py \
	tests/e2e/test_scripted_servers.py \
	tests/e2e/test_scripted_trouble.py tests/e2e/test_sent.py \
	tests/e2e/test_servers_daily.py \
	tests/e2e/test_servers_mix.py tests/e2e/test_servers_moves.py \
	tests/e2e/test_servers_odd.py tests/e2e/test_servers_recover.py \
	tests/e2e/test_servers_renames.py tests/e2e/test_slices.py \
	tests/e2e/test_slices_scripted.py \
	tests/e2e/test_trash.py tests/e2e/test_undo.py tests/e2e/test_whose.py \
	tests/e2e/world.py tests/packages.sh tests/run.sh

# The whole program against real servers; needs what tests/run.sh installs.
.PHONY: check-e2e
check-e2e: mochila
	cd $(srcdir)/tests/e2e && MOCHILA=$(abs_builddir)/mochila \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) .

EXTRA_DIST += tests/model/conftest.py tests/model/model.py \
	tests/model/oracle.py tests/model/people.py tests/model/seeds \
	tests/model/test_model.py tests/model/test_order.py tests/mutants \
	tests/mutants.sh

# Random histories against a model; MOCHILA_TIER=full for many of them.
.PHONY: check-model
check-model: mochila
	cd $(srcdir)/tests/model && MOCHILA=$(abs_builddir)/mochila \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) .

# Do the tests notice when the program is wrong?
.PHONY: check-mutants
check-mutants:
	bash $(srcdir)/tests/mutants.sh
