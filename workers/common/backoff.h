/* backoff.h - when a worker tries again what failed: a connection to Redis, a webhook's request. Pure. */
#ifndef MILLRACE_BACKOFF_H
#define MILLRACE_BACKOFF_H

#include <stdint.h>

/* After `failures` in a row (1 and more): min, 2 min, .. max, +-20 % by random. */
int64_t backoff_ms(unsigned failures, int64_t min_ms, int64_t max_ms, uint32_t random);
#endif
