/*
 * output.c - ffmpeg children on behalf of ingests: SPAWN asks for one, SPAWNED hands over
 * the ends of its stdin, stderr and segment list, EXITED says that it is gone.
 *
 * The supervisor starts them, because only it spawns, and only it knows when again; it
 * keeps no end of theirs: media goes from the ingest straight into ffmpeg. Whether one is
 * stuck is judged by its owner (OUTPUT_DOWN). One that ends unasked has failed, unless it
 * listed segments and exited with 0. One that lists segments is never given up: it may be
 * killed again and again, but it works. A push (output_push.c) is never given up either.
 * One for webrtc is forgotten when it is not wanted any more.
 *
 * Called by route.c (SPAWN, OUTPUT_DOWN), child.c (deaths), report.c and streams (figures).
 */
#include "supervisor/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define OUTPUTS_PER_OWNER BOARD_OUTPUTS
#define NO_SPACE_RETRY_MS 1000
#define ORPHAN_POLL_MS 250
#define SHORT_LIFE_MS 2000	/* new headers more often than that wait a little */
#define SPACE_MIN_BYTES (4 << 20)

struct output *output_list;

static void launch(struct output *o);

/* It makes no segments, and is nobody's when its owner says stop. */
static bool
comes_and_goes(const struct output *o)
{
	return o->wish.kind->push || o->wish.kind->webrtc;
}

