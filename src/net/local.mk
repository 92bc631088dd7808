noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/deflate.c \
	src/net/dial.c \
	src/net/internal.h \
	src/net/stream.c src/net/stream.h \
	src/net/tls.c \
	src/net/trust.c src/net/trust.h

net_tests = tests/unit/test-net-deflate tests/unit/test-net-stream \
	tests/unit/test-net-trust
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
net_test_libs = libnet.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS) \
	$(ZLIB_LIBS) $(PTHREAD_LIBS)
tests_unit_test_net_deflate_SOURCES = tests/unit/peer.h \
	tests/unit/test-net-deflate.c
tests_unit_test_net_deflate_LDADD = $(net_test_libs)
tests_unit_test_net_stream_SOURCES = tests/unit/peer.h \
	tests/unit/test-net-stream.c
tests_unit_test_net_stream_LDADD = $(net_test_libs)
tests_unit_test_net_stream_LDFLAGS = -Wl,--wrap=getaddrinfo \
	-Wl,--wrap=freeaddrinfo
tests_unit_test_net_trust_SOURCES = tests/unit/tempdir.h \
	tests/unit/test-net-trust.c
tests_unit_test_net_trust_LDADD = $(net_test_libs)
