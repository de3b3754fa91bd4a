/*
 * target.c - the URLs that events go to: those of hooks.urls, and those that were registered, which
 * are kept in Redis (hooks:registered) and looked up every few seconds, since another host may
 * have been told. One that stays keeps its figures; its id says which it is.
 * Called by main.c, link.c and calls.c.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "obj.h"
#include "util.h"

struct target *
target_find(const char *id)
{
	struct target *t;

	TAILQ_FOREACH(t, &hk.targets, entry)
		if (strcmp(t->id, id) == 0)
			return t;
	return NULL;
}

static void
drop_words(struct target *t)
{
	free(t->url);
	free(t->secret);
	free(t->key);
	json_decref(t->events);
	json_decref(t->streams);
}

static void
target_free(struct target *t)
{
	TAILQ_REMOVE(&hk.targets, t, entry);
	hk.ntargets--;
	drop_words(t);
	free(t);
}

void
target_free_all(void)
{
	while (!TAILQ_EMPTY(&hk.targets))
		target_free(TAILQ_FIRST(&hk.targets));
}

/* New, or with what may have changed. A URL that was changed is worth a try at once. */
static void
put(const json_t *o, bool registered)
{
	struct target *t = target_find(obj_str(o, "id"));
	json_t *events, *streams;

	if (!t && hk.ntargets >= TARGETS_MAX)
		return;		/* hooks.max_registered was larger on another host */
	if (!t) {
		t = xcalloc(1, sizeof *t);
		str_copy(t->id, obj_str(o, "id"), sizeof t->id);
		TAILQ_INSERT_TAIL(&hk.targets, t, entry);
		hk.ntargets++;
	} else if (t->registered && !registered) {
		t->registered = false;
	} else if (!t->registered && registered)
		return;		/* the config's word counts */
	if (t->url && strcmp(t->url, obj_str(o, "url")) != 0)
		t->failures = 0;
	events = json_incref(json_object_get(o, "events"));
	streams = json_incref(json_object_get(o, "streams"));
	drop_words(t);
	t->url = xstrdup(obj_str(o, "url"));
	t->secret = xstrdup(obj_str(o, "secret"));
	t->key = xstrdup(obj_str(o, "key"));
	t->style = style_find(obj_str(o, "style"));
	if (t->style == STYLE_COUNT)
		t->style = STYLE_NATIVE;
	t->events = events;
	t->streams = streams;
	t->registered = registered;
	t->seen = true;
}

static void
sweep(bool registered)
{
	struct target *t, *next;

	for (t = TAILQ_FIRST(&hk.targets); t; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (t->seen || t->registered != registered)
			continue;
		deliver_forget(t->id);
		if (registered)
			register_forget(t->id);
		target_free(t);
	}
}

static void
unsee(bool registered)
{
	struct target *t;

	TAILQ_FOREACH(t, &hk.targets, entry)
		t->seen = t->registered != registered;
}

void
target_load(void)
{
	const json_t *o;
	size_t i;

	unsee(false);
	json_array_foreach(conf_get(hk.svc->conf, "hooks.urls"), i, o)
		put(o, false);
	sweep(false);
	if (!hk.leading)
		link_lead();
}

/* reply: {id, json, id, json, ..} */
static void
registered_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	if (rc != 0)
		return;
	unsee(true);
	for (size_t i = 0; i + 1 < json_array_size(reply); i += 2) {
		const char *id = json_string_value(json_array_get(reply, i));
		const char *text = json_string_value(json_array_get(reply, i + 1));
		json_t *o = text ? json_loads(text, 0, NULL) : NULL;

		if (id && strlen(id) < TARGET_ID && !strchr(id, ':') && json_is_object(o)) {
			json_object_set_new(o, "id", json_string(id));
			json_object_set_new(o, "style", json_string("livekit-ingress"));
			json_object_set_new(o, "streams", json_pack("[s]", "*"));
			json_object_set_new(o, "events", json_pack("[s, s]", "publish", "unpublish"));
			put(o, true);
		}
		json_decref(o);
	}
	sweep(true);
	if (!hk.leading)
		link_lead();
	outbox_pump();
}

void
target_refresh(void)
{
	char key[KEY_BYTES];
	const char *argv[] = { "HGETALL", key_make(key, hk.prefix, KEY_HOOKS_REGISTERED, "") };

	redis_command(hk.redis, 2, argv, registered_cb, NULL);
}

const char *
target_secret(const struct target *t)
{
	return t->secret[0] != '\0' ? t->secret : conf_str(hk.svc->conf, "hooks.secret");
}
