noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/dial.c \
	src/net/internal.h \
	src/net/stream.c src/net/stream.h \
	src/net/tls.c

check_PROGRAMS += tests/unit/test-net-stream
TESTS += tests/unit/test-net-stream
tests_unit_test_net_stream_SOURCES = tests/unit/test-net-stream.c
tests_unit_test_net_stream_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) \
	$(OPENSSL_LIBS) $(PTHREAD_LIBS)
