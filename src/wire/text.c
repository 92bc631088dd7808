#include "wire/text.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/*
 * Days from 1970-01-01 to the given day of the proleptic Gregorian calendar.
 * The year is counted from March, so that the leap day is its last.
 */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = (month + 9) % 12;
	int64_t leaps = y / 4 - y / 100 + y / 400;

	return y * 365 + leaps + (m * 306 + 5) / 10 + day - 1 - 719468;
}

static bool
is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int
month_days(int64_t year, int month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30,
	    31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* N digits at P. */
static bool
digits(const char *p, size_t n, int *v_r)
{
	uint32_t v;

	if (!span_u32(span_of(p, n), &v) || v > 9999)
		return false;
	*v_r = (int)v;
	return true;
}

bool
wire_date_parse(struct span s, int64_t *wall_s_r)
{
	int day, month = 0, year, hour, min, sec, zh, zm;

	/* "dd" or " d" or "d", then "-Mon-yyyy hh:mm:ss +zzzz" */
	if (s.n != 25 && s.n != 26)
		return false;
	const char *p = s.p + s.n - 24;
	if (s.n == 26 && s.p[0] != ' ' ? !digits(s.p, 2, &day)
				       : !digits(p - 1, 1, &day))
		return false;
	if (p[0] != '-' || p[4] != '-' || p[9] != ' ' || p[12] != ':' ||
	    p[15] != ':' || p[18] != ' ' || (p[19] != '+' && p[19] != '-'))
		return false;
	for (int i = 0; i < 12; i++)
		if (span_eq_case(span_of(p + 1, 3), span_of(months[i], 3)))
			month = i + 1;
	if (!month || !digits(p + 5, 4, &year) || !digits(p + 10, 2, &hour) ||
	    !digits(p + 13, 2, &min) || !digits(p + 16, 2, &sec) ||
	    !digits(p + 20, 2, &zh) || !digits(p + 22, 2, &zm))
		return false;
	/* Second 60: a leap second (RFC 3501 §9 allows any two digits). */
	if (year < 1 || day < 1 || day > month_days(year, month) ||
	    hour > 23 || min > 59 || sec > 60 || zm > 59)
		return false;
	int64_t zone = (zh * 60 + zm) * 60;
	*wall_s_r = ((days_of(year, month, day) * 24 + hour) * 60 + min) * 60 +
	    sec - (p[19] == '-' ? -zone : zone);
	return true;
}

void
wire_date_format(int64_t wall_s, struct buf *b)
{
	const int64_t first = days_of(1, 1, 1) * 86400;
	const int64_t last = days_of(9999, 12, 31) * 86400 + 86399;
	int64_t t = wall_s < first ? first : wall_s > last ? last : wall_s;
	int64_t day = t / 86400 - (t % 86400 < 0);
	int64_t sec = t - day * 86400;
	int64_t year = 1970 + day / 366 - (day < 0);
	int month = 1;

	while (days_of(year + 1, 1, 1) <= day)
		year++;
	while (days_of(year, 1, 1) > day)
		year--;
	day -= days_of(year, 1, 1);
	while (day >= month_days(year, month))
		day -= month_days(year, month++);
	buf_addf(b, "%02d-%s-%04d %02d:%02d:%02d +0000", (int)day + 1,
	    months[month - 1], (int)year, (int)(sec / 3600),
	    (int)(sec / 60 % 60), (int)(sec % 60));
}

bool
wire_word_in(struct span list, struct span word)
{
	while (list.n) {
		size_t n = span_index(list, ' ');

		if (span_eq_case(span_of(list.p, n), word))
			return true;
		if (n == list.n)
			return false;
		list = span_of(list.p + n + 1, list.n - n - 1);
	}
	return false;
}

/* What is behind WORDS in TEXT, any case. */
static bool
behind(struct span text, const char *words, struct span *rest_r)
{
	struct span w = span_str(words);

	for (size_t i = 0; w.n <= text.n && i <= text.n - w.n; i++) {
		if (!span_eq_case(span_of(text.p + i, w.n), w))
			continue;
		*rest_r = span_of(text.p + i + w.n, text.n - i - w.n);
		return true;
	}
	return false;
}

bool
wire_throttled(struct span text, uint64_t *ms_r)
{
	static const char *const words[] = {"Suggested Backoff Time: ",
	    "Request is throttled", "[THROTTLED]",
	    "exceeded command or bandwidth limits",
	    "Too many simultaneous connections",
	    "Maximum number of connections"};
	struct span rest;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!behind(text, words[i], &rest))
			continue;
		rest.n = span_index(rest, ' ');
		if (i != 0 || !span_u64(rest, ms_r))
			*ms_r = 0;
		return true;
	}
	return false;
}

bool
wire_stands_in(struct span body)
{
	/* Courier, all versions */
	return span_eq(body,
	    SPAN("From: System Administrator <root@localhost>\r\n"
		 "Subject: message unavailable\r\n\r\n"
		 "This message is no longer available on the server.\r\n"));
}

bool
wire_denies(struct span text)
{
	struct span rest;

	return behind(text, "not exist", &rest) ||
	    behind(text, "n't exist", &rest);
}
