EXTRA_DIST += tests/run.sh tests/packages.sh \
	tests/e2e/conftest.py tests/e2e/relay.py \
	tests/e2e/rewriter.py \
	tests/e2e/servers.py tests/e2e/servers_courier.py \
	tests/e2e/servers_cyrus.py tests/e2e/world.py \
	tests/e2e/test_acceptance.py tests/e2e/test_bad_input.py \
	tests/e2e/test_daily.py tests/e2e/test_faults.py \
	tests/e2e/test_keywords.py tests/e2e/test_less.py \
	tests/e2e/test_local_trouble.py \
	tests/e2e/test_odd_messages.py \
	tests/e2e/test_odd_names.py \
	tests/e2e/test_races.py \
	tests/e2e/test_safety.py tests/e2e/test_servers_daily.py

# The whole program against real servers; needs what tests/run.sh installs.
.PHONY: check-e2e
check-e2e: mochila
	cd $(srcdir)/tests/e2e && MOCHILA=$(abs_builddir)/mochila \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) .