static struct output *
output_find(const struct child *owner, const char *name)
{
	struct output *o;

	for (o = output_list; o != NULL; o = o->next)
		if (o->owner == owner && strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static void
output_free(struct output **op)
{
	struct output *o = *op, **p;

	for (p = &output_list; *p != NULL; p = &(*p)->next)
		if (*p == o) {
			*p = o->next;
			break;
		}
	event_free(o->timer);
	json_decref(o->params);
	free(o);
	*op = NULL;
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	launch(ctx);
}

static struct output *
output_new(struct child *owner, const char *name)
{
	struct output *o;
	unsigned n = 0;

	for (o = output_list; o != NULL; o = o->next)
		n += o->owner == owner;
	if (n >= OUTPUTS_PER_OWNER || strlen(name) >= sizeof(o->name))
		return NULL;
	o = xcalloc(1, sizeof(*o));
	o->owner = owner;
	str_copy(o->name, name, sizeof(o->name));
	o->timer = evtimer_new(sv.base, timer_cb, o);
	if (o->timer == NULL)
		fatalx("out of memory");
	o->next = output_list;
	output_list = o;
	return o;
}

static void
launch_in(struct output *o, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(o->timer, &tv);
}

static void
schedule(struct output *o)
{
	int64_t now = now_ms(), wait = output_stagger_ms(now);

	if (o->due_ms - now > wait)
		wait = o->due_ms - now;
	if (wait == 0)
		launch(o);
	else
		launch_in(o, wait);
}

static bool
disk_is_full(void)
{
	int64_t left = disk_free_bytes(conf_str(sv.conf, "data_dir"));

	return left != -1 && left < SPACE_MIN_BYTES;
}

static void
say_exited(struct output *o, pid_t pid, int status, int64_t retry_ms)
{
	json_t *body = json_pack("{s:s, s:i, s:i, s:i, s:I, s:o}", "output", o->name, "pid",
	    (int)pid, "code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0, "retry_ms", (json_int_t)retry_ms,
	    "reason", msg_text(o->reason, strlen(o->reason)));

	if (o->owner == NULL || o->owner->control == NULL)
		json_decref(body);
	else if (msg_send(o->owner->control, MSG_EXITED, 0, body, NULL, 0) == -1)
		log_warn("the ingest of %s does not hear that its %s is gone", o->owner->name,
		    o->name);
}

static void
give_up(struct output *o)
{
	o->state = OUTPUT_FAILED;
	log_warnx("output %s of %s has failed %u times in a row%s: given up (%s)", o->name, o->owner->name,
	    o->failures, comes_and_goes(o) ? "" : " without a segment", o->reason);
	hook_error(o->owner->stream, HOOK_ERROR_OUTPUT, o->name, o->reason);
}

/* It ended unasked: when again? -1 = never. */
static int64_t
after_failure(struct output *o, int64_t lived_ms)
{
	enum child_kind policy = o->wish.kind->child;
	uint64_t segments = output_segments(o->owner);
	uint32_t random = 0;

	if (!comes_and_goes(o) && disk_is_full()) {
		str_copy(o->reason, "no space left on the disk", sizeof(o->reason));
		return NO_SPACE_RETRY_MS;
	}
	if (lived_ms >= backoff_reset_ms(policy) || (!comes_and_goes(o) && segments > o->segments))
		o->failures = 0;
	o->failures++;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == -1)
		random = 0;	/* only spreads the tries */
	return backoff_delay_ms(policy, o->failures, random);
}

/* The process (if it ever was one) is gone and was not told to go. */
static void
failed(struct output *o, pid_t pid, int status, int64_t lived_ms)
{
	int64_t retry_ms = after_failure(o, lived_ms);

	o->restarts++;
	if (retry_ms == -1)
		give_up(o);
	else {
		o->state = OUTPUT_BACKOFF;
		o->due_ms = now_ms() + retry_ms;
	}
	say_exited(o, pid, status, retry_ms);
}

static void
say_spawned(struct output *o, const int ours[OUTPUT_FDS])
{
	json_t *body = json_pack("{s:s, s:i, s:o}", "output", o->name, "pid", (int)o->ffmpeg->pid,
	    "params", o->params);

	o->params = NULL;
	/* If it can't be told, the ends close here: ffmpeg sees EOF and goes. */
	if (msg_send(o->owner->control, MSG_SPAWNED, 0, body, ours,
	    comes_and_goes(o) ? OUTPUT_FDS - 1 : OUTPUT_FDS) == -1)
		log_warn("the ingest of %s cannot be handed its %s", o->owner->name, o->name);
}

/* Why it can't be started now, NULL: it can. */
static const char *
obstacle(const struct output *o)
{
	if (o->wish.kind->push)
		return output_push_target(o) == NULL ? "it is being removed" : NULL;
	if (o->wish.kind->webrtc)
		return !feeds_has(o->owner) ? "no webrtc worker wants it" : NULL;
	return disk_is_full() ? "no space left on the disk" : NULL;
}

static void
launch(struct output *o)
{
	int ours[OUTPUT_FDS];
	const char *why;

	if (o->owner == NULL || o->owner->control == NULL || o->params == NULL || sv.stopping)
		return;
	why = obstacle(o);
	if (why != NULL) {
		str_copy(o->reason, why, sizeof(o->reason));
		o->state = OUTPUT_BACKOFF;
		launch_in(o, NO_SPACE_RETRY_MS);
		return;
	}
	if (o->wish.kind->push && output_push_waits(o)) {
		launch_in(o, ORPHAN_POLL_MS);
		return;
	}
	o->asked_down = o->stop = false;
	o->segments = output_segments(o->owner);
	o->ffmpeg = output_start(o, ours);
	if (o->ffmpeg == NULL) {
		snprintf(o->reason, sizeof(o->reason), "cannot start ffmpeg: %s", strerror(errno));
		json_decref(o->params);
		o->params = NULL;
		failed(o, 0, W_EXITCODE(127, 0), 0);
		return;
	}
	o->ffmpeg->output = o;
	o->ffmpeg->restarts = o->restarts;
	o->state = OUTPUT_UP;
	say_spawned(o, ours);
}

void
output_spawn(struct child *owner, struct msg *m)
{
	const char *name = msg_str(m, "output"), *kind = msg_str(m, "kind"), *why;
	json_t *params = json_object_get(m->body, "params");
	struct output_wish wish = { 0 };
	struct output *o;

	if (name == NULL || kind == NULL || owner->stream == NULL)
		return;
	if (output_wish_parse(name, kind, params, &wish, &why) == -1) {
		log_warnx("the ingest of %s asks for an output with a bad \"%s\": dropped",
		    owner->name, why);
		return;
	}
	o = output_find(owner, name);
	if (o == NULL)
		o = output_new(owner, name);
	if (o != NULL && wish.kind->push)
		output_push_said(o, msg_str_or(m, "said", ""));
	if (o == NULL || o->state == OUTPUT_FAILED || (o->ffmpeg != NULL && !o->stop)) {
		log_debug("SPAWN of %s's %s dropped", owner->name, name);
		return;
	}
	json_decref(o->params);
	o->params = json_incref(params);
	o->wish = wish;
	if (o->ffmpeg == NULL)	/* else it starts when the old one is gone */
		schedule(o);
}

void
output_down(struct child *owner, struct msg *m)
{
	const char *name = msg_str(m, "output"), *action = msg_str_or(m, "action", "stop");
	struct output *o = name != NULL ? output_find(owner, name) : NULL;

	if (o == NULL)
		return;
	o->asked_down = true;
	o->stop = strcmp(action, "stop") == 0;
	str_copy(o->reason, msg_str_or(m, "reason", ""), sizeof(o->reason));
	json_decref(o->params);
	o->params = NULL;
	evtimer_del(o->timer);
	if (o->ffmpeg != NULL) {
		o->ffmpeg->stuck = !o->stop;
		child_stop(o->ffmpeg, o->reason);
	} else if (o->stop && comes_and_goes(o))
		output_free(&o);
}

/*
 * Its owner closed its stdin, for new headers or because the publisher is gone: nobody tells
 * us, but then it ends with 0 and has worked. (With 0 alone it may have met garbage.)
 */
static bool
ended_well(const struct output *o, int status)
{
	return !o->wish.kind->webrtc && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    output_segments(o->owner) > o->segments;
}

void
output_child_gone(struct child *ffmpeg, int status)
{
	struct output *o = ffmpeg->output;
	int64_t lived_ms = now_ms() - ffmpeg->started_ms, wait_ms;

	if (output_probe_gone(ffmpeg) || o == NULL)
		return;
	ffmpeg->output = NULL;
	o->ffmpeg = NULL;
	if (o->owner == NULL) {
		output_free(&o);
		return;
	}
	if (!o->asked_down)
		child_status_text(status, o->reason, sizeof(o->reason));
	if (!o->stop && (o->asked_down || !ended_well(o, status))) {
		failed(o, ffmpeg->pid, status, lived_ms);	/* judged stuck, or dead by itself */
		/* for its obituary; once the publisher is gone, one that ended by itself was the last */
		if (ffmpeg->reason[0] == '\0' && o->state == OUTPUT_BACKOFF && !(o->owner->client_gone && status == 0))
			snprintf(ffmpeg->reason, sizeof(ffmpeg->reason), "again in %.1f s",
			    (double)(o->due_ms - now_ms()) / 1000);
		return;
	}
	o->state = OUTPUT_WAITING;
	wait_ms = lived_ms < SHORT_LIFE_MS ? backoff_delay_ms(KIND_FFMPEG, 1, 0) : 0;
	o->due_ms = now_ms() + wait_ms;
	if (!o->stop)
		say_exited(o, ffmpeg->pid, status, wait_ms);
	else if (o->params != NULL)
		schedule(o);
	else if (comes_and_goes(o))
		output_free(&o);	/* its target was removed, its viewers have left */
}

void
output_owner_gone(struct child *owner)
{
	struct output *o, *next;

	for (o = output_list; o != NULL; o = next) {
		next = o->next;
		if (o->owner != owner)
			continue;
		o->owner = NULL;
		if (o->ffmpeg != NULL)
			child_stop(o->ffmpeg, "its ingest is gone");
		else
			output_free(&o);
	}
}

const char *
output_name(const struct output *o)
{
	return o->name;
}
