/*
 * child_stop.c - ending a process in bounded time: ladders of signals, as tables.
 *
 * Our own programs are asked by STOP, then told by SIGTERM, then killed. ffmpeg is stopped
 * by the end of its stdin, which its owner closes before or while child_stop() is called;
 * one SIGTERM does nothing to an idle or hung one, so it gets two. While millraced itself
 * stops, the ladders are short and share one deadline: the whole stop takes under 5 s.
 *
 * Called by whoever has a reason (streams.c, output.c, route.c, accept.c, stop.c).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "log.h"
#include "supervisor/child.h"
#include "util.h"

#define RUNG_STOP 0	/* not a signal: the STOP message */
#define RUNG_WAIT (-1)	/* nothing to do: somebody else closed its stdin */

struct rung { int after_ms, signal; };	/* after the rung before it */

#define RUNGS 4
static const struct rung ladder_own[RUNGS] = { { 0, RUNG_STOP }, { 10000, SIGTERM },
	{ 5000, SIGKILL }, { 0, 0 } };
static const struct rung ladder_ffmpeg[RUNGS] = { { 0, RUNG_WAIT }, { 2000, SIGTERM },
	{ 200, SIGTERM }, { 1000, SIGKILL } };
/* The end of its stdin lets it send the rest, and tell the target that the stream is over. */
static const struct rung ladder_push[RUNGS] = { { 0, RUNG_WAIT }, { 10000, SIGTERM },
	{ 200, SIGTERM }, { 1000, SIGKILL } };
static const struct rung ladder_redis[RUNGS] = { { 0, SIGTERM }, { 5000, SIGKILL }, { 0, 0 },
	{ 0, 0 } };

/* While millraced stops: when, after the beginning, the second and third rung come at the latest. */
#define HURRY_TERM_MS 3000
#define HURRY_KILL_MS 4000
#define HURRY_LEAST_MS 250	/* but everybody gets this much */

static const struct rung *
ladder_of(const struct child *c)
{
	if (c->kind == KIND_FFMPEG || (c->kind == KIND_PUSH && c->stuck))
		return ladder_ffmpeg;
	if (c->kind == KIND_PUSH)
		return ladder_push;
	return c->kind == KIND_REDIS ? ladder_redis : ladder_own;
}

/* How long to wait before rung i; -1 = there is none. */
static int
delay_before(const struct child *c, int i)
{
	const struct rung *ladder = ladder_of(c);
	int64_t left;

	if (i >= RUNGS || ladder[i].after_ms == 0)
		return -1;
	if (!sv.stopping)
		return ladder[i].after_ms;
	left = sv.stop_started_ms - now_ms();
	left += ladder[i].signal == SIGKILL ? HURRY_KILL_MS : HURRY_TERM_MS;
	if (left > ladder[i].after_ms)
		left = ladder[i].after_ms;
	return left < HURRY_LEAST_MS ? HURRY_LEAST_MS : (int)left;
}

static void
arm(struct child *c)
{
	int ms = delay_before(c, c->stop_rung);
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ms != -1)
		evtimer_add(c->timer, &tv);
	else
		evtimer_del(c->timer);
}

/* ESRCH: dead and not reaped yet, or (an adopted redis) reaped by its own parent. */
static void
send_signal(struct child *c, int sig)
{
	if (c->pid > 0 && !c->reaped && kill(c->pid, sig) == -1 && errno != ESRCH)
		log_warn("cannot signal %s (pid %d)", child_kind_name(c->kind), (int)c->pid);
}

static void
send_stop(struct child *c)
{
	json_t *body;

	if (c->control == NULL)
		return;
	body = json_pack("{s:o, s:i, s:b}", "reason", msg_text(c->reason, strlen(c->reason)),
	    "grace_ms", delay_before(c, 1), "endlist", sv.stopping && c->kind == KIND_INGEST);
	if (msg_send(c->control, MSG_STOP, 0, body, NULL, 0) == -1)
		log_debug("%s (pid %d) takes no STOP; a signal follows", child_kind_name(c->kind),
		    (int)c->pid);
}

void
child_stop_timer(struct child *c)
{
	const struct rung *r;

	if (c->stop_rung >= RUNGS)
		return;
	r = &ladder_of(c)[c->stop_rung];
	if (c->stop_rung > 0)
		log_debug("%s (pid %d) has not ended: signal %d", child_kind_name(c->kind),
		    (int)c->pid, r->signal);
	if (r->signal == RUNG_STOP)
		send_stop(c);
	else if (r->signal != RUNG_WAIT)
		send_signal(c, r->signal);
	c->stop_rung++;
	arm(c);
}

void
child_stop(struct child *c, const char *reason)
{
	if (c->state == CHILD_STOPPING || c->state == CHILD_BACKOFF)
		return;
	c->state = CHILD_STOPPING;
	c->asked = true;
	str_copy(c->reason, reason, sizeof(c->reason));
	c->stop_rung = 0;
	child_stop_timer(c);
}

void
child_kill(struct child *c, const char *reason)
{
	if (c->state == CHILD_BACKOFF || c->reaped)
		return;
	c->state = CHILD_STOPPING;
	c->stop_rung = RUNGS;
	evtimer_del(c->timer);
	str_copy(c->reason, reason, sizeof(c->reason));
	send_signal(c, SIGKILL);
}

void
child_stop_kind(enum child_kind kind, const char *reason)
{
	struct child *c, *next;

	for (c = child_list; c != NULL; c = next) {
		next = c->next;
		if (c->kind != kind)
			continue;
		if (c->state == CHILD_BACKOFF && sv.stopping)
			child_free(c);
		else if (c->state != CHILD_STOPPING)
			child_stop(c, reason);
		else if (sv.stopping && !c->hurried) {	/* its ladder began at leisure */
			c->hurried = true;
			arm(c);
		}
	}
}
