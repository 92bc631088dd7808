#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/utf7.h"

static void
assert_pair(const char *wire, const char *text)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_true(utf7_decode(span_str(wire), &b));
	assert_string_equal(buf_cstr(&b), text);
	buf_clear(&b);
	assert_true(utf7_encode(span_str(text), &b));
	assert_string_equal(buf_cstr(&b), wire);
	buf_release(&b);
}

static void
known_names_go_both_ways(void **state)
{
	(void)state;
	/* RFC 3501 §5.1.3 */
	assert_pair("~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	    "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	assert_pair("INBOX", "INBOX");
	assert_pair("A&-B", "A&B");
	assert_pair("&-&-", "&&");
	assert_pair("Entw&APw-rfe", "Entw\xc3\xbcrfe");
	assert_pair("&AOQ-&-", "\xc3\xa4&");
	assert_pair("&AOQA9g-", "\xc3\xa4\xc3\xb6");
	assert_pair("&2D3cjA-", "\xf0\x9f\x92\x8c"); /* U+1F48C */
	assert_pair("a&AAk-b", "a\tb");
	assert_pair("-", "-");
	assert_pair("&AH8-", "\x7f");
}

static void
other_spellings_are_refused(void **state)
{
	static const char *const bad[] = {
		"&", "a&", "&-&",	  /* no end */
		"&AOQ", "&AOQ/", "&AO!-", /* not base64 to the "-" */
		"&AO-", "&A-", "&AAAAA-", /* bits left over or missing */
		"&AOR-",		  /* left-over bits are not zero */
		"&AOQA-", "&AOQAA-",
		"&AOQ-&APY-",		 /* two runs that are one */
		"&AGE-", "&ACY-",	 /* printable ASCII, shifted */
		"&AOQAYQ-",		 /* the same behind another */
		"&AAA-",		 /* NUL */
		"&2D0-", "&2D0AYQ-",	 /* high surrogate alone */
		"&3Iw-", "&3IzYPQ-",	 /* low surrogate alone */
		"&2D3YPdyM-",		 /* two high ones */
		"\xc3\xa4", "a\tb", "\x7f",
		"&Jjo!",		 /* RFC 3501 */
		"&U,BTFw-&ZeVnLIqe-",
	};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (utf7_decode(span_str(bad[i]), &b))
			fail_msg("'%s' was accepted", bad[i]);
		assert_string_equal(buf_cstr(&b), "kept");
	}
	assert_false(utf7_decode(span_of("a\0b", 3), &b));
	assert_string_equal(buf_cstr(&b), "kept");
	buf_release(&b);
}

static void
text_that_is_not_utf8_is_not_encoded(void **state)
{
	static const char *const bad[] = {"\x80", "a\xff", "\xc3", "\xc0\x80",
	    "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(utf7_encode(span_str(bad[i]), &b));
		assert_int_equal(b.n, 0);
	}
	assert_false(utf7_encode(span_of("a\0", 2), &b));
	assert_int_equal(b.n, 0);
	buf_release(&b);
}

static size_t
put_char(uint32_t c, char *p)
{
	if (c < 0x80) {
		p[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (char)(0xc0 + c / 64);
		p[1] = (char)(0x80 + c % 64);
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (char)(0xe0 + c / 4096);
		p[1] = (char)(0x80 + c / 64 % 64);
		p[2] = (char)(0x80 + c % 64);
		return 3;
	}
	p[0] = (char)(0xf0 + c / 262144);
	p[1] = (char)(0x80 + c / 4096 % 64);
	p[2] = (char)(0x80 + c / 64 % 64);
	p[3] = (char)(0x80 + c % 64);
	return 4;
}

/* Alone, and in three places of a run, so that all bit offsets occur. */
static void
every_code_point_goes_there_and_back(void **state)
{
	struct buf wire, back;

	(void)state;
	buf_init(&wire, 100);
	buf_init(&back, 100);
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		char text[24];
		size_t n = 0;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n += put_char(c, text);
		assert_int_equal(utf8_char(span_of(text, n)), n);
		text[n++] = 'x';
		n += put_char(c, text + n);
		n += put_char(0xe4, text + n);
		n += put_char(c, text + n);
		buf_clear(&wire);
		buf_clear(&back);
		assert_true(utf7_encode(span_of(text, n), &wire));
		assert_true(wire.n <= 5 * n);
		for (size_t i = 0; i < wire.n; i++)
			assert_in_range(wire.p[i], 0x20, 0x7e);
		assert_true(utf7_decode(buf_span(&wire), &back));
		assert_true(span_eq(buf_span(&back), span_of(text, n)));
	}
	buf_release(&wire);
	buf_release(&back);
}

