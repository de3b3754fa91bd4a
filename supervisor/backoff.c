/*
 * backoff.c - when a process that died is started again: one table, three pure functions.
 *
 * Nothing else in the tree computes a delay. No clock, no randomness and no logging in
 * here: the caller brings the number of failures in a row, how long the process lived and
 * a random number, so every row of the table can be tested.
 *
 * A publisher's ingest is never started again: its client is gone, and an attacker who
 * crashes his own ingest must throttle nobody else. Viewers wait for an http worker, so that
 * one never stays away long. The target of a push is somebody else's: it may be back at any time.
 *
 * Called by child_work.c (workers, redis), output.c (ffmpeg) and streams.c (finish).
 */
#include "supervisor/supervisor.h"

struct policy {
	int64_t first_ms;	/* doubled with every failure; 0 = never again */
	int64_t max_ms;
	unsigned jitter_percent;	/* so that many hosts do not knock at once */
	unsigned give_up;	/* failures in a row after which to stop trying, 0 = never */
	int64_t short_ms;	/* a life below this counts as a failure, READY or not */
	int64_t reset_ms;	/* a life above this forgives everything */
};

#define WORKER { 500, 30000, 20, 0, 10000, 60000 }

static const struct policy policies[KIND_COUNT] = {
	[KIND_HTTP] = { 250, 2000, 20, 0, 10000, 60000 },
	[KIND_WEBRTC] = { 250, 2000, 20, 0, 10000, 60000 },
	[KIND_REGISTRY] = WORKER,
	[KIND_REDIS] = WORKER,
	[KIND_FINISH] = WORKER,
	[KIND_JOBS] = WORKER,
	[KIND_WATCH] = WORKER,
	[KIND_HOOKS] = WORKER,
	[KIND_INGEST] = { 0, 0, 0, 0, 0, 0 },
	[KIND_FFMPEG] = { 500, 8000, 0, 5, 30000, 30000 },
	[KIND_PUSH] = { 1000, 30000, 20, 0, 60000, 60000 },
};

int64_t
backoff_delay_ms(enum child_kind kind, unsigned failures, uint32_t random)
{
	const struct policy *p = &policies[kind];
	int64_t delay = p->first_ms, swing;
	unsigned i;

	if (p->first_ms == 0 || (p->give_up != 0 && failures > p->give_up))
		return -1;
	for (i = 1; i < failures && delay < p->max_ms; i++)
		delay *= 2;
	if (delay > p->max_ms)
		delay = p->max_ms;
	swing = delay * p->jitter_percent / 100;
	return delay - swing + (swing > 0 ? (int64_t)(random % (2 * swing + 1)) : 0);
}

bool
backoff_counts(enum child_kind kind, bool was_ready, int64_t lived_ms)
{
	return !was_ready || lived_ms < policies[kind].short_ms;
}

int64_t
backoff_reset_ms(enum child_kind kind)
{
	return policies[kind].reset_ms;
}
