/* The witness is zlib itself, called from here. */
#include "peer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "net/internal.h"

#define FLOOD (8u << 20)

static const struct net_conf conf = {.host = "127.0.0.1", .port = 143};
static const char text[] = "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n"
			   "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"
			   "m1 OK all of them\r\n";

/* Raw DEFLATE of P by the witness; ends as FLUSH says. */
static struct buf
deflated(const void *p, size_t n, int level, int flush)
{
	z_stream z = {
	    .next_in = (z_const Bytef *)(uintptr_t)p, .avail_in = (uInt)n};
	size_t room = n + n / 100 + 1000;
	struct buf b;

	buf_init(&b, 2 * room);
	assert_int_equal(Z_OK,
	    deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY));
	z.next_out = (Bytef *)buf_reserve(&b, room);
	z.avail_out = (uInt)room;
	assert_int_equal(
	    flush == Z_FINISH ? Z_STREAM_END : Z_OK, deflate(&z, flush));
	b.n = room - z.avail_out;
	deflateEnd(&z);
	return b;
}

static struct net_deflate *
open_with(struct span rest)
{
	struct net_deflate *d = NULL;
	struct err e;

	assert_int_equal(0, net_deflate_open(&conf, rest, &d, &e));
	return d;
}

static void
test_what_is_packed_can_be_unpacked_at_once(void **state)
{
	struct net_deflate *d = open_with(SPAN_NONE);
	struct buf out;
	z_stream z = {0};
	char got[sizeof text];
	struct err e;

	(void)state;
	assert_int_equal(Z_OK, inflateInit2(&z, -15));
	buf_init(&out, 1u << 20);
	assert_int_equal(0, net_deflate_pack(d, SPAN_NONE, &out, &e));
	assert_int_equal(out.n, 0);
	for (int round = 0; round < 3; round++) {
		size_t before = out.n;

		buf_clear(&out);
		assert_int_equal(
		    0, net_deflate_pack(d, span_str(text), &out, &e));
		z.next_in = (Bytef *)out.p;
		z.avail_in = (uInt)out.n;
		z.next_out = (Bytef *)got;
		z.avail_out = sizeof got;
		assert_int_equal(Z_OK, inflate(&z, Z_SYNC_FLUSH));
		assert_int_equal(z.avail_out, 1);
		assert_memory_equal(got, text, sizeof text - 1);
		/* one context: what was said before costs little */
		assert_true(round == 0 || out.n <= before);
		assert_true(round == 0 || out.n < 30);
	}
	inflateEnd(&z);
	buf_release(&out);
	net_deflate_free(&d);
}

/* Random octets in a piece as large as the stream ever makes one. */
static void
test_what_cannot_be_made_smaller(void **state)
{
	static unsigned char p[65536], got[65536];
	struct net_deflate *d = open_with(SPAN_NONE);
	struct buf out;
	z_stream z = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (unsigned char)rand();
	buf_init(&out, 1u << 20);
	assert_int_equal(
	    0, net_deflate_pack(d, span_of((char *)p, sizeof p), &out, &e));
	assert_true(out.n < sizeof p + 200);
	assert_int_equal(Z_OK, inflateInit2(&z, -15));
	z.next_in = (Bytef *)out.p;
	z.avail_in = (uInt)out.n;
	z.next_out = got;
	z.avail_out = sizeof got;
	(void)inflate(&z, Z_SYNC_FLUSH);
	assert_int_equal(z.avail_out, 0);
	assert_memory_equal(got, p, sizeof p);
	inflateEnd(&z);
	buf_release(&out);
	/* more than the caller's ceiling is no crash */
	buf_init(&out, 1000);
	assert_int_equal(ERR_PROTO,
	    net_deflate_pack(d, span_of((char *)p, sizeof p), &out, &e));
	buf_release(&out);
	net_deflate_free(&d);
}

/* Feed P in pieces of STEP, take ROOM at a time; the last answer. */
static enum net_io
unpack(struct net_deflate *d, struct span p, size_t step, size_t room,
    struct buf *got, struct err *e)
{
	size_t at = 0;