/*
 * All strings up to seven bytes over an alphabet that makes runs, ends and
 * left-over bits: what is accepted is the one spelling.
 */
static void
what_is_decoded_encodes_to_itself(void **state)
{
	static const char alphabet[] = "&-AOQY,a";
	struct buf text, again;
	size_t accepted = 0;

	(void)state;
	buf_init(&text, 100);
	buf_init(&again, 100);
	for (size_t n = 0, all = 1; n <= 7; n++, all *= 8) {
		for (size_t no = 0; no < all; no++) {
			char s[8];
			size_t rest = no;

			for (size_t i = 0; i < n; i++, rest /= 8)
				s[i] = alphabet[rest % 8];
			buf_clear(&text);
			buf_clear(&again);
			if (!utf7_decode(span_of(s, n), &text))
				continue;
			accepted++;
			assert_true(text.n <= 3 * n);
			assert_true(utf7_encode(buf_span(&text), &again));
			assert_true(
			    span_eq(buf_span(&again), span_of(s, n)));
		}
	}
	assert_true(accepted > 100000);
	buf_release(&text);
	buf_release(&again);
}

static void
every_truncation_inside_a_run_is_refused(void **state)
{
	static const char wire[] = "a&2D3cjADkAOQ-b";
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t n = 0; n < sizeof wire; n++) {
		bool whole = n <= 1 || n >= sizeof wire - 2;

		buf_clear(&b);
		assert_int_equal(utf7_decode(span_of(wire, n), &b),
		    whole && n < sizeof wire);
	}
	buf_release(&b);
}

/* RFC 3629 §4 has 63,488 - 2,048 characters of three bytes and so on. */
static void
utf8_has_as_many_characters_as_unicode(void **state)
{
	size_t two = 0, three = 0, four = 0;
	char p[4];

	(void)state;
	for (unsigned i = 0; i < 0x10000; i++) {
		p[0] = (char)(i >> 8);
		p[1] = (char)i;
		two += utf8_char(span_of(p, 2)) == 2;
		for (unsigned k = 0; k < 0x100; k++) {
			p[2] = (char)k;
			three += utf8_char(span_of(p, 3)) == 3;
		}
	}
	for (unsigned i = 0xf000; i < 0x10000; i++) {
		p[0] = (char)(i >> 8);
		p[1] = (char)i;
		for (unsigned k = 0; k < 0x10000; k += 0xff) {
			p[2] = (char)(k >> 8);
			p[3] = (char)(0x80 + k % 0x40);
			four += utf8_char(span_of(p, 4)) == 4;
		}
	}
	assert_int_equal(two, 0x800 - 0x80);
	assert_int_equal(three, 0x10000 - 0x800 - 0x800);
	/* second bytes 90..bf, 3 x 80..bf, 80..8f; third: 64 of 257 tried */
	assert_int_equal(four, (48 + 3 * 64 + 16) * 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_names_go_both_ways),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(text_that_is_not_utf8_is_not_encoded),
		cmocka_unit_test(every_code_point_goes_there_and_back),
		cmocka_unit_test(what_is_decoded_encodes_to_itself),
		cmocka_unit_test(every_truncation_inside_a_run_is_refused),
		cmocka_unit_test(utf8_has_as_many_characters_as_unicode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
