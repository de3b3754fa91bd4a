/*
 * s3_rate.c - a token bucket of a tenth of a second: bursts stay short, and a limit of a few
 * KiB a second still moves. All that is kept is a time, until which the bandwidth is spent: so
 * processes can share it without a lock, and one that dies takes nothing with it. Called by
 * s3_request.c before it hands bytes to libcurl. Pure.
 */
#include "s3_rate.h"

#define SEC_NS UINT64_C(1000000000)
#define BURST_MIN 4096
#define CRUMBS 16	/* to a burst */

static uint64_t
burst(const struct s3_rate *r)
{
	return r->per_sec / 10 < BURST_MIN ? BURST_MIN : (uint64_t)r->per_sec / 10;
}

void
s3_rate_set(struct s3_rate *r, int64_t per_sec, int64_t *shared, int64_t now_us)
{
	r->per_sec = per_sec;
	r->own_ns = now_us * 1000;
	r->spent_ns = shared != NULL ? shared : &r->own_ns;
}

size_t
s3_rate_take(struct s3_rate *r, size_t want, int64_t now_us)
{
	uint64_t rate = (uint64_t)r->per_sec, n;
	int64_t now = now_us * 1000, was, from, oldest;

	if (r->per_sec <= 0)
		return want;
	oldest = now - (int64_t)(burst(r) * SEC_NS / rate);
	was = __atomic_load_n(r->spent_ns, __ATOMIC_RELAXED);
	do {
		/* Far in the future: of before a reboot. */
		from = was < oldest || was > now + (int64_t)SEC_NS ? oldest : was;
		n = from < now ? (uint64_t)(now - from) * rate / SEC_NS : 0;
		/* Who takes each crumb as it falls leaves none to those who wait. */
		if (n < want && n < burst(r) / CRUMBS)
			return 0;
		n = n < want ? n : want;
		from += (int64_t)((n * SEC_NS + rate - 1) / rate);
	} while (!__atomic_compare_exchange_n(r->spent_ns, &was, from, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (size_t)n;
}

int64_t
s3_rate_wait_ms(const struct s3_rate *r)
{
	int64_t ms = r->per_sec <= 0 ? 1 : (int64_t)burst(r) / 2 * 1000 / r->per_sec;

	return ms < 1 ? 1 : ms;
}
