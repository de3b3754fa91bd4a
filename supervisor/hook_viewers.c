/*
 * hook_viewers.c - who watches what, as webhooks are told it: play and stop come in pairs, between
 * the publish and the ended of the stream. Workers say who came and went; one who waits for a
 * publisher, or asks for the playlist of a stream that just ended, watches nothing yet, and is told
 * only when the stream is on air. Who is still there when it ends is told to be gone before that.
 *
 * A viewer is known by the name the workers gave him: one whose connections go to several http
 * workers comes once, and is gone with the last. There is nothing in here unless a URL of hooks.urls
 * wants it. Called by hook_events.c, streams.c, streams_event.c and streams_viewers.c.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "conf.h"
#include "log.h"
#include "net.h"
#include "obj.h"
#include "stream_name.h"
#include "supervisor/streams.h"
#include "util.h"

struct holder {			/* a worker that has him */
	struct holder *next;
	const struct child *worker;
};

struct watcher {
	TAILQ_ENTRY(watcher) link;
	char name[STREAM_NAME_MAX + 1], viewer[48], peer[NET_TEXT], protocol[16];
	bool told;		/* play was, stop was not yet */
	struct holder *holders;
};

static TAILQ_HEAD(watchers, watcher) watchers = TAILQ_HEAD_INITIALIZER(watchers);
static unsigned nwatchers;
static bool full_said;		/* that there are too many; again only once half of them have left */
static void *by_name;		/* tsearch's */

static int
compare(const void *pa, const void *pb)
{
	const struct watcher *a = pa, *b = pb;
	int order = strcmp(a->viewer, b->viewer);

	return order != 0 ? order : strcmp(a->name, b->name);
}

static bool
on_air(const struct stream *s)
{
	return s != NULL && s->state == BOARD_STREAM_LIVE && s->ingest != NULL && !s->ingest->client_gone &&
	    !s->ingest->said_bye;
}

static bool
is_wanted(bool play)
{
	json_t *wanted = conf_wanted_events(sv.conf);
	bool is = json_object_get(wanted, play ? "play" : "stop") != NULL;

	json_decref(wanted);
	return is;
}

/* emit: is_wanted(play). */
static void
tell(struct watcher *w, const struct stream *s, bool play, bool emit)
{
	w->told = play;
	if (emit)
		events_emit(json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "event", play ? "play" : "stop", "name",
		    w->name, "app", msg_text(s != NULL ? s->app : "", s != NULL ? strlen(s->app) : 0), "viewer",
		    w->viewer, "peer", msg_text(w->peer, strlen(w->peer)), "protocol",
		    msg_text(w->protocol, strlen(w->protocol))));
}

static unsigned
watchers_max(void)
{
	return (unsigned)conf_int(sv.conf, "hooks.max_viewers");
}

static void
remove_watcher(struct watcher *w)
{
	if (w->told)
		tell(w, stream_find(w->name), false, is_wanted(false));
	tdelete(w, &by_name, compare);
	TAILQ_REMOVE(&watchers, w, link);
	nwatchers--;
	full_said = full_said && nwatchers > watchers_max() / 2;
	free(w);
}

/* The worker has him no more. */
static void
release(struct watcher *w, const struct child *worker)
{
	struct holder **p, *h;

	for (p = &w->holders; *p != NULL && (*p)->worker != worker; p = &(*p)->next)
		;
	h = *p;
	if (h == NULL)
		return;
	*p = h->next;
	free(h);
	if (w->holders == NULL)
		remove_watcher(w);
}

static void
hold(struct watcher *w, const struct child *worker)
{
	struct holder *h;

	for (h = w->holders; h != NULL; h = h->next)
		if (h->worker == worker)
			return;
	h = xcalloc(1, sizeof(*h));
	h->worker = worker;
	h->next = w->holders;
	w->holders = h;
}

static struct watcher *
add(const struct watcher *key)
{
	struct watcher *w;

	if (nwatchers >= watchers_max()) {
		if (!full_said)
			log_warnx("%u viewers are there, hooks.max_viewers: webhooks are not told of those who "
			    "come now, neither play nor stop", nwatchers);
		full_said = true;
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	*w = *key;
	if (tsearch(w, &by_name, compare) == NULL)
		fatal("out of memory for %u viewers", nwatchers);
	TAILQ_INSERT_TAIL(&watchers, w, link);
	nwatchers++;
	return w;
}

void
hook_viewer(const struct child *worker, const json_t *said, bool stop)
{
	struct watcher key = { .told = false }, **found, *w;
	const struct stream *s;

	if (str_copy(key.viewer, obj_str(said, "viewer"), sizeof(key.viewer)) >= sizeof(key.viewer))
		return;
	str_copy(key.name, obj_str(said, "name"), sizeof(key.name));
	str_copy(key.peer, obj_str(said, "peer"), sizeof(key.peer));
	str_copy(key.protocol, obj_str(said, "protocol"), sizeof(key.protocol));
	found = tfind(&key, &by_name, compare);
	if (stop) {
		if (found != NULL)
			release(*found, worker);
		return;
	}
	w = found != NULL ? *found : add(&key);
	if (w == NULL)
		return;
	hold(w, worker);
	s = stream_find(key.name);
	if (!w->told && on_air(s))
		tell(w, s, true, is_wanted(true));
}

/* All of the stream: watching, or waiting for it. */
static void
tell_all(const struct stream *s, bool play)
{
	bool emit = is_wanted(play);
	struct watcher *w;

	TAILQ_FOREACH(w, &watchers, link)
		if (w->told != play && strcmp(w->name, s->name) == 0)
			tell(w, s, play, emit);
}

void
hook_viewers_live(const struct stream *s)
{
	tell_all(s, true);
}

void
hook_viewers_ended(const struct stream *s)
{
	tell_all(s, false);
}

void
hook_viewers_forget(const struct child *worker)
{
	struct watcher *w, *next;

	for (w = TAILQ_FIRST(&watchers); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		release(w, worker);
	}
}
