/*
 * streams.c - this host's table of streams, each through its life:
 *
 *   GRANT -> STARTING -stream_live-> LIVE -its ingest is gone-> RECONNECTING
 *   RECONNECTING -a new GRANT-> STARTING, the playlist goes on from hls/NAME/state
 *   RECONNECTING -streams.reconnect_delay-> FINISHING: millrace-finish NAME -> gone
 *
 * A stream belongs to its publisher's ingest only as long as that lives; then to its
 * files. So the loss of a publisher, the crash of an ingest and a restart of millraced are
 * one path. No media and no file content passes here; the disk is read once, at the start.
 * The end of a process that has been replaced never touches its successor: s->ingest and
 * s->finish say who counts.
 *
 * Who may become a stream's publisher: streams_claim.c. What processes say of it:
 * streams_event.c. Figures: streams_report.c. Called by child.c (deaths), main.c, stop.c.
 */
#include "supervisor/streams.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "hls_state.h"
#include "log.h"
#include "stream_name.h"
#include "util.h"

#define FINISH_AT_ONCE 16	/* after a restart many streams may end in one instant */
#define FINISH_QUEUE_MS 200
#define FINISH_TRIES 5
#define RELEASE_WAIT_MS 1000

struct stream *stream_list;

static void finish_start(struct stream *s);

