/* s3_rate.h - a token bucket: so many bytes a second of all who share it, processes too. Pure. */
#ifndef MILLRACE_S3_RATE_H
#define MILLRACE_S3_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3_rate {
	int64_t per_sec;	/* 0 = no limit */
	int64_t *spent_ns;	/* the time until which it is spent: own_ns, or what others share */
	int64_t own_ns;
};

/* shared: of all with this limit, on one clock, 0 at first; outlives r. NULL: r is alone. r may not be moved. */
void s3_rate_set(struct s3_rate *r, int64_t per_sec, int64_t *shared, int64_t now_us);
/* How many of `want` bytes may go now; they are taken. */
size_t s3_rate_take(struct s3_rate *r, size_t want, int64_t now_us);
/* Until s3_rate_take() gives a worthwhile number again, ms, at least 1. */
int64_t s3_rate_wait_ms(const struct s3_rate *r);
#endif
