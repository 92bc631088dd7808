noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	src/mail/digest.c src/mail/digest.h \
	src/mail/eol.c src/mail/eol.h \
	src/mail/flags.c src/mail/flags.h \
	src/mail/header.c src/mail/header.h \
	src/mail/layout.c src/mail/layout.h \
	src/mail/letters.c src/mail/letters.h \
	src/mail/name.c src/mail/name.h \
	src/mail/nameset.c src/mail/nameset.h \
	src/mail/utf7.c src/mail/utf7.h

mail_tests = tests/unit/test-mail-digest tests/unit/test-mail-eol \
	tests/unit/test-mail-flags tests/unit/test-mail-header \
	tests/unit/test-mail-layout tests/unit/test-mail-letters \
	tests/unit/test-mail-name tests/unit/test-mail-nameset \
	tests/unit/test-mail-utf7
check_PROGRAMS += $(mail_tests)
TESTS += $(mail_tests)
mail_test_libs = libmail.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

tests_unit_test_mail_digest_SOURCES = tests/unit/test-mail-digest.c
tests_unit_test_mail_digest_LDADD = $(mail_test_libs)
tests_unit_test_mail_eol_SOURCES = tests/unit/test-mail-eol.c
tests_unit_test_mail_eol_LDADD = $(mail_test_libs)
tests_unit_test_mail_flags_SOURCES = tests/unit/test-mail-flags.c
tests_unit_test_mail_flags_LDADD = $(mail_test_libs)
tests_unit_test_mail_header_SOURCES = tests/unit/test-mail-header.c
tests_unit_test_mail_header_LDADD = $(mail_test_libs)
tests_unit_test_mail_layout_SOURCES = tests/unit/test-mail-layout.c
tests_unit_test_mail_layout_LDADD = $(mail_test_libs)
tests_unit_test_mail_letters_SOURCES = tests/unit/test-mail-letters.c
tests_unit_test_mail_letters_LDADD = $(mail_test_libs)
tests_unit_test_mail_name_SOURCES = tests/unit/test-mail-name.c
tests_unit_test_mail_name_LDADD = $(mail_test_libs)
tests_unit_test_mail_nameset_SOURCES = tests/unit/test-mail-nameset.c
tests_unit_test_mail_nameset_LDADD = $(mail_test_libs)
tests_unit_test_mail_utf7_SOURCES = tests/unit/test-mail-utf7.c
tests_unit_test_mail_utf7_LDADD = $(mail_test_libs)