struct stream *
stream_find(const char *name)
{
	struct stream *s;

	for (s = stream_list; s != NULL; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

unsigned
stream_count(void)
{
	struct stream *s;
	unsigned n = 0;

	for (s = stream_list; s != NULL; s = s->next)
		n++;
	return n;
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	finish_start(ctx);
}

static void
timer_in(struct stream *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(s->timer, &tv);
}

struct stream *
stream_new(const char *name)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	str_copy(s->name, name, sizeof(s->name));
	s->state = BOARD_STREAM_STARTING;
	s->timer = evtimer_new(sv.base, timer_cb, s);
	if (s->timer == NULL)
		fatalx("out of memory");
	stream_slot_take(s);
	s->next = stream_list;
	stream_list = s;
	return s;
}

static void
released_cb(int rc, json_t *body, void *ctx)
{
	if (rc != 0)
		log_debug("a lease was not given back (%s): it runs out", strerror(rc));
}

static void
stream_remove(struct stream *s)
{
	struct stream **p;

	for (p = &stream_list; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	hook_errors_forget(s);
	hook_viewers_ended(s);
	route_call(KIND_REGISTRY, "release", json_pack("{s:s}", "name", s->name), RELEASE_WAIT_MS,
	    released_cb, NULL);
	stream_slot_give(s);
	stream_free_viewers(s);
	json_decref(s->pushes);
	event_free(s->timer);
	free(s);
}

static void
stream_dir(const struct stream *s, const char *file, char *out, size_t size)
{
	snprintf(out, size, "%s/hls/%s%s", conf_str(sv.conf, "data_dir"), s->name, file);
}

void
stream_make_dir(const struct stream *s)
{
	char dir[512];

	stream_dir(s, "", dir, sizeof(dir));
	if (dir_ensure(dir, 0750) == -1)
		log_warn("%s", dir);
}

/* --- FINISHING --- */

static void
finish_failed(struct stream *s)
{
	uint32_t random = 0;
	int64_t delay;

	s->finish_failures++;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == -1)
		random = 0;	/* only spreads the tries */
	delay = backoff_delay_ms(KIND_FINISH, s->finish_failures, random);
	if (sv.stopping || delay == -1 || s->finish_failures >= FINISH_TRIES) {
		log_warnx("stream %s could not be finished: tried again at the next start", s->name);
		stream_remove(s);
		return;
	}
	timer_in(s, delay);
}

static void
finish_start(struct stream *s)
{
	s->state = BOARD_STREAM_FINISHING;
	if (child_count(KIND_FINISH) >= FINISH_AT_ONCE && !sv.stopping) {
		timer_in(s, FINISH_QUEUE_MS);
		return;
	}
	evtimer_del(s->timer);
	s->finish = child_start(KIND_FINISH, s->name);
	if (s->finish != NULL)
		s->finish->stream = s;
	else
		finish_failed(s);
}

static void
finish_gone(struct stream *s, const struct child *c)
{
	bool done = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;

	s->finish = NULL;
	if (s->heir != NULL) {
		claim_grant(s->heir);
		return;
	}
	if (!done) {
		finish_failed(s);
		return;
	}
	if (s->since_wall_ms != 0)
		stream_say_ended(s);
	stream_remove(s);
}

/* --- RECONNECTING --- */

/* A publisher that never came to a playlist leaves nothing to finish. */
static bool
nothing_on_disk(const struct stream *s)
{
	char path[512];

	stream_dir(s, "/state", path, sizeof(path));
	if (access(path, F_OK) == 0)
		return false;
	stream_dir(s, "", path, sizeof(path));
	return rmdir(path) == 0 || errno == ENOENT;
}

static bool
ended_on_disk(const struct stream *s)
{
	struct hls_state *state = xcalloc(1, sizeof(*state));
	char dir[512];
	bool ended;

	stream_dir(s, "", dir, sizeof(dir));
	ended = hls_state_read(dir, state) == 0 && state->ended;
	free(state);
	return ended;
}

static void
wait_for_publisher(struct stream *s)
{
	int64_t delay = conf_int(sv.conf, "streams.reconnect_delay");

	s->state = BOARD_STREAM_RECONNECTING;
	s->until_ms = now_ms() + delay;
	timer_in(s, delay);
}

static void
say_interrupted(struct stream *s, const struct child *c)
{
	json_t *body;

	if (!s->was_live)
		return;
	body = stream_event(s, "stream_interrupted");
	json_object_set_new(body, "reason", msg_text(c->reason, strlen(c->reason)));
	events_emit(body);
}

/* It was live when millraced died, which told nobody. */
static void
say_lost(const struct stream *s)
{
	json_t *body = stream_event(s, "stream_interrupted");

	json_object_set_new(body, "reason", json_string("millraced was started again"));
	events_emit(body);
}

static void
ingest_gone(struct stream *s, const struct child *c)
{
	s->ingest = NULL;
	s->state = BOARD_STREAM_RECONNECTING;
	hook_errors_forget(s);
	say_interrupted(s, c);
	if (s->heir != NULL)
		claim_grant(s->heir);
	else if (nothing_on_disk(s))
		stream_remove(s);
	else if (!sv.stopping)
		wait_for_publisher(s);
	else if (ended_on_disk(s)) {
		/* Its last playlist has ENDLIST; what is left is cleaned up after the next start. */
		stream_say_ended(s);
		stream_remove(s);
	} else
		finish_start(s);
}

void
streams_child_gone(struct child *c)
{
	struct stream *s = c->stream;

	claim_child_gone(c);
	c->stream = NULL;
	if (s == NULL)
		return;
	if (s->ingest == c)
		ingest_gone(s, c);
	else if (s->finish == c)
		finish_gone(s, c);
}

/* --- orders --- */

int
streams_kick(const char *name)
{
	struct stream *s = stream_find(name);

	if (s == NULL) {
		errno = ENOENT;
		return -1;
	}
	log_info("stream %s is kicked", name);
	if (s->ingest != NULL)
		child_stop(s->ingest, "kicked");
	else if (s->state == BOARD_STREAM_RECONNECTING)
		finish_start(s);	/* nobody to kick: then it need not be waited for */
	return 0;
}

void
streams_stop_all(void)
{
	struct stream *s, *next;

	claim_refuse_all("stopping", "this server is stopping");
	for (s = stream_list; s != NULL; s = next) {
		next = s->next;
		if (s->ingest != NULL)
			child_stop(s->ingest, "this server is stopping");
		else if (s->finish == NULL)
			finish_start(s);
	}
}

bool
streams_all_ended(void)
{
	return stream_list == NULL;
}

/* --- the start --- */

static void
found_at_start(const char *name)
{
	struct hls_state *state;
	struct stream *s;
	char path[512];

	if (!stream_name_ok(name, strlen(name)) || stream_find(name) != NULL)
		return;
	s = stream_new(name);
	stream_dir(s, "/state", path, sizeof(path));
	if (access(path, F_OK) == -1) {
		/* An ingest that died before its first playlist: finish removes what it left. */
		finish_start(s);
		return;
	}
	stream_dir(s, "/ended", path, sizeof(path));
	s->ended_said = access(path, F_OK) == 0;
	state = xcalloc(1, sizeof(*state));
	stream_dir(s, "", path, sizeof(path));
	if (hls_state_read(path, state) == 0)
		str_copy(s->app, state->app, sizeof(s->app));
	free(state);
	s->since_wall_ms = s->created_wall_ms = wall_ms();
	if (!ended_on_disk(s))
		say_lost(s);
	wait_for_publisher(s);
}

void
streams_start(void)
{
	struct dirent *entry;
	char path[512];
	DIR *dir;

	if (path_join(path, sizeof(path), conf_str(sv.conf, "data_dir"), "hls") == -1)
		return;
	dir = opendir(path);
	if (dir == NULL) {
		log_warn("%s", path);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		found_at_start(entry->d_name);
	closedir(dir);
	if (stream_count() > 0)
		log_info("%u streams found on disk wait %lld s for their publishers", stream_count(),
		    (long long)conf_int(sv.conf, "streams.reconnect_delay") / 1000);
}
