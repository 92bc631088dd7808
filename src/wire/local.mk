noinst_LIBRARIES += libwire.a
libwire_a_SOURCES = \
	src/wire/cmd.c src/wire/cmd.h \
	src/wire/lex.c src/wire/lex.h src/wire/node.c \
	src/wire/resp.c src/wire/resp.h \
	src/wire/text.c src/wire/text.h

wire_tests = tests/unit/test-wire-cmd tests/unit/test-wire-lex \
	tests/unit/test-wire-resp tests/unit/test-wire-text
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
wire_test_libs = libwire.a libmail.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

tests_unit_test_wire_cmd_SOURCES = tests/unit/test-wire-cmd.c
tests_unit_test_wire_cmd_LDADD = $(wire_test_libs)
tests_unit_test_wire_lex_SOURCES = tests/unit/test-wire-lex.c
tests_unit_test_wire_lex_LDADD = $(wire_test_libs)
tests_unit_test_wire_resp_SOURCES = tests/unit/test-wire-resp.c
tests_unit_test_wire_resp_LDADD = $(wire_test_libs)
tests_unit_test_wire_text_SOURCES = tests/unit/test-wire-text.c
tests_unit_test_wire_text_LDADD = $(wire_test_libs)
