/*
 * feeds.c - streams on their way to browsers: which NAMEs a webrtc worker wants (WANT), and the
 * sockets between it and their ingests (FEED of lib/proto.h).
 *
 * A want may be there long before its stream and outlives it: whenever NAME is live, now or after
 * its publisher has come back, a socketpair is made and each side gets one end; no media passes
 * here. The stdout of an ffmpeg on that way goes to the worker as well (output_start.c starts it).
 * The worker that a NAME belongs to is a matter of its hash, for signalling and media alike.
 *
 * Called by route.c (WANT, whom to ask), streams_event.c (live), child.c (deaths), output.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/streams.h"
#include "util.h"

#define SNDBUF (1 << 20)	/* a GOP on its way; what does not fit stays in the ingest's ring */

struct want {
	struct want *next;
	struct child *worker;
	char name[BOARD_NAME];
	struct child *ingest;	/* that feeds it, NULL: none */
};

static struct want *wants;

static unsigned
owner_of(const char *name)
{
	int64_t workers = conf_int(sv.conf, "webrtc.workers");

	return workers < 1 ? 0 : stream_name_hash(name) % (unsigned)workers;
}

struct child *
feeds_worker(const char *name)
{
	return child_worker(KIND_WEBRTC, (int)owner_of(name));
}

static struct want *
find(const char *name)
{
	struct want *w;

	for (w = wants; w != NULL && strcmp(w->name, name) != 0; w = w->next)
		;
	return w;
}

static struct want *
of_ingest(const struct child *ingest)
{
	struct want *w;

	for (w = wants; w != NULL && w->ingest != ingest; w = w->next)
		;
	return w;
}

/* --- what both sides are told --- */

/* fd is taken; -1: none. */
static int
send_feed(struct child *to, json_t *body, int fd)
{
	return msg_send(to->control, MSG_FEED, 0, body, &fd, fd != -1);
}

static int
tell_worker(const struct want *w, const char *track, const char *format, int fd)
{
	int rc = send_feed(w->worker, json_pack("{s:s, s:i, s:s, s:s, s:b}", "name", w->name, "ingest",
	    (int)w->ingest->pid, "track", track, "format", format, "on", 1), fd);

	if (rc == -1)
		log_warn("a webrtc worker is not handed the %s of %s", track, w->name);
	return rc;
}

/* The ingest's end, which waits for nobody; the worker's. */
static int
make_pair(int pair[2])
{
	int bytes = SNDBUF;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1)
		return -1;
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == -1)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

static void
tell_off(struct child *worker, const char *name, pid_t ingest)
{
	if (send_feed(worker, json_pack("{s:s, s:i, s:b}", "name", name, "ingest", (int)ingest, "on", 0), -1) == -1)
		log_debug("webrtc %s is not told that %s is not live", worker->name, name);
}

static void
feed_on(struct want *w, struct child *ingest)
{
	int pair[2];

	w->ingest = ingest;
	if (make_pair(pair) == -1) {
		log_warn("no socket for the feed of %s: its viewers wait", w->name);
		return;
	}
	if (tell_worker(w, "media", "flv", pair[1]) == -1)
		close(pair[0]);
	else if (send_feed(ingest, json_pack("{s:b}", "on", 1), pair[0]) == -1)
		log_warn("the ingest of %s is not told to feed it", w->name);	/* the worker sees EOF */
}

static void
feed_off(struct want *w)
{
	if (w->ingest != NULL && send_feed(w->ingest, json_pack("{s:b}", "on", 0), -1) == -1)
		log_debug("the ingest of %s is not told that nobody wants it", w->name);
	w->ingest = NULL;
}

/* --- wants --- */

static void
want_free(struct want *w)
{
	struct want **p;

	for (p = &wants; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	feed_off(w);
	free(w);
}

static unsigned
count(const struct child *worker)
{
	unsigned n = 0;

	for (const struct want *w = wants; w != NULL; w = w->next)
		n += w->worker == worker;
	return n;
}

/* Each viewer his own, and rooms in which somebody waits who is none yet. */
static unsigned
wants_max(void)
{
	return 2 * (unsigned)conf_int(sv.conf, "webrtc.max_viewers") + BOARD_STREAMS;
}

static struct want *
want_new(struct child *worker, const char *name)
{
	struct want *w;

	if (count(worker) >= wants_max()) {
		log_warnx("webrtc %s wants %u streams already: %s is dropped", worker->name, wants_max(), name);
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->worker = worker;
	str_copy(w->name, name, sizeof(w->name));
	w->next = wants;
	wants = w;
	return w;
}

bool
feeds_is_live(const char *name)
{
	const struct stream *s = stream_find(name);

	return s != NULL && s->ingest != NULL && s->was_live;
}

/* Also one that is not its own any more, after a reload of webrtc.workers. */
static void
wants_no_more(const struct child *webrtc, const char *name)
{
	struct want *w = find(name);

	if (w != NULL && w->worker == webrtc)
		want_free(w);
}

void
feeds_want(struct child *webrtc, struct msg *m)
{
	const char *name = msg_str_or(m, "name", "");
	struct want *w = find(name);

	if (!json_is_true(json_object_get(m->body, "want"))) {
		wants_no_more(webrtc, name);
		return;
	}
	if (!stream_name_ok(name, strlen(name)) || (int)owner_of(name) != webrtc->worker) {
		log_warnx("webrtc %s wants \"%s\", which is not its own: dropped", webrtc->name, name);
		return;
	}
	if (w != NULL && w->worker != webrtc) {
		want_free(w);
		w = NULL;
	}
	if (w == NULL)
		w = want_new(webrtc, name);
	/* Said again: what it was given is of no use to it any more. Or it was live when a viewer came (CONN). */
	if (w != NULL && feeds_is_live(name))
		feed_on(w, stream_find(name)->ingest);
	else
		tell_off(webrtc, name, 0);
}

void
feeds_live(struct child *ingest)
{
	struct want *w = find(ingest->stream->name);

	if (w != NULL)
		feed_on(w, ingest);
}

void
feeds_ingest_gone(struct child *ingest)
{
	struct want *w = of_ingest(ingest);

	if (w == NULL)
		return;
	tell_off(w->worker, w->name, ingest->pid);
	w->ingest = NULL;
}

void
feeds_worker_gone(struct child *webrtc)
{
	struct want *w, *next;

	for (w = wants; w != NULL; w = next) {
		next = w->next;
		if (w->worker == webrtc)
			want_free(w);
	}
}

bool
feeds_has(const struct child *ingest)
{
	return ingest != NULL && of_ingest(ingest) != NULL;
}

int
feeds_output(const struct child *ingest, const char *track, int fd)
{
	struct want *w = of_ingest(ingest);

	if (w != NULL)
		return tell_worker(w, track, strcmp(track, "audio") == 0 ? "ogg" : "flv", fd);
	close(fd);
	return -1;
}
