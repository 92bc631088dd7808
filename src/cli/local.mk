noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = \
	src/cli/args.c src/cli/cli.c src/cli/cli.h src/cli/explain.c \
	src/cli/internal.h src/cli/journal.c src/cli/json.c \
	src/cli/locate.c src/cli/progress.c \
	src/cli/sink.c src/cli/sink.h src/cli/status.c src/cli/sync.c \
	src/cli/table.c src/cli/text.c src/cli/undo.c src/cli/usage.c

check_PROGRAMS += tests/unit/test-cli-args tests/unit/test-cli-locate \
	tests/unit/test-cli-progress tests/unit/test-cli-table \
	tests/unit/test-cli-text
TESTS += tests/unit/test-cli-args tests/unit/test-cli-locate \
	tests/unit/test-cli-progress tests/unit/test-cli-table \
	tests/unit/test-cli-text
cli_test_libs = libcli.a libsync.a libimap.a libjournal.a libmaildir.a \
	libconfig.a libnet.a libplan.a libwire.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS) $(LMDB_LIBS) $(YAML_LIBS) \
	$(ZLIB_LIBS) $(GSASL_LIBS) $(JANSSON_LIBS) $(PTHREAD_LIBS)
tests_unit_test_cli_args_SOURCES = tests/unit/test-cli-args.c
tests_unit_test_cli_args_LDADD = $(cli_test_libs)
tests_unit_test_cli_locate_SOURCES = tests/unit/test-cli-locate.c
tests_unit_test_cli_locate_LDADD = $(cli_test_libs)
tests_unit_test_cli_progress_SOURCES = tests/unit/test-cli-progress.c
tests_unit_test_cli_progress_LDADD = $(cli_test_libs)
tests_unit_test_cli_table_SOURCES = tests/unit/test-cli-table.c
tests_unit_test_cli_table_LDADD = $(cli_test_libs)
tests_unit_test_cli_text_SOURCES = tests/unit/test-cli-text.c
tests_unit_test_cli_text_LDADD = $(cli_test_libs)
