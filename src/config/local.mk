noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	src/config/config.h \
	src/config/dirs.c \
	src/config/load.c \
	src/config/nearest.c src/config/nearest.h \
	src/config/provider.c \
	src/config/secret.c \
	src/config/value.c src/config/value.h \
	src/config/yaml.c src/config/yaml.h

config_tests = tests/unit/test-config-load tests/unit/test-config-nearest \
	tests/unit/test-config-policy tests/unit/test-config-provider \
	tests/unit/test-config-secret tests/unit/test-config-value \
	tests/unit/test-config-yaml
check_PROGRAMS += $(config_tests)
TESTS += $(config_tests)
config_test_libs = libconfig.a libmail.a libbase.a $(YAML_LIBS) \
	$(CMOCKA_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)

tests_unit_test_config_load_SOURCES = tests/unit/test-config-load.c \
	tests/unit/confcheck.h tests/unit/tempdir.h
tests_unit_test_config_load_CPPFLAGS = $(AM_CPPFLAGS) \
	-DEXAMPLE=\"$(abs_srcdir)/examples/config.yaml\"
tests_unit_test_config_load_LDADD = $(config_test_libs)
tests_unit_test_config_nearest_SOURCES = tests/unit/seed.h \
	tests/unit/test-config-nearest.c
tests_unit_test_config_nearest_LDADD = $(config_test_libs)
tests_unit_test_config_policy_SOURCES = tests/unit/test-config-policy.c \
	tests/unit/confcheck.h
tests_unit_test_config_policy_LDADD = $(config_test_libs)
tests_unit_test_config_provider_SOURCES = tests/unit/test-config-provider.c \
	tests/unit/confcheck.h
tests_unit_test_config_provider_LDADD = $(config_test_libs)
tests_unit_test_config_secret_SOURCES = tests/unit/test-config-secret.c \
	tests/unit/tempdir.h
tests_unit_test_config_secret_LDADD = $(config_test_libs)
tests_unit_test_config_secret_LDFLAGS = -Wl,--wrap=clock_mono_ms
tests_unit_test_config_value_SOURCES = tests/unit/test-config-value.c \
	tests/unit/confcheck.h
tests_unit_test_config_value_LDADD = $(config_test_libs)
tests_unit_test_config_yaml_SOURCES = tests/unit/test-config-yaml.c
tests_unit_test_config_yaml_LDADD = $(config_test_libs)

EXTRA_DIST += tests/fuzz/config.dict
