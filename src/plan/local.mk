noinst_LIBRARIES += libplan.a
libplan_a_SOURCES = \
	src/plan/adopt.c src/plan/brake.c src/plan/flags.c src/plan/internal.h \
	src/plan/known.c src/plan/known.h \
	src/plan/match.c src/plan/merge.c src/plan/merge.h src/plan/moves.c \
	src/plan/order.c \
	src/plan/plan.h src/plan/print.c \
	src/plan/rename.c src/plan/rename.h src/plan/same.c \
	src/plan/tree.c src/plan/tree.h \
	src/plan/view.c src/plan/view.h

plan_tests = tests/unit/test-plan-brake tests/unit/test-plan-cases \
	tests/unit/test-plan-flags tests/unit/test-plan-known \
	tests/unit/test-plan-merge tests/unit/test-plan-model \
	tests/unit/test-plan-moves \
	tests/unit/test-plan-property \
	tests/unit/test-plan-rename tests/unit/test-plan-same \
	tests/unit/test-plan-tree tests/unit/test-plan-tree-cases \
	tests/unit/test-plan-view
check_PROGRAMS += $(plan_tests)
TESTS += $(plan_tests) tests/unit/check-cases.sh
EXTRA_DIST += tests/unit/check-cases.sh
plan_test_libs = libplan.a libmail.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

tests_unit_test_plan_brake_SOURCES = tests/unit/test-plan-brake.c
tests_unit_test_plan_brake_LDADD = $(plan_test_libs)
tests_unit_test_plan_cases_SOURCES = tests/unit/boxes.h \
	tests/unit/test-plan-cases.c
tests_unit_test_plan_cases_LDADD = $(plan_test_libs)
tests_unit_test_plan_flags_SOURCES = tests/unit/test-plan-flags.c
tests_unit_test_plan_flags_LDADD = $(plan_test_libs)
tests_unit_test_plan_known_SOURCES = tests/unit/seed.h \
	tests/unit/test-plan-known.c
tests_unit_test_plan_known_LDADD = $(plan_test_libs)
tests_unit_test_plan_merge_SOURCES = tests/unit/test-plan-merge.c
tests_unit_test_plan_merge_LDADD = $(plan_test_libs)
tests_unit_test_plan_model_SOURCES = tests/unit/account.h tests/unit/seed.h \
	tests/unit/test-plan-model.c
tests_unit_test_plan_model_LDADD = $(plan_test_libs)
tests_unit_test_plan_moves_SOURCES = tests/unit/boxes.h \
	tests/unit/test-plan-moves.c
tests_unit_test_plan_moves_LDADD = $(plan_test_libs)
tests_unit_test_plan_property_SOURCES = tests/unit/seed.h \
	tests/unit/test-plan-property.c
tests_unit_test_plan_property_LDADD = $(plan_test_libs)
tests_unit_test_plan_rename_SOURCES = tests/unit/test-plan-rename.c
tests_unit_test_plan_rename_LDADD = $(plan_test_libs)
tests_unit_test_plan_same_SOURCES = tests/unit/test-plan-same.c
tests_unit_test_plan_same_LDADD = $(plan_test_libs)
tests_unit_test_plan_tree_SOURCES = tests/unit/lists.h \
	tests/unit/test-plan-tree.c
tests_unit_test_plan_tree_LDADD = $(plan_test_libs)
tests_unit_test_plan_tree_cases_SOURCES = tests/unit/lists.h \
	tests/unit/test-plan-tree-cases.c
tests_unit_test_plan_tree_cases_LDADD = $(plan_test_libs)
tests_unit_test_plan_view_SOURCES = tests/unit/test-plan-view.c
tests_unit_test_plan_view_LDADD = $(plan_test_libs)
