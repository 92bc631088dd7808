noinst_LIBRARIES += libimap.a
libimap_a_SOURCES = \
	src/imap/append.c src/imap/auth.c src/imap/body.c src/imap/change.c \
	src/imap/compress.c src/imap/connect.c src/imap/copy.c \
	src/imap/fetch.c src/imap/folder.c src/imap/imap.h src/imap/internal.h \
	src/imap/list.c src/imap/msgid.c src/imap/search.c src/imap/select.c \
	src/imap/session.c src/imap/survey.c src/imap/trace.c \
	src/imap/window.c

imap_tests = tests/unit/test-imap-append tests/unit/test-imap-body \
	tests/unit/test-imap-change tests/unit/test-imap-compress \
	tests/unit/test-imap-copy tests/unit/test-imap-dialogue \
	tests/unit/test-imap-fetch tests/unit/test-imap-folder \
	tests/unit/test-imap-list tests/unit/test-imap-msgid \
	tests/unit/test-imap-session tests/unit/test-imap-survey \
	tests/unit/test-imap-tiers
check_PROGRAMS += $(imap_tests)
TESTS += $(imap_tests)
imap_test_libs = libimap.a libnet.a libplan.a libwire.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS) $(GSASL_LIBS) $(PTHREAD_LIBS)

tests_unit_test_imap_append_SOURCES = tests/unit/test-imap-append.c \
	tests/unit/dialogue.h
tests_unit_test_imap_append_LDADD = $(imap_test_libs)
tests_unit_test_imap_body_SOURCES = tests/unit/test-imap-body.c \
	tests/unit/dialogue.h
tests_unit_test_imap_body_LDADD = $(imap_test_libs)
tests_unit_test_imap_change_SOURCES = tests/unit/test-imap-change.c \
	tests/unit/dialogue.h
tests_unit_test_imap_change_LDADD = $(imap_test_libs)
tests_unit_test_imap_compress_SOURCES = tests/unit/test-imap-compress.c \
	tests/unit/dialogue.h
tests_unit_test_imap_compress_LDADD = $(imap_test_libs)
tests_unit_test_imap_copy_SOURCES = tests/unit/test-imap-copy.c \
	tests/unit/dialogue.h
tests_unit_test_imap_copy_LDADD = $(imap_test_libs)
tests_unit_test_imap_dialogue_SOURCES = tests/unit/test-imap-dialogue.c \
	tests/unit/dialogue.h
tests_unit_test_imap_dialogue_LDADD = $(imap_test_libs)
tests_unit_test_imap_fetch_SOURCES = tests/unit/test-imap-fetch.c \
	tests/unit/dialogue.h
tests_unit_test_imap_fetch_LDADD = $(imap_test_libs)
tests_unit_test_imap_folder_SOURCES = tests/unit/test-imap-folder.c \
	tests/unit/dialogue.h
tests_unit_test_imap_folder_LDADD = $(imap_test_libs)
tests_unit_test_imap_list_SOURCES = tests/unit/test-imap-list.c \
	tests/unit/dialogue.h
tests_unit_test_imap_list_LDADD = $(imap_test_libs)
tests_unit_test_imap_msgid_SOURCES = tests/unit/test-imap-msgid.c \
	tests/unit/dialogue.h
tests_unit_test_imap_msgid_LDADD = $(imap_test_libs)
tests_unit_test_imap_session_SOURCES = tests/unit/test-imap-session.c \
	tests/unit/dialogue.h
tests_unit_test_imap_session_LDADD = $(imap_test_libs)
tests_unit_test_imap_survey_SOURCES = tests/unit/test-imap-survey.c \
	tests/unit/dialogue.h
tests_unit_test_imap_survey_LDADD = $(imap_test_libs)
tests_unit_test_imap_tiers_SOURCES = tests/unit/test-imap-tiers.c \
	tests/unit/dialogue.h
tests_unit_test_imap_tiers_LDADD = $(imap_test_libs)
