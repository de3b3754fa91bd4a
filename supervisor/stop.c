/*
 * stop.c - the order of a graceful stop: no new connections, jobs are handed back, the streams
 * end (every playlist gets its ENDLIST), then http and registry, which had the last viewers and events
 * to serve, then redis, which held what they wrote. Under 5 s with live streams: the
 * ladders of child_stop.c share one deadline.
 *
 * Runs on the loop by a short tick, because any child may die at any moment meanwhile.
 * Called by main.c (signals) and control.c (SHUTDOWN).
 */
#include <signal.h>

#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define STOP_TICK_MS 20
#define STOP_STREAMS_MS 3500	/* then what is left of the streams is told directly */
#define STOP_GIVE_UP_MS 8000	/* a process that not even SIGKILL ends (dead disk): leave it */

static enum { STAGE_STREAMS, STAGE_WORKERS, STAGE_REDIS } stage;
static struct event *tick;

static bool
streams_gone(void)
{
	return child_count(KIND_INGEST) == 0 && child_count(KIND_FINISH) == 0 &&
	    child_count(KIND_FFMPEG) == 0 && child_count(KIND_PUSH) == 0 && streams_all_ended();
}

static void
stop_workers(void)
{
	stage = STAGE_WORKERS;
	child_stop_kind(KIND_HTTP, "millraced stops");
	child_stop_kind(KIND_WEBRTC, "millraced stops");
	child_stop_kind(KIND_REGISTRY, "millraced stops");
	child_stop_kind(KIND_HOOKS, "millraced stops");
}

static void
stop_redis(void)
{
	stage = STAGE_REDIS;
	child_stop_kind(KIND_REDIS, "millraced stops");
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	int64_t spent = now_ms() - sv.stop_started_ms;

	if (stage == STAGE_STREAMS && spent > STOP_STREAMS_MS) {
		child_stop_kind(KIND_FINISH, "millraced stops");
		child_stop_kind(KIND_FFMPEG, "millraced stops");
		child_stop_kind(KIND_PUSH, "millraced stops");
	}
	if (stage == STAGE_STREAMS && (streams_gone() || spent > STOP_STREAMS_MS + 1000))
		stop_workers();
	if (stage == STAGE_WORKERS && child_count(KIND_HTTP) == 0 && child_count(KIND_REGISTRY) == 0 &&
	    child_count(KIND_JOBS) == 0 && child_count(KIND_WATCH) == 0 && child_count(KIND_HOOKS) == 0)
		stop_redis();
	if (child_none_left())
		event_base_loopbreak(sv.base);
	else if (spent > STOP_GIVE_UP_MS) {
		log_warnx("some processes do not end; leaving without them");
		event_base_loopbreak(sv.base);
	}
}

void
stop_begin(const char *why)
{
	struct timeval tv = { 0, STOP_TICK_MS * 1000 };

	if (sv.stopping)
		return;
	log_info("stopping: %s", why);
	notify_send("STOPPING=1");
	sv.stopping = true;
	sv.stop_started_ms = now_ms();
	accept_stop();
	spare_stop();
	streams_stop_all();
	child_stop_kind(KIND_INGEST, "millraced stops");
	child_stop_kind(KIND_WATCH, "millraced stops");
	child_stop_kind(KIND_JOBS, "millraced stops");
	tick = event_new(sv.base, -1, EV_PERSIST, tick_cb, NULL);
	if (tick == NULL)
		fatalx("out of memory");
	event_add(tick, &tv);
}

void
stop_done(void)
{
	if (tick != NULL)
		event_free(tick);
	tick = NULL;
}
