/*
 * child_work.c - the processes that are always wanted: redis (if embedded), registry, hooks,
 * http x N, jobs x J, and watch (if any folder is watched). Starts them, brings them back
 * after a death when backoff.c says so, follows their numbers at a reload, and looks once a
 * second for those that hang. Of webrtc there may be none. Spare ingests are spare.c's.
 *
 * An end that was asked for (a reload that needs fresh workers) is no failure: the
 * successor starts at once. A supervisor that was itself stopped or starved must not take
 * its own silence for its children's: after a late tick nobody is judged.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/child.h"
#include "util.h"

#define TICK_LATE_MS 4000
#define JOBS_MAX 64		/* of jobs.workers, however many cores */

static int64_t last_check_ms;
static int wanted_now[KIND_COUNT];	/* by the config: adjust() */

static int
jobs_wanted(void)
{
	int64_t n = conf_int(sv.conf, "jobs.workers");

	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	n = n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : n;
	/* the last ones are for pushes, which take as long as what they push */
	return (int)(n + conf_int(sv.conf, "jobs.pushes"));
}

static int
watch_wanted(void)
{
	return json_array_size(conf_get(sv.conf, "watch")) > 0;
}

/* Of those there may be several of. The ports it inherits go by its number. */
static void
start_worker(enum child_kind kind, int worker)
{
	char name[16];
	struct child *c;

	snprintf(name, sizeof(name), "%d", worker + 1);
	c = child_new(kind, name);
	c->worker = worker;
	child_relaunch(c);
}

static bool
place_taken(enum child_kind kind, int worker)
{
	const struct child *c;

	for (c = child_list; c != NULL; c = c->next)
		if (c->kind == kind && c->worker == worker)
			return true;
	return false;
}

/*
 * As many of a kind as the config wants: the highest numbers go, missing ones come. Who is still on
 * the way out for the reload before this one keeps its place, and its successor starts at its end.
 */
static void
adjust(enum child_kind kind, int want, const char *why)
{
	int i, missing = 0;
	struct child *c;

	wanted_now[kind] = want;
	for (c = child_list; c != NULL; c = c->next) {
		if (c->kind != kind)
			continue;
		c->wanted = c->worker < want;
		if (!c->wanted && c->state != CHILD_BACKOFF)
			child_stop(c, why);
	}
	for (i = 0; i < want; i++)
		missing += !place_taken(kind, i);
	if (missing > 0 && kind != KIND_WATCH)
		log_info("%d %s worker%s launched, %d in all", missing, child_kind_name(kind),
		    missing == 1 ? "" : "s", want);
	for (i = 0; i < want; i++)
		if (!place_taken(kind, i))
			start_worker(kind, i);
}

int
child_wanted(enum child_kind kind)
{
	return wanted_now[kind];
}

static void
adjust_all(void)
{
	if (sv.stopping)
		return;
	adjust(KIND_HTTP, (int)conf_int(sv.conf, "http.workers"), "http.workers is smaller now");
	adjust(KIND_JOBS, jobs_wanted(), "jobs.workers or jobs.pushes is smaller now");
	adjust(KIND_WEBRTC, (int)conf_int(sv.conf, "webrtc.workers"), "webrtc.workers is smaller now");
	adjust(KIND_WATCH, watch_wanted(), "no folder is watched any more");
}

void
child_start_workers(void)
{
	if (strcmp(conf_str(sv.conf, "redis.url"), "embedded") == 0)
		redis_start();
	child_start(KIND_REGISTRY, NULL);
	child_start(KIND_HOOKS, NULL);
	adjust_all();
}

static uint32_t
random_u32(void)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = (uint32_t)now_ms();	/* only a jitter */
	return r;
}

void
child_again(struct child *c, char *next, size_t size)
{
	int64_t lived = c->pid > 0 ? now_ms() - c->started_ms : 0, delay = 0;
	struct timeval tv;

	if (c->reason[0] != '\0')
		str_copy(c->last_death, c->reason, sizeof(c->last_death));
	else
		child_status_text(c->status, c->last_death, sizeof(c->last_death));
	if (c->asked)
		c->failures = 0;
	else {
		if (lived >= backoff_reset_ms(c->kind))
			c->failures = 0;
		if (backoff_counts(c->kind, c->ready_ms != 0, lived))
			c->failures++;
		delay = backoff_delay_ms(c->kind, c->failures, random_u32());
		c->restarts++;
	}
	c->state = CHILD_BACKOFF;
	c->again_ms = now_ms() + delay;
	tv = (struct timeval){ delay / 1000, delay % 1000 * 1000 };
	evtimer_add(c->timer, &tv);
	if (delay == 0)
		str_copy(next, "its successor starts now", size);
	else
		snprintf(next, size, "again in %.1f s", (double)delay / 1000);
}

int
child_backoff_ms(const struct child *c)
{
	int64_t left = c->again_ms - now_ms();

	return c->state == CHILD_BACKOFF && left > 0 ? (int)left : 0;
}

void
child_relaunch(struct child *c)
{
	int rc = c->kind == KIND_REDIS ? redis_launch(c) : child_launch(c);
	char next[64];

	if (rc == 0)
		return;
	if (c->kind != KIND_REDIS)
		snprintf(c->reason, sizeof(c->reason), "cannot start: %s", strerror(errno));
	c->asked = false;
	c->started_ms = now_ms();
	c->ready_ms = 0;
	child_again(c, next, sizeof(next));
	log_warnx("%s: %s; %s", child_kind_name(c->kind), c->reason, next);
}

/* What was in backoff when its place was abolished has no process that could end. */
static void
drop_unwanted(void)
{
	struct child *c, *next;

	for (c = child_list; c != NULL; c = next) {
		next = c->next;
		if (c->state == CHILD_BACKOFF && !c->wanted)
			child_free(c);
	}
}

void
child_send_config(void)
{
	struct child *c;
	int fd;

	child_config_reset();
	for (c = child_list; c != NULL; c = c->next) {
		if (c->control == NULL || c->state == CHILD_STOPPING)
			continue;
		fd = child_config_fd(c->kind);
		if (fd == -1 || msg_send(c->control, MSG_CONFIG, 0, NULL, &fd, 1) == -1)
			log_warn("%s (pid %d) keeps its old config", child_kind_name(c->kind),
			    (int)c->pid);
	}
	spare_renew();
	adjust_all();
	drop_unwanted();
}

static void
check(struct child *c, int64_t now)
{
	int64_t beat, stuck;
	char reason[120];

	if (c->control == NULL || c->state == CHILD_BACKOFF || c->reaped)
		return;
	stuck = msg_chan_stuck_ms(c->control);
	if (stuck > PROTO_HUNG_MS) {
		snprintf(reason, sizeof(reason), "has not read its messages for %.1f s (hung?)",
		    (double)stuck / 1000);
		child_kill(c, reason);
		return;
	}
	beat = __atomic_load_n(&c->page->beat_ms, __ATOMIC_RELAXED);
	if (c->state == CHILD_READY && beat != 0 && now - beat > PROTO_BEAT_DEAD_MS) {
		snprintf(reason, sizeof(reason), "no heartbeat for %.1f s (hung?)",
		    (double)(now - beat) / 1000);
		child_kill(c, reason);
	}
}

void
child_check_all(void)
{
	int64_t now = now_ms();
	bool late = last_check_ms != 0 && now - last_check_ms > TICK_LATE_MS;
	struct child *c;

	last_check_ms = now;
	if (late) {
		log_warnx("millraced itself was held up for some seconds; no child is judged now");
		return;
	}
	for (c = child_list; c != NULL; c = c->next)
		check(c, now);
}