	for (;;) {
		char *to = buf_reserve(got, room), *raw;
		size_t n = 0, have;
		enum net_io io = net_deflate_unpack(d, to, room, &n, e);

		assert_true(n <= room);
		got->n += n;
		if (io == NET_IO_DONE) {
			assert_true(n > 0);
			continue;
		}
		if (io != NET_IO_AGAIN || at == p.n)
			return io;
		raw = net_deflate_room(d, &have);
		if (have > step)
			have = step;
		if (have > p.n - at)
			have = p.n - at;
		memcpy(raw, p.p + at, have);
		net_deflate_came(d, have);
		at += have;
	}
}

static void
test_every_cut(void **state)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_SYNC_FLUSH);
	static const size_t step[] = {1, 7, 100000}, room[] = {1, 3, 4096};
	size_t shown = 0;

	(void)state;
	for (size_t cut = 0; cut <= z.n; cut++) {
		size_t last = 0;

		for (int k = 0; k < 9; k++) {
			struct net_deflate *d = open_with(SPAN_NONE);
			struct buf got;
			struct err e;

			buf_init(&got, 1u << 16);
			/* a cut is no damage: the end of the stream tells */
			assert_int_equal(NET_IO_AGAIN,
			    unpack(d, span_of(z.p, cut), step[k / 3],
				room[k % 3], &got, &e));
			assert_true(got.n < sizeof text);
			assert_memory_equal(got.p, text, got.n);
			assert_true(k == 0 || got.n == last);
			last = got.n;
			buf_release(&got);
			net_deflate_free(&d);
		}
		assert_true(last >= shown);
		shown = last;
	}
	assert_int_equal(shown, sizeof text - 1);
	buf_release(&z);
}

/* What came behind the OK already, and then the rest. */
static void
test_every_split_at_the_beginning(void **state)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_SYNC_FLUSH);

	(void)state;
	for (size_t cut = 0; cut <= z.n; cut++) {
		struct net_deflate *d = open_with(span_of(z.p, cut));
		struct buf got;
		struct err e;

		buf_init(&got, 1u << 16);
		assert_int_equal(NET_IO_AGAIN,
		    unpack(d, span_of(z.p + cut, z.n - cut), 5, 100, &got, &e));
		assert_int_equal(got.n, sizeof text - 1);
		assert_memory_equal(got.p, text, got.n);
		buf_release(&got);
		net_deflate_free(&d);
	}
	buf_release(&z);
}

static void
test_damage_ends_the_connection(void **state)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_SYNC_FLUSH);
	unsigned errors = 0;

	(void)state;
	for (size_t i = 0; i < z.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct net_deflate *d = open_with(SPAN_NONE);
			struct buf got;
			struct err e = {0};
			enum net_io io;

			z.p[i] ^= (char)(1 << bit);
			buf_init(&got, 1u << 20);
			io = unpack(d, buf_span(&z), 11, 64, &got, &e);
			if (io == NET_IO_FAILED) {
				errors++;
				assert_int_equal(e.code, ERR_PROTO);
				assert_int_equal(e.scope, ERR_SCOPE_CONN);
				assert_non_null(strstr(e.text,
				    "port 143: cannot read compressed data: "));
			}
			z.p[i] ^= (char)(1 << bit);
			buf_release(&got);
			net_deflate_free(&d);
		}
	}
	assert_true(errors > 50);
	buf_release(&z);
}

/* However much is packed in it, only what there is room for comes out. */
static void
test_a_bomb_waits_packed(void **state)
{
	size_t left = 32u << 20;
	char *zeros = xcalloc(1, left);
	struct buf z = deflated(zeros, left, 9, Z_SYNC_FLUSH);
	struct net_deflate *d = open_with(buf_span(&z));
	char room[1000];
	struct err e;

	(void)state;
	assert_true(z.n < 64 * 1024);
	while (left) {
		size_t n = 0;

		assert_int_equal(NET_IO_DONE,
		    net_deflate_unpack(d, room, sizeof room, &n, &e));
		assert_true(n == sizeof room || n == left);
		left -= n;
	}
	assert_int_equal(
	    NET_IO_AGAIN, net_deflate_unpack(d, room, sizeof room, &left, &e));
	net_deflate_free(&d);
	buf_release(&z);
	xfree(zeros);
}

