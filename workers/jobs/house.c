/*
 * house.c - what the first worker of a host does besides: each second it tends the queue and
 * shows its figures on the board; each jobs.scan, and when Redis is back, it looks on the disk
 * for work that no job is known of, and deletes old recordings. The others tend the queue, too,
 * but seldom: should the first one hang, the jobs of the dead are still found.
 *
 * Nothing in here may take long: this worker runs jobs, too. Called by main.c and link.c.
 */
#include <errno.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/intake_scan.h"
#include "workers/jobs/jobs.h"
#include "workers/jobs/keep.h"
#include "workers/jobs/upload_kind.h"

#define HOUSE_MS 1000
#define OTHERS_UP_MS 1000	/* behind their longest wait for Redis */
#define OTHERS_MS 4000	/* less than what queue_tend.c takes for a Redis that was away */

static struct event *tick;
static bool tending;
static int64_t scanned_ms, kept_ms;
static bool redis_is_new;		/* it may have forgotten everything */

static void
tended_cb(int rc, const char *error, void *ctx)
{
	const struct queue_stats *s = queue_stats(jw.queue);
	struct board_page *p = jw.svc->page;
	static bool said;

	tending = false;
	if (rc == 0 && jw.worker == 0) {
		board_begin(&p->seq);
		p->jobs.queue_ms = now_ms();
		p->jobs.queued = s->queued;
		p->jobs.running = s->running;
		p->jobs.delayed = s->delayed;
		p->jobs.dead = s->dead;
		p->jobs.oldest_ms = s->oldest_ms;
		board_end(&p->seq);
	}
	if (rc == 0)
		said = false;
	else if (rc == EIO && !said) {
		said = true;
		log_warnx("Redis refuses to have the queue tended: %s; tried again each second", error);
	}
}

static void
scan(void)
{
	scanned_ms = now_ms();
	finalise_scan(jw.svc, jw.queue);
	frames_scan(jw.svc, jw.queue);
	intake_scan(jw.svc, jw.queue);
	upload_scan(jw.svc, jw.queue, jw.ledger, redis_is_new);
	redis_is_new = false;
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (jw.stopping)
		return;
	if (jw.worker == 0 && now_ms() - kept_ms >= conf_int(jw.svc->conf, "jobs.scan")) {
		kept_ms = now_ms();
		keep_run(jw.svc, jw.ledger, redis_is_up(jw.redis));
	}
	if (!redis_is_up(jw.redis))
		return;
	if (!tending) {
		tending = true;
		queue_tend(jw.queue, tended_cb, NULL);
	}
	if (jw.worker == 0 && now_ms() - scanned_ms >= conf_int(jw.svc->conf, "jobs.scan"))
		scan();
}

void
house_up(void)
{
	static bool before;

	redis_is_new = true;
	if (!tick || jw.worker != 0 || jw.stopping)
		return;
	if (!before)
		scan();
	else	/* the other workers first say what they are at, or it would be found a second time */
		scanned_ms = now_ms() - conf_int(jw.svc->conf, "jobs.scan") +
		    conf_int(jw.svc->conf, "redis.retry_max") + OTHERS_UP_MS;
	before = true;
}

void
house_start(void)
{
	int ms = jw.worker == 0 ? HOUSE_MS : OTHERS_MS;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	tick = event_new(jw.svc->base, -1, EV_PERSIST, tick_cb, NULL);
	if (!tick || event_add(tick, &tv) < 0)
		fatalx("out of memory");
}

void
house_free(void)
{
	if (tick)
		event_free(tick);
	tick = NULL;
}
