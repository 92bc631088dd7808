#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509.h>
#include <pthread.h>

#include "net/internal.h"
#include "net/trust.h"
#include "tempdir.h"

/* Of nobody: the key was thrown away. */
static const char authority[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBijCCAS+gAwIBAgIUL6Iw30bcjLpyVWtqXMzMutr89pEwCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI0MTkxMjQzWhgPMjEy\n"
    "NjEwMzExOTEyNDNaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEmHbwI6fz1/6KwVX0QPfWR9AatUS8r0zd49LOH5pK\n"
    "IVrsG7kt42nfIMlac7kU9CChx7mAZc8zVvNLYIHONe804aNTMFEwHQYDVR0OBBYE\n"
    "FHNENbjwgleg+4poo/UkNafklfqaMB8GA1UdIwQYMBaAFHNENbjwgleg+4poo/Uk\n"
    "NafklfqaMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAOiidYdG\n"
    "E3UJIISiwIYps+kgymyIWgNsMUmLHNqqEDNXAiEAyEDHFKWUl1+hfwVEakBwf32a\n"
    "r7Ebp/OtK11RFDuJkvI=\n"
    "-----END CERTIFICATE-----\n";

struct fixture {
	char dir[64], file[512];
	struct net_trust *t;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	tempdir_make(f->dir);
	tempdir_write(f->dir, "ca.pem", authority, sizeof(authority) - 1);
	tempdir_join(f->file, f->dir, "ca.pem");
	f->t = net_trust_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	net_trust_free(&f->t);
	assert_null(f->t);
	net_trust_free(&f->t);
	tempdir_remove(f->dir);
	xfree(f);
	return 0;
}

/* How many certificates are in it; gives the reference back. */
static int
count(X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *v = X509_STORE_get0_objects(store);
	int n = sk_X509_OBJECT_num(v);

	X509_STORE_free(store);
	return n;
}

static void
test_a_file_is_read_once(void **state)
{
	struct fixture *f = *state;
	X509_STORE *a, *b, *own;
	struct err e;

	assert_int_equal(0, net_trust_get(f->t, f->file, &a, &e));
	assert_int_equal(0, net_trust_read(f->file, &own, &e));
	assert_int_equal(0, unlink(f->file));
	assert_int_equal(0, net_trust_get(f->t, f->file, &b, &e));
	assert_ptr_equal(a, b);
	assert_int_equal(count(a), 1);
	/* the reference is ours: it outlives the others */
	net_trust_free(&f->t);
	assert_int_equal(count(b), 1);
	assert_int_equal(count(own), 1);
}

static void
test_what_cannot_be_read_is_an_error_and_is_tried_again(void **state)
{
	struct fixture *f = *state;
	X509_STORE *store;
	char other[512];
	struct err e;

	tempdir_write(f->dir, "bad.pem", "garbage\n", 8);
	tempdir_join(other, f->dir, "bad.pem");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    ERR_CONFIG, net_trust_get(f->t, other, &store, &e));
		assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
		assert_non_null(strstr(e.text, "bad.pem"));
	}
	tempdir_write(f->dir, "bad.pem", authority, sizeof(authority) - 1);
	assert_int_equal(0, net_trust_get(f->t, other, &store, &e));
	assert_int_equal(count(store), 1);
}

/* "system lib" is what OpenSSL says of any errno. */
static void
test_a_file_that_is_missing_is_said_to_be_missing(void **state)
{
	struct fixture *f = *state;
	X509_STORE *store;
	char path[512];
	struct err e;

	tempdir_join(path, f->dir, "no.pem");
	assert_int_equal(ERR_CONFIG, net_trust_get(f->t, path, &store, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(e.retry, ERR_RETRY_NEVER);
	assert_non_null(strstr(e.text, "no.pem: No such file or directory"));
	assert_int_equal(ERR_CONFIG, net_trust_get(f->t, f->dir, &store, &e));
	assert_null(strstr(e.text, "system lib"));
	tempdir_write(f->dir, "empty.pem", "", 0);
	tempdir_join(path, f->dir, "empty.pem");
	assert_int_equal(ERR_CONFIG, net_trust_get(f->t, path, &store, &e));
	assert_non_null(strstr(e.text, "no certificate"));
}

/* Another file, and the system's store, are not taken for it. */
static void
test_each_file_has_its_own(void **state)
{
	struct fixture *f = *state;
	X509_STORE *a, *b, *of_system;
	char other[512];
	struct err e;

	tempdir_write(f->dir, "two.pem", authority, sizeof(authority) - 1);
	tempdir_join(other, f->dir, "two.pem");
	assert_int_equal(0, net_trust_get(f->t, NULL, &of_system, &e));
	assert_int_equal(0, net_trust_get(f->t, f->file, &a, &e));
	assert_int_equal(0, net_trust_get(f->t, other, &b, &e));
	assert_true(a != b && a != of_system && b != of_system);
	assert_int_equal(count(a), 1);
	assert_int_equal(count(b), 1);
	X509_STORE_free(of_system);
	assert_int_equal(0, net_trust_get(f->t, NULL, &b, &e));
	assert_ptr_equal(b, of_system);
	X509_STORE_free(b);
}

static void *
get(void *arg)
{
	struct fixture *f = arg;
	X509_STORE *store;
	struct err e;

	if (net_trust_get(f->t, f->file, &store, &e) != 0)
		return NULL;
	X509_STORE_free(store); /* the list has one still */
	return store;
}

static void
test_threads_get_the_same(void **state)
{
	struct fixture *f = *state;
	pthread_t thread[8];
	void *store[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(0, pthread_create(&thread[i], NULL, get, f));
	for (int i = 0; i < 8; i++)
		assert_int_equal(0, pthread_join(thread[i], &store[i]));
	for (int i = 0; i < 8; i++)
		assert_true(store[i] && store[i] == store[0]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_a_file_is_read_once),
	    T(test_what_cannot_be_read_is_an_error_and_is_tried_again),
	    T(test_a_file_that_is_missing_is_said_to_be_missing),
	    T(test_each_file_has_its_own),
	    T(test_threads_get_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
