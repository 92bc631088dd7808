#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t
clock_mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec;
}

int64_t
clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return clock_ns(t.tv_sec, t.tv_nsec);
}

int64_t
clock_ns(int64_t s, int64_t ns)
{
	const int64_t in_s = 1000000000;

	if (s >= INT64_MAX / in_s)
		return INT64_MAX;
	if (s <= INT64_MIN / in_s)
		return INT64_MIN;
	return s * in_s + ns;
}

static void
format(const struct tm *tm, const char *zone, char *out, size_t n)
{
	snprintf(out, n, "%04ld-%02d-%02d %02d:%02d:%02d%s",
	    tm->tm_year + 1900L, tm->tm_mon + 1, tm->tm_mday, tm->tm_hour,
	    tm->tm_min, tm->tm_sec, zone);
}

void
clock_format(int64_t wall_s, char *out, size_t n)
{
	time_t t = (time_t)wall_s;
	struct tm tm = {0};

	localtime_r(&t, &tm);
	format(&tm, "", out, n);
}

void
clock_format_utc(int64_t wall_s, char *out, size_t n)
{
	time_t t = (time_t)wall_s;
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	format(&tm, "Z", out, n);
}
