/*
 * s3_rate.c - a token bucket of a tenth of a second: bursts stay short, and a limit of a few
 * KiB a second still moves. Called by s3_call.c before it hands bytes to libcurl. Pure.
 */
#include "s3_rate.h"

#define SEC_US 1000000
#define BURST_MIN 4096

static int64_t
burst(const struct s3_rate *r)
{
	return r->per_sec / 10 < BURST_MIN ? BURST_MIN : r->per_sec / 10;
}

void
s3_rate_set(struct s3_rate *r, int64_t per_sec, int64_t now_us)
{
	r->per_sec = per_sec;
	r->credit = 0;
	r->filled_us = now_us;
}

static void
fill(struct s3_rate *r, int64_t now_us)
{
	int64_t full = burst(r) * SEC_US, passed = now_us - r->filled_us;

	r->filled_us = now_us;
	if (passed > full / r->per_sec)
		r->credit = full;
	else if (passed > 0)
		r->credit = r->credit + passed * r->per_sec > full ? full : r->credit + passed * r->per_sec;
}

size_t
s3_rate_take(struct s3_rate *r, size_t want, int64_t now_us)
{
	size_t n;

	if (r->per_sec <= 0)
		return want;
	fill(r, now_us);
	n = (size_t)(r->credit / SEC_US);
	n = n < want ? n : want;
	r->credit -= (int64_t)n * SEC_US;
	return n;
}

int64_t
s3_rate_wait_ms(const struct s3_rate *r)
{
	int64_t ms = r->per_sec <= 0 ? 1 : burst(r) / 2 * 1000 / r->per_sec;

	return ms < 1 ? 1 : ms;
}
