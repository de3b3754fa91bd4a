/*
 * queue_tend.c - housekeeping of the queue: what is due goes back into its stream, and so
 * does what nobody works on any more: its lease has run out, or its worker was a process of
 * this host that is gone (known within a second, without waiting for the lease).
 *
 * A worker is named HOST_ID:PID:START with the process' start time, so a pid that was given
 * to another process is not taken for it. Called by worker 0 of the jobs each second.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "util.h"
#include "workers/common/queue_parts.h"
#include "workers/common/queue_scripts.h"

#define GAP_MS 5000		/* nobody tended for so long: Redis was away */
#define GONE_MAX 32		/* of one call */

struct tend {
	struct queue *q;
	queue_cb cb;
	void *ctx;
	bool again;		/* after this one there is none: what is left waits a second */
};

static void send_tend(struct tend *t, const json_t *gone);

static bool
is_gone(const char *worker)
{
	const char *start = strrchr(worker, ':'), *pid = start;
	uint64_t ticks;

	while (pid && pid > worker && pid[-1] != ':')
		pid--;
	if (!start || pid == worker)
		return false;
	ticks = board_start_ticks(atoi(pid));
	if (ticks == 0)		/* or /proc could not be read now */
		return kill(atoi(pid), 0) < 0 && errno == ESRCH;
	return ticks != strtoull(start + 1, NULL, 10);
}

static void
note_stats(struct queue *q, const json_t *reply)
{
	struct queue_stats *s = &q->stats;

	s->running = queue_int(reply, 1);
	s->delayed = queue_int(reply, 2);
	s->dead = queue_int(reply, 3);
	s->done = queue_int(reply, 4);
	s->queued = queue_int(reply, 0) - s->running - s->delayed;
	s->refused = queue_int(reply, 5);
	s->oldest_ms = queue_int(reply, 6);
}

/* [id, epoch, ...] of this host's jobs whose worker is no more. */
static json_t *
find_gone(const json_t *reply)
{
	json_t *gone = json_array();

	for (size_t i = 7; i + 2 < json_array_size(reply) && json_array_size(gone) < 2 * GONE_MAX; i += 3)
		if (is_gone(queue_str(reply, i + 2))) {
			json_array_append(gone, json_array_get(reply, i));
			json_array_append(gone, json_array_get(reply, i + 1));
		}
	return gone;
}

static void
tended_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct tend *t = ctx;
	json_t *gone;

	if (rc == 0) {
		note_stats(t->q, reply);
		gone = t->again ? NULL : find_gone(reply);
		if (json_array_size(gone) > 0) {
			t->again = true;
			send_tend(t, gone);
			json_decref(gone);
			return;
		}
		json_decref(gone);
	}
	if (t->cb)
		t->cb(rc, error, t->ctx);
	free(t);
}

static void
send_tend(struct tend *t, const json_t *gone)
{
	struct queue *q = t->q;
	const struct queue_limits *l = &q->limits;
	char lease[QUEUE_NUMBER], gap[QUEUE_NUMBER], crashes[QUEUE_NUMBER], least[QUEUE_NUMBER];
	char most[QUEUE_NUMBER], random[QUEUE_NUMBER];
	const char *argv[10 + 2 * GONE_MAX] = {
		q->keys, q->prefix, q->host_id, queue_number(l->lease_ms, lease), queue_number(GAP_MS, gap),
		queue_number(l->crashes, crashes), queue_number(l->retry_min_ms, least),
		queue_number(l->retry_max_ms, most), queue_random(random), q->host_name,
	};
	size_t n = json_array_size(gone);

	for (size_t i = 0; i < n; i++)
		argv[10 + i] = queue_str(gone, i);
	queue_batch_send(q);	/* in the order in which it was asked */
	redis_run(q->r, &queue_script_tend, 1, 10 + (int)n, argv, tended_cb, t);
}

void
queue_tend(struct queue *q, queue_cb cb, void *ctx)
{
	struct tend *t = xcalloc(1, sizeof *t);

	*t = (struct tend){ .q = q, .cb = cb, .ctx = ctx };
	send_tend(t, NULL);
}

const struct queue_stats *
queue_stats(const struct queue *q)
{
	return &q->stats;
}