static void
test_empty_blocks_are_not_read_for_ever(void **state)
{
	static const char empty[] = {0, 0, 0, (char)0xff, (char)0xff};
	struct net_deflate *d = open_with(SPAN_NONE);
	struct buf in, got;
	struct err e;

	(void)state;
	buf_init(&in, 1u << 20);
	buf_init(&got, 1u << 20);
	for (int i = 0; i < 1000; i++)
		buf_add(&in, empty, sizeof empty);
	assert_int_equal(
	    NET_IO_AGAIN, unpack(d, buf_span(&in), 1000, 100, &got, &e));
	for (int i = 0; i < 20000; i++)
		buf_add(&in, empty, sizeof empty);
	assert_int_equal(
	    NET_IO_FAILED, unpack(d, buf_span(&in), 1000, 100, &got, &e));
	assert_non_null(strstr(e.text, "there is nothing in it"));
	assert_int_equal(got.n, 0);
	net_deflate_free(&d);
	buf_release(&in);
	buf_release(&got);
}

static void
test_a_final_block_is_the_end(void **state)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_FINISH);
	struct net_deflate *d = open_with(SPAN_NONE);
	struct buf got;
	struct err e;

	(void)state;
	buf_add(&z, "\r\nmore", 6);
	buf_init(&got, 1u << 16);
	assert_int_equal(
	    NET_IO_END, unpack(d, buf_span(&z), 100, 50, &got, &e));
	assert_int_equal(got.n, sizeof text - 1);
	net_deflate_free(&d);
	buf_release(&got);
	buf_release(&z);
}

/* "OK", then at once, in one packet, something compressed. */
static void
switch_then_greet(int fd)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_SYNC_FLUSH), all;
	char c;

	buf_init(&all, 4096);
	buf_add_str(&all, "OK\r\n");
	buf_add_span(&all, buf_span(&z));
	(void)!send(fd, all.p, all.n, MSG_NOSIGNAL);
	buf_release(&all);
	buf_release(&z);
	while (read(fd, &c, 1) == 1)
		continue;
}

static void
test_compression_begins_in_the_middle_of_a_packet(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	struct err e;

	(void)state;
	start(&sv, switch_then_greet);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	while (stream_peek(s).n < 4)
		assert_int_equal(0, stream_fill(s, &e));
	stream_consume(s, 4);
	assert_int_equal(0, stream_compress(s, &e));
	while (stream_peek(s).n < sizeof text - 1)
		assert_int_equal(0, stream_fill(s, &e));
	assert_memory_equal(stream_peek(s).p, text, sizeof text - 1);
	/* what crossed the line, not what it meant */
	assert_true(stream_stats(s).bytes_in < sizeof text - 1);
	stream_free(&s);
	stop(&sv);
}

/*
 * Writes FLOOD octets that cannot be made smaller before it reads any, then
 * reads as many, and says "done".
 */
