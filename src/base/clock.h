/*
 * clock: the only place that asks what time it is.  Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void); /* monotonic milliseconds; for deadlines */
int64_t clock_wall_s(void);  /* seconds since 1970 UTC */
int64_t clock_wall_ns(void); /* nanoseconds since 1970 UTC */
/* As one number; what a file may show and does not fit is INT64_MIN or _MAX. */
int64_t clock_ns(int64_t s, int64_t ns);

/* "2026-11-23 08:45:59" in local time, or in UTC with a Z; 32 bytes do. */
void clock_format(int64_t wall_s, char *out, size_t n);
void clock_format_utc(int64_t wall_s, char *out, size_t n);

#endif
