noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/alloc.c src/base/alloc.h src/base/arena.c src/base/arena.h \
	src/base/buf.c src/base/buf.h src/base/cancel.c src/base/cancel.h \
	src/base/clock.c src/base/clock.h src/base/err.c src/base/err.h \
	src/base/fs.c src/base/fs.h src/base/fstype.c \
	src/base/hash.c src/base/hash.h \
	src/base/log.c src/base/log.h src/base/map.c src/base/map.h \
	src/base/pool.c src/base/pool.h src/base/span.c src/base/span.h \
	src/base/uidset.c src/base/uidset.h

base_tests = tests/unit/test-base-arena tests/unit/test-base-buf \
	tests/unit/test-base-cancel tests/unit/test-base-clock \
	tests/unit/test-base-err tests/unit/test-base-fs \
	tests/unit/test-base-log tests/unit/test-base-map \
	tests/unit/test-base-move tests/unit/test-base-pool \
	tests/unit/test-base-span tests/unit/test-base-uidset
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
base_test_libs = libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)

tests_unit_test_base_arena_SOURCES = tests/unit/test-base-arena.c
tests_unit_test_base_arena_LDADD = $(base_test_libs)
tests_unit_test_base_buf_SOURCES = tests/unit/test-base-buf.c
tests_unit_test_base_buf_LDADD = $(base_test_libs)
tests_unit_test_base_cancel_SOURCES = tests/unit/test-base-cancel.c
tests_unit_test_base_cancel_LDADD = $(base_test_libs)
tests_unit_test_base_clock_SOURCES = tests/unit/test-base-clock.c
tests_unit_test_base_clock_LDADD = $(base_test_libs)
tests_unit_test_base_err_SOURCES = tests/unit/test-base-err.c
tests_unit_test_base_err_LDADD = $(base_test_libs)
tests_unit_test_base_fs_SOURCES = tests/unit/test-base-fs.c \
	tests/unit/tempdir.h
tests_unit_test_base_fs_LDADD = $(base_test_libs)
tests_unit_test_base_log_SOURCES = tests/unit/test-base-log.c \
	tests/unit/tempdir.h
tests_unit_test_base_log_LDADD = $(base_test_libs)
tests_unit_test_base_map_SOURCES = tests/unit/seed.h \
	tests/unit/test-base-map.c
tests_unit_test_base_map_LDADD = $(base_test_libs)
tests_unit_test_base_move_SOURCES = tests/unit/tempdir.h \
	tests/unit/test-base-move.c
tests_unit_test_base_move_LDADD = $(base_test_libs)
tests_unit_test_base_pool_SOURCES = tests/unit/test-base-pool.c
tests_unit_test_base_pool_LDADD = $(base_test_libs)
tests_unit_test_base_span_SOURCES = tests/unit/test-base-span.c
tests_unit_test_base_span_LDADD = $(base_test_libs)
tests_unit_test_base_uidset_SOURCES = tests/unit/seed.h \
	tests/unit/test-base-uidset.c
tests_unit_test_base_uidset_LDADD = $(base_test_libs)
