noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/dial.c \
	src/net/internal.h \
	src/net/stream.c src/net/stream.h \
	src/net/tls.c \
	src/net/trust.c src/net/trust.h

check_PROGRAMS += tests/unit/test-net-stream tests/unit/test-net-trust
TESTS += tests/unit/test-net-stream tests/unit/test-net-trust
tests_unit_test_net_stream_SOURCES = tests/unit/test-net-stream.c
tests_unit_test_net_stream_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) \
	$(OPENSSL_LIBS) $(PTHREAD_LIBS)
tests_unit_test_net_trust_SOURCES = tests/unit/test-net-trust.c \
	tests/unit/tempdir.h
tests_unit_test_net_trust_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) \
	$(OPENSSL_LIBS) $(PTHREAD_LIBS)
