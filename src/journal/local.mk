noinst_LIBRARIES += libjournal.a
libjournal_a_SOURCES = \
	src/journal/check.c src/journal/codec.c src/journal/codec.h \
	src/journal/files.c src/journal/internal.h src/journal/journal.h \
	src/journal/lock.c src/journal/open.c src/journal/owner.c \
	src/journal/read.c src/journal/sound.c src/journal/upgrade.c \
	src/journal/write.c

journal_tests = tests/unit/test-journal-codec tests/unit/test-journal-open \
	tests/unit/test-journal-size tests/unit/test-journal-store \
	tests/unit/test-journal-upgrade
check_PROGRAMS += $(journal_tests)
TESTS += $(journal_tests)
journal_test_libs = libjournal.a libmaildir.a libplan.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS) $(LMDB_LIBS) $(PTHREAD_LIBS)

tests_unit_test_journal_codec_SOURCES = tests/unit/test-journal-codec.c
tests_unit_test_journal_codec_LDADD = $(journal_test_libs)
tests_unit_test_journal_open_SOURCES = tests/unit/test-journal-open.c \
	tests/unit/journal.h tests/unit/tempdir.h
tests_unit_test_journal_open_LDADD = $(journal_test_libs)
tests_unit_test_journal_store_SOURCES = tests/unit/test-journal-store.c \
	tests/unit/journal.h tests/unit/tempdir.h
tests_unit_test_journal_store_LDADD = $(journal_test_libs)
tests_unit_test_journal_size_SOURCES = tests/unit/test-journal-size.c \
	tests/unit/journal.h tests/unit/tempdir.h
tests_unit_test_journal_size_LDADD = $(journal_test_libs)
tests_unit_test_journal_upgrade_SOURCES = tests/unit/test-journal-upgrade.c \
	tests/unit/journal.h tests/unit/tempdir.h
tests_unit_test_journal_upgrade_LDADD = $(journal_test_libs)
