/*
 * streams_event.c - what processes say of streams: an ingest that its stream is live or
 * has a problem, a finish that it has ended, an http or webrtc worker how many watch it; and the events
 * of a stream that are made of it.
 *
 * Nobody is believed about a stream that is not his own; only http and webrtc workers speak of all.
 * Called by route.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/push.h"
#include "supervisor/refusals.h"
#include "supervisor/streams.h"
#include "util.h"

json_t *
stream_event(const struct stream *s, const char *event)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "event", event, "name", s->name, "app",
	    msg_text(s->app, strlen(s->app)), "peer", msg_text(s->peer, strlen(s->peer)),
	    "protocol", msg_text(s->protocol, strlen(s->protocol)));
}

/*
 * hls/NAME/ended: that it has ended was told, though its files are here until the next start cleans
 * them up. Where they are gone already there is nothing to mark.
 */
void
stream_mark_ended(const struct stream *s, bool ended)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/hls/%s/ended", conf_str(sv.conf, "data_dir"), s->name);
	if (!ended) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd != -1)
		close(fd);
	else if (errno != ENOENT)
		log_warn("%s: it may be told a second time that it has ended", path);
}

void
stream_say_ended(struct stream *s)
{
	if (s->ended_said)
		return;
	s->ended_said = true;
	hook_viewers_ended(s);
	events_emit(stream_event(s, "stream_ended"));
	log_info("stream %s has ended", s->name);
	stream_mark_ended(s, true);
}

/* --- what they say --- */

void
streams_bye(struct child *c, struct msg *m)
{
	struct stream *s = c->stream;

	/* The name is free once it is gone; a claim that waits learns from said_bye. */
	if (s != NULL)
		log_debug("stream %s: its %s says goodbye: %s", s->name, child_kind_name(c->kind),
		    msg_str_or(m, "reason", ""));
}

static void
on_live(struct child *c, struct msg *m)
{
	struct stream *s = c->stream;
	json_t *body;

	if (s == NULL || s->ingest != c || s->was_live)
		return;
	s->state = BOARD_STREAM_LIVE;
	s->was_live = true;
	if (s->since_wall_ms == 0)
		s->since_wall_ms = wall_ms();
	body = stream_event(s, "stream_started");
	json_object_set_new(body, "query", msg_text(s->query, strlen(s->query)));
	json_object_set_new(body, "resumed", json_boolean(s->resumed));
	events_emit(body);
	hook_errors_live(s);
	hook_viewers_live(s);
	streams_report();	/* who hears of it may ask for it at once */
	feeds_live(c);
}

static void
on_ended(struct child *c, struct msg *m)
{
	if (c->stream != NULL && c->stream->finish == c)
		stream_say_ended(c->stream);
}

static void
on_viewers(struct child *c, struct msg *m)
{
	const char *name = msg_str(m, "name");
	struct stream *s = name != NULL ? stream_find(name) : NULL;
	struct sketch sketch;
	int64_t n;

	if (s == NULL || (c->kind != KIND_HTTP && c->kind != KIND_WEBRTC) || msg_int(m, "n", &n) < 0 || n < 0 ||
	    n > UINT32_MAX)
		return;
	if (c->kind == KIND_WEBRTC)
		stream_set_viewers(s, c, (uint32_t)n, NULL);
	else if (n == 0 || sketch_read(&sketch, msg_str_or(m, "sketch", "")) == 0)
		stream_set_viewers(s, c, (uint32_t)n, &sketch);
}

/* It has logged it. */
static void
on_warning(struct child *c, struct msg *m)
{
	static const char *const codes[] = { HOOK_ERROR_MEDIA, HOOK_ERROR_RECORDING, HOOK_ERROR_PUSH };
	const char *code = msg_str_or(m, "code", ""), *what = msg_str_or(m, "what", "");

	if (c->stream == NULL || c->stream->ingest != c)
		return;
	/* Said before it heard that the push was removed. */
	if (strcmp(code, HOOK_ERROR_PUSH) == 0 && push_find(c->stream, what) == NULL)
		return;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i]) == 0)
			hook_error(c->stream, code, what, msg_str_or(m, "text", ""));
}

/* Files may take their time; a new connection of the same address need not wait for them. */
static void
on_publisher_gone(struct child *c, struct msg *m)
{
	c->client_gone = true;
}

/* A wrong URL, no RTMP, too slow; or media that cannot be served. */
static void
on_refused(struct child *c, struct msg *m)
{
	bool said = json_is_true(json_object_get(m->body, "said"));

	(said ? refusals_count : refusals_say)(msg_str_or(m, "code", "other"),
	    msg_str_or(m, "peer", c->peer), msg_str_or(m, "name", ""), msg_str_or(m, "text", ""));
}

void
streams_event(struct child *c, struct msg *m)
{
	static const struct { const char *event; void (*handle)(struct child *, struct msg *); }
	    handlers[] = {
		{ "stream_live", on_live }, { "stream_ended", on_ended },
		{ "viewers", on_viewers }, { "warning", on_warning },
		{ "publisher_gone", on_publisher_gone }, { "refused", on_refused },
	};
	const char *event = msg_str(m, "event");
	size_t i;

	for (i = 0; event != NULL && i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(event, handlers[i].event) == 0)
			handlers[i].handle(c, m);
}
