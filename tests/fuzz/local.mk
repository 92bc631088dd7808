# The fuzz targets, here with a driver that reads files: make check runs the
# corpus.  tests/fuzz/fuzz.sh builds them with libFuzzer.
fuzz_targets = tests/fuzz/fuzz-config tests/fuzz/fuzz-journal \
	tests/fuzz/fuzz-layout tests/fuzz/fuzz-letters tests/fuzz/fuzz-message \
	tests/fuzz/fuzz-name tests/fuzz/fuzz-session tests/fuzz/fuzz-text \
	tests/fuzz/fuzz-utf7 tests/fuzz/fuzz-wire
check_PROGRAMS += $(fuzz_targets)
TESTS += tests/fuzz/run-corpus.sh
EXTRA_DIST += tests/fuzz/fuzz.sh tests/fuzz/run-corpus.sh \
	tests/fuzz/config.dict tests/fuzz/layout.dict \
	tests/fuzz/letters.dict tests/fuzz/message.dict \
	tests/fuzz/session.dict tests/fuzz/text.dict tests/fuzz/wire.dict \
	tests/fuzz/corpus

fuzz_driver = tests/fuzz/standalone.c
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c $(fuzz_driver)
tests_fuzz_fuzz_config_LDADD = libconfig.a libmail.a libbase.a \
	$(YAML_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz-journal.c $(fuzz_driver)
tests_fuzz_fuzz_journal_LDADD = libjournal.a libplan.a libmail.a libbase.a \
	$(LMDB_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)
tests_fuzz_fuzz_layout_SOURCES = tests/fuzz/fuzz-layout.c $(fuzz_driver)
tests_fuzz_fuzz_layout_LDADD = libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_letters_SOURCES = tests/fuzz/fuzz-letters.c $(fuzz_driver)
tests_fuzz_fuzz_letters_LDADD = libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz-message.c $(fuzz_driver)
tests_fuzz_fuzz_message_LDADD = libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_name_SOURCES = tests/fuzz/fuzz-name.c $(fuzz_driver)
tests_fuzz_fuzz_name_LDADD = libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz-session.c $(fuzz_driver)
tests_fuzz_fuzz_session_LDADD = libimap.a libplan.a libwire.a libmail.a \
	libbase.a $(GSASL_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz-text.c $(fuzz_driver)
tests_fuzz_fuzz_text_LDADD = libwire.a libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_utf7_SOURCES = tests/fuzz/fuzz-utf7.c $(fuzz_driver)
tests_fuzz_fuzz_utf7_LDADD = libmail.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz-wire.c $(fuzz_driver)
tests_fuzz_fuzz_wire_LDADD = libwire.a libmail.a libbase.a $(OPENSSL_LIBS)