static void
flood(int fd)
{
	static unsigned char p[65536], got[65536];
	size_t left = FLOOD;
	z_stream in = {0}, out = {0};
	static unsigned char wire[66000];
	int rc = Z_OK;

	(void)deflateInit2(&out, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	(void)inflateInit2(&in, -15);
	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (unsigned char)(i * i >> 7 ^ (size_t)rand());
	for (size_t at = 0; at < FLOOD + 4;) {
		size_t n = at < FLOOD ? sizeof p : 4;

		out.next_in = at < FLOOD ? p : (z_const Bytef *)"done";
		out.avail_in = (uInt)n;
		out.next_out = wire;
		out.avail_out = sizeof wire;
		(void)deflate(&out, Z_SYNC_FLUSH);
		n = sizeof wire - out.avail_out;
		if (send(fd, wire, n, MSG_NOSIGNAL) != (ssize_t)n)
			goto end;
		at += at < FLOOD ? sizeof p : 4;
		while (at == FLOOD && left && rc == Z_OK) {
			ssize_t k = read(fd, wire, sizeof wire);

			if (k <= 0)
				goto end;
			in.next_in = wire;
			in.avail_in = (uInt)k;
			do {
				in.next_out = got;
				in.avail_out = sizeof got;
				rc = inflate(&in, Z_SYNC_FLUSH);
				left -= sizeof got - in.avail_out;
			} while (rc == Z_OK && in.avail_out == 0);
			rc = rc == Z_BUF_ERROR ? Z_OK : rc;
		}
	}
end:
	(void)deflateEnd(&out);
	(void)inflateEnd(&in);
}

static void
test_two_full_pipes_do_not_wait_for_each_other(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	char *p = xcalloc(1, FLOOD);
	struct err e;

	(void)state;
	for (size_t i = 0; i < FLOOD; i++)
		p[i] = (char)rand();
	start(&sv, flood);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, stream_compress(s, &e));
	assert_int_equal(0, stream_write(s, p, FLOOD, &e));
	assert_int_equal(0, stream_flush(s, &e));
	while (stream_peek(s).n < FLOOD + 4)
		assert_int_equal(0, stream_fill(s, &e));
	assert_memory_equal(stream_peek(s).p + FLOOD, "done", 4);
	assert_true(stream_stats(s).bytes_out > FLOOD);
	assert_int_equal(stream_stats(s).round_trips, 1);
	stream_free(&s);
	stop(&sv);
	xfree(p);
}

/* A flush with nothing to send sends nothing, and a cut is a cut. */
static void
answer_once(int fd)
{
	struct buf z = deflated(text, sizeof text - 1, 6, Z_SYNC_FLUSH);
	char c[64];

	(void)!read(fd, c, sizeof c);
	(void)!send(fd, z.p, z.n / 2, MSG_NOSIGNAL);
	buf_release(&z);
}

static void
test_the_line_is_cut_inside_of_a_block(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	struct err e;
	int rc;

	(void)state;
	start(&sv, answer_once);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, stream_compress(s, &e));
	assert_int_equal(0, stream_flush(s, &e));
	assert_int_equal(0, stream_stats(s).bytes_out);
	assert_int_equal(0, stream_write(s, "m1 x\r\n", 6, &e));
	do
		rc = stream_fill(s, &e);
	while (rc == 0);
	assert_int_equal(rc, ERR_NET);
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_non_null(strstr(e.text, "connection closed by the server"));
	assert_true(stream_peek(s).n < sizeof text - 1);
	stream_free(&s);
	stop(&sv);
}

static void
test_when_it_may_be(void **state)
{
	static const bool want[] = {[NET_COMPRESS_AUTO] = false,
	    [NET_COMPRESS_ON] = true,
	    [NET_COMPRESS_OFF] = false};

	(void)state;
	for (int how = NET_COMPRESS_AUTO; how <= NET_COMPRESS_OFF; how++) {
		struct server sv = {0};
		AUTO(stream) s = NULL;
		struct err e;

		start(&sv, switch_then_greet);
		sv.conf.compress = (enum net_compress)how;
		assert_int_equal(0, stream_open(&sv.conf, &s, &e));
		assert_int_equal(stream_may_compress(s), want[how]);
		stream_free(&s);
		stop(&sv);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_packed_can_be_unpacked_at_once),
	    cmocka_unit_test(test_what_cannot_be_made_smaller),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_every_split_at_the_beginning),
	    cmocka_unit_test(test_damage_ends_the_connection),
	    cmocka_unit_test(test_a_bomb_waits_packed),
	    cmocka_unit_test(test_empty_blocks_are_not_read_for_ever),
	    cmocka_unit_test(test_a_final_block_is_the_end),
	    cmocka_unit_test(test_compression_begins_in_the_middle_of_a_packet),
	    cmocka_unit_test(test_two_full_pipes_do_not_wait_for_each_other),
	    cmocka_unit_test(test_the_line_is_cut_inside_of_a_block),
	    cmocka_unit_test(test_when_it_may_be),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
