/*
 * hook_events.c - what processes report for webhooks alone, made into events (events.c): a recording
 * that was closed, a segment, viewers that came and went (hook_viewers.c), jobs that ended. Each kind of process may
 * tell only what is its own; an ingest's stream is the one it has, not the one it says.
 *
 * They are reported, and made events, only if a URL of hooks.urls wants them (conf_wanted_events):
 * a busy host has thousands of them a minute. Called by route.c.
 */
#include <string.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "stream_name.h"
#include "supervisor/streams.h"
#include "util.h"

#define FILE_MAX 1000
#define VIEWERS_MAX 200		/* of one message */

static bool
wanted(const char *event)
{
	json_t *all = conf_wanted_events(sv.conf);
	bool is = json_object_get(all, event) != NULL;

	json_decref(all);
	return is;
}

/* file, and where that is on this host. */
static void
add_file(json_t *body, const char *file)
{
	char path[1600];

	json_object_set_new(body, "file", msg_text(file, strlen(file)));
	if (path_join(path, sizeof(path), conf_str(sv.conf, "data_dir"), file) == 0)
		json_object_set_new(body, "path", msg_text(path, strlen(path)));
}

static json_t *
about(const char *event, const char *name)
{
	const struct stream *s = stream_find(name);

	return s != NULL ? stream_event(s, event) : json_pack("{s:s, s:s}", "event", event, "name", name);
}

static void
recorded(struct child *c, struct msg *m)
{
	const char *name = c->stream != NULL ? c->stream->name : msg_str_or(m, "name", "");
	const char *file = msg_str_or(m, "file", "");
	json_t *body;

	if (c->kind != KIND_INGEST || !stream_name_ok(name, strlen(name)) || strlen(file) > FILE_MAX ||
	    !wanted("record"))
		return;
	body = about("record", name);
	add_file(body, file);
	json_object_set_new(body, "state", json_string("recorded"));
	events_emit(body);
}

static void
segment(struct child *c, struct msg *m)
{
	const char *file = msg_str_or(m, "file", "");
	char path[200];
	json_t *body;

	if (c->kind != KIND_INGEST || c->stream == NULL || strlen(file) > 64 || !wanted("segment"))
		return;
	body = stream_event(c->stream, "segment");
	snprintf(path, sizeof(path), "hls/%s/%.64s", c->stream->name, file);
	add_file(body, path);
	json_object_set_new(body, "duration_ms", json_integer(msg_int_or(m, "duration_ms", 0)));
	json_object_set_new(body, "sequence", json_integer(msg_int_or(m, "sequence", 0)));
	events_emit(body);
}

static void
viewers(struct child *c, struct msg *m)
{
	const json_t *list = json_object_get(m->body, "list"), *v;
	bool stop = strcmp(msg_str_or(m, "event", ""), "stop") == 0;
	size_t i;

	if (c->kind != KIND_HTTP && c->kind != KIND_WEBRTC)
		return;
	/* Who came while somebody wanted to know it is gone in any case. */
	if (!stop && !wanted("play") && !wanted("stop"))
		return;
	json_array_foreach(list, i, v) {
		const char *name = obj_str(v, "name");

		if (i < VIEWERS_MAX && stream_name_ok(name, strlen(name)))
			hook_viewer(c, v, stop);
	}
}

/* A job that is done leaves, of some kinds, a file that somebody may wait for. */
static void
job(struct child *c, struct msg *m)
{
	static const char *const keys[] = { "job", "kind", "state", "name", "file", "error" };
	const char *name = msg_str_or(m, "name", ""), *finished = msg_str_or(m, "finished", "");
	json_t *body;

	if (c->kind != KIND_JOBS || strlen(finished) > FILE_MAX)
		return;
	if (finished[0] != '\0' && wanted("record")) {
		body = about("record", name);
		add_file(body, finished);
		json_object_set_new(body, "state", json_string("finished"));
		events_emit(body);
	}
	if (!wanted("job"))
		return;
	body = json_pack("{s:s}", "event", "job");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (msg_str_or(m, keys[i], "")[0] != '\0')
			json_object_set(body, keys[i], json_object_get(m->body, keys[i]));
	events_emit(body);
}

bool
hook_event(struct child *c, struct msg *m)
{
	static const struct { const char *event; void (*handle)(struct child *, struct msg *); } handlers[] = {
		{ "recorded", recorded }, { "segment", segment }, { "play", viewers }, { "stop", viewers },
		{ "job", job },
	};
	const char *event = msg_str_or(m, "event", "");

	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(event, handlers[i].event) == 0) {
			handlers[i].handle(c, m);
			return true;
		}
	return false;
}
