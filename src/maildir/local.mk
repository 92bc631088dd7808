noinst_LIBRARIES += libmaildir.a
libmaildir_a_SOURCES = \
	src/maildir/bin.c src/maildir/change.c src/maildir/clean.c \
	src/maildir/copy.c src/maildir/deliver.c src/maildir/disks.c \
	src/maildir/internal.h src/maildir/letters.c src/maildir/list.c \
	src/maildir/maildir.h src/maildir/move.c src/maildir/open.c \
	src/maildir/read.c src/maildir/rename.c src/maildir/scan.c \
	src/maildir/stamp.c src/maildir/unbin.c src/maildir/watch.c

maildir_tests = tests/unit/test-maildir-bin tests/unit/test-maildir-change \
	tests/unit/test-maildir-copy tests/unit/test-maildir-deliver \
	tests/unit/test-maildir-keep tests/unit/test-maildir-letters \
	tests/unit/test-maildir-list tests/unit/test-maildir-move \
	tests/unit/test-maildir-moving tests/unit/test-maildir-read \
	tests/unit/test-maildir-readdir tests/unit/test-maildir-rename \
	tests/unit/test-maildir-scan tests/unit/test-maildir-stamp \
	tests/unit/test-maildir-watch
check_PROGRAMS += $(maildir_tests)
TESTS += $(maildir_tests)
maildir_test_libs = libmaildir.a libplan.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)

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
tests_unit_test_maildir_keep_SOURCES = tests/unit/mailbox.h tests/unit/seed.h \
	tests/unit/test-maildir-keep.c
tests_unit_test_maildir_keep_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_letters_SOURCES = tests/unit/test-maildir-letters.c
tests_unit_test_maildir_letters_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_list_SOURCES = tests/unit/test-maildir-list.c
tests_unit_test_maildir_list_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_moving_SOURCES = tests/unit/test-maildir-moving.c
tests_unit_test_maildir_moving_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_read_SOURCES = tests/unit/test-maildir-read.c
tests_unit_test_maildir_read_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_readdir_SOURCES = tests/unit/test-maildir-readdir.c
tests_unit_test_maildir_readdir_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_readdir_LDFLAGS = -Wl,--wrap=readdir
tests_unit_test_maildir_stamp_SOURCES = tests/unit/test-maildir-stamp.c
tests_unit_test_maildir_stamp_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_copy_SOURCES = tests/unit/test-maildir-copy.c
tests_unit_test_maildir_copy_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_move_SOURCES = tests/unit/test-maildir-move.c
tests_unit_test_maildir_move_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_rename_SOURCES = tests/unit/test-maildir-rename.c
tests_unit_test_maildir_rename_LDADD = $(maildir_test_libs)
tests_unit_test_maildir_watch_SOURCES = tests/unit/test-maildir-watch.c
tests_unit_test_maildir_watch_LDADD = $(maildir_test_libs)
