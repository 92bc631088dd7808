EXTRA_DIST += tests/crash/campaign.py \
	tests/crash/conftest.py tests/crash/faultat.c \
	tests/crash/faultat.py tests/crash/image.py tests/crash/scene.py \
	tests/crash/stories.py tests/crash/subjects.py tests/crash/table.py \
	tests/crash/test_calls.py tests/crash/test_company.py \
	tests/crash/test_connection.py tests/crash/test_lies.py tests/crash/test_memory.py \
	tests/crash/test_others.py tests/crash/test_powercut.py \
	tests/crash/test_soak.py

# Faults at every call, cuts at every octet; MOCHILA_TIER=full for all of them.
.PHONY: check-crash
check-crash: mochila
	cd $(srcdir)/tests/crash && MOCHILA=$(abs_builddir)/mochila \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) .
