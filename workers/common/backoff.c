/*
 * backoff.c - the waits between tries (contract in backoff.h). Pure. Called by redis_life.c and hooks' deliver.c.
 */
#include "workers/common/backoff.h"

int64_t
backoff_ms(unsigned failures, int64_t min_ms, int64_t max_ms, uint32_t random)
{
	int64_t ms = min_ms;

	while (failures-- > 1 && ms < max_ms)
		ms *= 2;
	if (ms > max_ms)
		ms = max_ms;
	return ms * 4 / 5 + ms * 2 / 5 * (random % 1024) / 1024;
}
