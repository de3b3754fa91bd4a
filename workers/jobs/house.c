/*
 * house.c - what the first worker of a host does besides: each second it tends the queue and
 * shows its figures on the board; each jobs.scan, and when Redis is back, it looks on the disk
 * for work that no job is known of, and deletes old recordings. The others tend the queue, too,
 * but seldom: should the first one hang, the jobs of the dead are still found.
 *
 * Nothing in here may take long, for this worker runs jobs, too: the walk over the disk is a
 * thread's, and what it found goes to Redis bit by bit. Called by main.c and link.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "conf.h"
#include "log.h"
#include "slow.h"
#include "util.h"
#include "workers/jobs/found.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/intake_scan.h"
#include "workers/jobs/jobs.h"
#include "workers/jobs/keep.h"
#include "workers/jobs/keep_tell.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/upload_tidy.h"

#define HOUSE_MS 1000
#define MARKS_MS 3600000	/* all of them are read: seldom */
#define OTHERS_UP_MS 1000	/* behind their longest wait for Redis */
#define OTHERS_MS 4000	/* less than what queue_tend.c takes for a Redis that was away */

static struct event *tick;
static bool tending;
static bool redis_is_new;		/* it may have forgotten everything */
static int64_t wait_until_ms;		/* before that no look */

/* A look on the disk; the thread's while slow is set. */
struct look {
	struct tree *tree;
	struct keep_round *keep;	/* NULL: nothing has to go */
	struct frames_look *frames;
	struct intake_look *intake;
	bool again;			/* Redis may have forgotten */
	bool marks;			/* are looked through, too */
};
static struct slow *looking;
static int64_t looked_ms = INT64_MIN / 2;
static struct tree *tree;		/* of the last look */
static int64_t marks_ms = INT64_MIN / 2;
static bool marks_are_told;		/* those whose recording is gone, once */

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
		p->jobs.refused = s->refused;
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
look_free(void *ctx)
{
	struct look *k = ctx;

	tree_free(&k->tree);
	keep_free(&k->keep);
	frames_look_free(&k->frames);
	intake_look_free(&k->intake);
	free(k);
}

static int
look_work(void *ctx)
{
	struct look *k = ctx;

	tree_walk(k->tree);
	if (k->keep)
		keep_work(k->keep, k->tree);
	upload_tidy(k->tree->data_dir, k->marks);
	frames_look_work(k->frames);
	intake_look_work(k->intake);
	return 0;
}

static void
looked_cb(int rc, void *ctx)
{
	struct look *k = ctx;

	looking = NULL;
	tree = k->tree;
	k->tree = NULL;
	if (k->keep)
		keep_say(k->keep, tree);
	for (size_t i = 0; i < tree->nlost; i++)
		keep_note_lost(tree->lost[i]);
	if (tree->orphans)
		marks_are_told = true;
	if (redis_is_up(jw.redis)) {
		frames_scan(jw.svc, jw.queue, k->frames);
		intake_scan(jw.svc, jw.queue, k->intake);
		keep_tell(jw.svc, jw.ledger);
		found_start(jw.svc, jw.queue, jw.ledger, tree, k->again);
	} else
		redis_is_new |= k->again;
	look_free(k);
}

static void
look(void)
{
	struct look *k = xcalloc(1, sizeof *k);

	looked_ms = now_ms();
	k->keep = keep_begin(jw.svc);
	k->again = redis_is_new || found_was_cut_short();
	redis_is_new = false;
	k->frames = frames_look_new(jw.svc);
	k->intake = intake_look_new(conf_str(jw.svc->conf, "data_dir"), conf_int(jw.svc->conf, "upload.keep"),
	    conf_int(jw.svc->conf, "upload.expire"));
	k->tree = tree_new(jw.svc);
	k->tree->recordings = k->keep != NULL || k->again || upload_wanted(jw.svc);
	k->tree->texts = k->again;
	k->tree->orphans = !marks_are_told;
	k->marks = looked_ms - marks_ms >= MARKS_MS;
	if (k->marks)
		marks_ms = looked_ms;
	k->tree->before = tree;
	tree = NULL;
	looking = slow_run(jw.svc->base, look_work, looked_cb, k);
	if (looking)
		return;
	log_warn("no thread to look on the disk; tried again in %lld s",
	    (long long)conf_int(jw.svc->conf, "jobs.scan") / 1000);
	redis_is_new = k->again;
	look_free(k);
}

static bool
look_is_due(void)
{
	if (jw.worker != 0 || looking || found_is_busy() || now_ms() < wait_until_ms)
		return false;
	return (redis_is_new && redis_is_up(jw.redis)) || now_ms() - looked_ms >= conf_int(jw.svc->conf, "jobs.scan");
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (jw.stopping)
		return;
	if (look_is_due())
		look();
	if (!redis_is_up(jw.redis) || tending)
		return;
	tending = true;
	queue_tend(jw.queue, tended_cb, NULL);
	if (jw.worker == 0)
		unpark_tick();
}

void
house_up(void)
{
	static bool before;

	/* the other workers first say what they are at, or it would be found a second time */
	wait_until_ms = before ? now_ms() + conf_int(jw.svc->conf, "redis.retry_max") + OTHERS_UP_MS : 0;
	before = true;
	redis_is_new = true;
	if (tick && !jw.stopping && look_is_due())
		look();
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
	found_stop();
	if (looking)
		slow_forget(&looking, look_free);
	tree_free(&tree);
}
