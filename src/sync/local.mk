noinst_LIBRARIES += libsync.a
libsync_a_SOURCES = \
	src/sync/sync.h src/sync/internal.h src/sync/state.h \
	src/sync/adopt.c src/sync/adopt.h src/sync/apply.c src/sync/batch.c src/sync/brake.c \
	src/sync/committer.c src/sync/compare.c src/sync/create.c \
	src/sync/delta.c \
	src/sync/explain.c src/sync/explain.h src/sync/flags.c \
	src/sync/gone.c src/sync/holds.c src/sync/identify.c src/sync/late.c \
	src/sync/left.c src/sync/letters.c src/sync/lists.c \
	src/sync/local.c src/sync/moves.c src/sync/moves.h \
	src/sync/observe.c src/sync/patterns.c src/sync/pull.c \
	src/sync/push.c \
	src/sync/putoff.c \
	src/sync/record.c src/sync/rename.c src/sync/renumber.c \
	src/sync/report.c \
	src/sync/run.c src/sync/sizes.c src/sync/slice.c src/sync/survey.c \
	src/sync/transfer.c \
	src/sync/trash.c src/sync/tree.c src/sync/tree.h \
	src/sync/sent.c src/sync/undo.c src/sync/verify.c src/sync/whose.c

sync_tests = tests/unit/test-sync-identify tests/unit/test-sync-record \
	tests/unit/test-sync-report
check_PROGRAMS += $(sync_tests)
TESTS += $(sync_tests)

tests_unit_test_sync_identify_SOURCES = tests/unit/test-sync-identify.c
tests_unit_test_sync_identify_LDADD = $(sync_libs)
tests_unit_test_sync_record_SOURCES = tests/unit/test-sync-record.c \
	tests/unit/journal.h tests/unit/tempdir.h
tests_unit_test_sync_record_LDADD = $(sync_libs)
tests_unit_test_sync_report_SOURCES = tests/unit/test-sync-report.c
tests_unit_test_sync_report_LDADD = $(sync_libs)
sync_libs = libsync.a libimap.a libjournal.a \
	libmaildir.a libconfig.a libnet.a libplan.a libwire.a libmail.a \
	libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS) $(LMDB_LIBS) $(YAML_LIBS) \
	$(ZLIB_LIBS) $(GSASL_LIBS) $(PTHREAD_LIBS)
