/*
 * push_call.c - push targets added, removed and listed while live: the verbs of the CLI and of
 * the API, both by CALL. Who may is decided before: by control.sock's mode, by the http worker.
 * A URL comes in and never goes out again. Called by route.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/push.h"
#include "supervisor/push_int.h"
#include "supervisor/streams.h"

#define PAGE 50		/* fits a message also with long URLs */
#define SHOWN_MAX 200

/* rc, with words for people as the answer's text. */
static int
refuse(json_t **body, int rc, const char *text)
{
	*body = json_pack("{s:s}", "text", text);
	return rc;
}

/* Of the config; NULL if it has none for this stream. Its app counts while it is live. */
static const json_t *
in_config(const char *name, const char *id)
{
	const struct stream *s = stream_find(name);
	const json_t *target;
	size_t i;

	json_array_foreach(conf_get(sv.conf, "push"), i, target)
		if (strcmp(push_text(target, "id"), id) == 0 &&
		    push_fits(target, name, s != NULL && s->ingest != NULL ? s->app : NULL))
			return target;
	return NULL;
}

/* Index in push_added, -1 if there is none. */
static int
added_index(const char *name, const char *id)
{
	for (size_t i = 0; i < json_array_size(push_added); i++) {
		const json_t *target = json_array_get(push_added, i);

		if (strcmp(push_text(target, "stream"), name) == 0 && strcmp(push_text(target, "id"), id) == 0)
			return (int)i;
	}
	return -1;
}

static bool
is_live(const char *name)
{
	const struct stream *s = stream_find(name);

	return s != NULL && s->ingest != NULL;
}

static int
add(const char *name, const char *id, const json_t *args, json_t **body)
{
	const char *url = push_text(args, "url"), *wrong = push_url_wrong(url);
	const json_t *verify = json_object_get(args, "verify");
	char shown[SHOWN_MAX];

	if (wrong != NULL)
		return refuse(body, EINVAL, wrong);
	if (added_index(name, id) >= 0 || in_config(name, id) != NULL)
		return refuse(body, EEXIST, added_index(name, id) >= 0 ? "it has a push of this id: remove that first" :
		    "the config has a push of this id for it: take another id, or change the config");
	if (json_array_size(push_added) >= (size_t)conf_int(sv.conf, "limits.pushes_added"))
		return refuse(body, ENOSPC, "there are limits.pushes_added pushes that were added");
	json_array_append_new(push_added, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "stream", name, "app", "*", "id",
	    id, "url", url, "transcode", json_is_true(json_object_get(args, "transcode")), "verify",
	    !json_is_false(verify)));
	if (push_save() == -1) {
		json_array_remove(push_added, json_array_size(push_added) - 1);
		return refuse(body, EIO, "it could not be written to data_dir/push.json; the log says why");
	}
	push_update_all();
	push_url_show(url, shown, sizeof(shown));
	log_info("push %s of %s to %s was added", id, name, shown);
	*body = json_pack("{s:s, s:s, s:b}", "id", id, "target", shown, "live", is_live(name));
	return 0;
}

static int
drop(const char *name, const char *id, json_t **body)
{
	int i = added_index(name, id);
	char key[PUSH_KEY_MAX];
	json_t *target;

	if (i < 0 && in_config(name, id) == NULL)
		return refuse(body, ENOENT, "it has no push of this id");
	if (i >= 0) {
		target = json_incref(json_array_get(push_added, (size_t)i));
		json_array_remove(push_added, (size_t)i);
		if (push_save() == -1) {
			json_array_append_new(push_added, target);
			return refuse(body, EIO, "data_dir/push.json could not be written; the log says why");
		}
		json_decref(target);
	} else
		json_object_set_new(push_held, push_held_key(name, id, key), json_true());
	push_update_all();
	log_info("push %s of %s was removed", id, name);
	*body = json_pack("{s:s, s:b}", "id", id, "config", i < 0);
	return 0;
}

/* --- the list --- */

