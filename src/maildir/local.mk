noinst_LIBRARIES += libmaildir.a
libmaildir_a_SOURCES = \
	src/maildir/bin.c src/maildir/change.c src/maildir/deliver.c \
	src/maildir/internal.h src/maildir/letters.c src/maildir/list.c \
	src/maildir/maildir.h src/maildir/open.c src/maildir/read.c \
	src/maildir/scan.c src/maildir/stamp.c

maildir_tests = tests/unit/test-maildir-bin tests/unit/test-maildir-change \
	tests/unit/test-maildir-deliver tests/unit/test-maildir-scan
check_PROGRAMS += $(maildir_tests)
TESTS += $(maildir_tests)
maildir_test_libs = libmaildir.a libplan.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS)

tests_unit_test_maildir_bin_SOURCES = tests/unit/test-maildir-bin.c \
	tests/unit/maildir.h \
	tests/unit/tempdir.h
tests_unit_test_maildir_bin_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_change_SOURCES = tests/unit/test-maildir-change.c
tests_unit_test_maildir_change_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_deliver_SOURCES = tests/unit/test-maildir-deliver.c
tests_unit_test_maildir_deliver_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_scan_SOURCES = tests/unit/test-maildir-scan.c
tests_unit_test_maildir_scan_LDADD = $(maildir_test_libs)
