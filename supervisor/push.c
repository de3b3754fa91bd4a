/*
 * push.c - push targets: which of the config's and of those added while live a stream has
 * (contract in push.h). The only place that knows their URLs besides ffmpeg's argv: an ingest
 * is told ids, and everybody else gets push_url_show()'s form.
 *
 * What was added is kept in data_dir/push.json (0600, it holds keys) until it is removed; the
 * config comes first, so that an added target of the same id rests as long as the config has
 * one. A target of the config that was removed while live stays away until its part of the
 * config changes or millraced is started again.
 * Called by streams_claim.c (GRANT), control_reload.c, main.c and push_call.c (the verbs).
 */
#include "supervisor/push.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/push_int.h"
#include "supervisor/push_url.h"
#include "supervisor/streams.h"
#include "util.h"

#define FILE_NAME "push.json"
#define FILE_BYTES_MAX (32 << 20)

json_t *push_added, *push_held;
static json_int_t last_rev;

const char *
push_text(const json_t *target, const char *key)
{
	const char *text = json_string_value(json_object_get(target, key));

	return text != NULL ? text : "";
}

bool
push_fits(const json_t *target, const char *name, const char *app)
{
	return fnmatch(push_text(target, "stream"), name, 0) == 0 &&
	    (app == NULL || fnmatch(push_text(target, "app"), app, 0) == 0);
}

const char *
push_held_key(const char *name, const char *id, char buf[PUSH_KEY_MAX])
{
	snprintf(buf, PUSH_KEY_MAX, "%s/%s", name, id);
	return buf;
}

/* --- what a stream has --- */

/* A copy for this stream, with its URL as ffmpeg gets it; NULL after a message. */
static json_t *
for_stream(const struct stream *s, const json_t *target)
{
	const struct push_vars vars = { s->name, s->app, sv.host };
	char url[PUSH_URL_MAX];
	json_t *copy;

	if (push_url_expand(push_text(target, "url"), &vars, url, sizeof(url)) == -1) {
		log_warnx("push %s of %s: the URL is longer than %d characters with its variables replaced: not begun",
		    push_text(target, "id"), s->name, PUSH_URL_MAX - 1);
		return NULL;
	}
	copy = json_deep_copy(target);
	json_object_set_new(copy, "url", json_string(url));
	return copy;
}

/* Adds what fits s; a target that s has already keeps its number. */
static void
collect(const struct stream *s, const json_t *list, json_t *out)
{
	size_t max = (size_t)conf_int(sv.conf, "limits.pushes"), i;
	const json_t *old;
	json_t *target, *mine;
	char key[PUSH_KEY_MAX];

	json_array_foreach(list, i, target) {
		const char *id = push_text(target, "id");

		if (!push_fits(target, s->name, s->app) || json_object_get(out, id) != NULL ||
		    json_object_get(push_held, push_held_key(s->name, id, key)) != NULL)
			continue;
		if (json_object_size(out) >= max) {
			log_warnx("push %s of %s: not begun, the stream has limits.pushes targets", id, s->name);
			continue;
		}
		if ((mine = for_stream(s, target)) == NULL)
			continue;
		old = json_object_get(s->pushes, id);
		json_object_set_new(out, id, json_pack("{s:I, s:o, s:O}", "rev",
		    json_equal(json_object_get(old, "target"), mine) ?
		    json_integer_value(json_object_get(old, "rev")) : ++last_rev, "target", mine, "from", target));
	}
}

static void
tell_ingest(struct stream *s)
{
	json_t *list = json_array(), *entry;
	const char *id;

	json_object_foreach(s->pushes, id, entry)
		json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "id", id, "rev", json_object_get(entry, "rev"),
		    "transcode", json_object_get(json_object_get(entry, "target"), "transcode")));
	if (msg_send(s->ingest->control, MSG_PUSH, 0, json_pack("{s:o}", "targets", list), NULL, 0) == -1)
		log_warn("the ingest of %s is not told its push targets", s->name);
}

/* What a removed one failed with is over; one that was only changed has still to show that it works. */
static void
forget_troubles(struct stream *s, const json_t *now)
{
	json_t *entry;
	const char *id;

	json_object_foreach(s->pushes, id, entry)
		if (json_object_get(now, id) == NULL)
			hook_error_removed(s, HOOK_ERROR_PUSH, id);
}

void
push_update(struct stream *s)
{
	json_t *now = json_object();
	bool same;

	if (s->ingest == NULL) {
		json_decref(now);
		return;
	}
	collect(s, conf_get(sv.conf, "push"), now);
	collect(s, push_added, now);
	same = s->pushes != NULL ? json_equal(now, s->pushes) : json_object_size(now) == 0;
	forget_troubles(s, now);
	json_decref(s->pushes);
	s->pushes = now;
	if (!same)
		tell_ingest(s);
}

const json_t *
push_find(const struct stream *s, const char *id)
{
	return json_object_get(json_object_get(s->pushes, id), "target");
}

void
push_update_all(void)
{
	struct stream *s;

	for (s = stream_list; s != NULL; s = s->next)
		push_update(s);
}

void
push_reload(const json_t *from, const json_t *to)
{
	if (!json_equal(conf_get(from, "push"), conf_get(to, "push")))
		json_object_clear(push_held);
	push_update_all();
}

/* --- what was added, on the disk --- */

static int
file_path(char *out, size_t size)
{
	return path_join(out, size, conf_str(sv.conf, "data_dir"), FILE_NAME);
}

int
push_save(void)
{
	char path[512], *text = json_dumps(push_added, JSON_INDENT(2));
	mode_t mask = umask(077);
	int rc = text == NULL || file_path(path, sizeof(path)) == -1 ? -1 : file_replace(path, text, strlen(text));

	umask(mask);
	if (rc == -1)
		log_warn("cannot write %s in data_dir", FILE_NAME);
	free(text);
	return rc;
}

static bool
is_target(const json_t *target)
{
	const char *name = push_text(target, "stream");

	return stream_name_ok(name, strlen(name)) && push_id_wrong(push_text(target, "id")) == NULL &&
	    push_url_wrong(push_text(target, "url")) == NULL && json_is_string(json_object_get(target, "app")) &&
	    json_is_boolean(json_object_get(target, "transcode")) && json_is_boolean(json_object_get(target, "verify"));
}

void
push_start(void)
{
	char path[512], *text = NULL;
	json_t *list, *target;
	size_t i;

	push_added = json_array();
	push_held = json_object();
	if (file_path(path, sizeof(path)) == -1 || (text = file_read(path, FILE_BYTES_MAX, NULL)) == NULL) {
		if (errno != ENOENT)
			log_warn("%s: the push targets that were added are not known", path);
		return;
	}
	list = json_loads(text, 0, NULL);
	if (!json_is_array(list))
		log_warnx("%s is no list: the push targets that were added are lost", path);
	json_array_foreach(list, i, target)
		if (is_target(target))
			json_array_append(push_added, target);
		else
			log_warnx("%s: entry %zu is no push target: left out", path, i + 1);
	json_decref(list);
	free(text);
}

void
push_stop(void)
{
	json_decref(push_added);
	json_decref(push_held);
	push_added = push_held = NULL;
}