static const char *
state_in(struct stream *s, const char *id)
{
	static struct board_output outputs[BOARD_OUTPUTS];
	uint32_t n, i;

	output_report(s->ingest, outputs, &n, BOARD_OUTPUTS);
	for (i = 0; i < n; i++)
		if (strcmp(outputs[i].id, id) == 0)
			return outputs[i].state;
	return "starting";
}

static bool
has(const struct stream *s, const json_t *target)
{
	return s->ingest != NULL &&
	    json_equal(json_object_get(json_object_get(s->pushes, push_text(target, "id")), "from"), target);
}

/* {state: number of streams}: how it fares at all that have it; *live counts them. */
static json_t *
states_of(const json_t *target, int *live)
{
	json_t *states = json_object();
	struct stream *s;

	*live = 0;
	for (s = stream_list; s != NULL; s = s->next) {
		const char *state = has(s, target) ? state_in(s, push_text(target, "id")) : NULL;

		if (state == NULL)
			continue;
		(*live)++;
		json_object_set_new(states, state,
		    json_integer(json_integer_value(json_object_get(states, state)) + 1));
	}
	return states;
}

/* state is that at stream `name`, states those at all streams. */
static void
append(json_t *list, const json_t *target, const char *name, bool config)
{
	struct stream *mine = name != NULL ? stream_find(name) : NULL;
	char shown[SHOWN_MAX], key[PUSH_KEY_MAX];
	bool removed = false;
	int live;
	json_t *states = states_of(target, &live);

	if (config && name != NULL)
		removed = json_object_get(push_held, push_held_key(name, push_text(target, "id"), key)) != NULL;
	push_url_show(push_text(target, "url"), shown, sizeof(shown));
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:s, s:s, s:i, s:o}", "stream",
	    push_text(target, "stream"), "app", push_text(target, "app"), "id", push_text(target, "id"), "target",
	    shown, "transcode", json_object_get(target, "transcode"), "verify", json_object_get(target, "verify"),
	    "from", config ? "config" : "added", "state", removed ? "removed" :
	    mine != NULL && has(mine, target) ? state_in(mine, push_text(target, "id")) : "", "live", live,
	    "states", states));
}

/* Of all targets, the config's first, those from `cursor` on that fit name (NULL: all). */
static int
list_page(const char *name, const char *cursor, json_t **body)
{
	const json_t *config = conf_get(sv.conf, "push"), *target;
	size_t nconfig = json_array_size(config), n = nconfig + json_array_size(push_added), i;
	json_t *list = json_array();
	char next[24] = "";
	long from = strtol(cursor, NULL, 10);

	for (i = from > 0 ? (size_t)from : 0; i < n && json_array_size(list) < PAGE; i++) {
		target = i < nconfig ? json_array_get(config, i) : json_array_get(push_added, i - nconfig);
		if (name == NULL || push_fits(target, name, NULL))
			append(list, target, name, i < nconfig);
	}
	if (i < n)
		snprintf(next, sizeof(next), "%zu", i);
	*body = json_pack("{s:o, s:s}", "pushes", list, "cursor", next);
	return 0;
}

int
push_call(const char *verb, const json_t *args, json_t **body)
{
	const char *name = push_text(args, "name"), *id = push_text(args, "id");
	bool list = strcmp(verb, "push_list") == 0;

	*body = NULL;
	if (name[0] == '\0' && list)
		return list_page(NULL, push_text(args, "cursor"), body);
	if (!stream_name_ok(name, strlen(name)))
		return refuse(body, EINVAL, "that can't be a stream's name");
	if (list)
		return list_page(name, push_text(args, "cursor"), body);
	if (push_id_wrong(id) != NULL)
		return refuse(body, EINVAL, push_id_wrong(id));
	if (strcmp(verb, "push_add") == 0)
		return add(name, id, args, body);
	return strcmp(verb, "push_remove") == 0 ? drop(name, id, body) : ENOSYS;
}
