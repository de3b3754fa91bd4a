/*
 * calls_dead.c - dead letters: events that a URL did not take for hooks.retry. Listed, tried again,
 * dropped; and the same for all that waits for a URL. Called by calls.c, which says that Redis is
 * there; all of it can be asked of any host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "obj.h"
#include "scripts.h"
#include "util.h"

#define DEAD_PAGE "24"		/* rows of an answer, which must fit into a packet */
#define DEAD_READ "200"

static uint32_t
id_of(void *ctx)
{
	return (uint32_t)(uintptr_t)ctx;
}

static void *
ctx_of(const struct msg *m)
{
	return (void *)(uintptr_t)m->id;
}

static void
answer_text(uint32_t id, int rc, const char *text)
{
	calls_answer(id, rc, json_pack("{s:s}", "text", text));
}

/* --- the list --- */

/* An entry's field of that name: {name, value, name, value ..}. */
static const char *
field(const json_t *entry, const char *name)
{
	const json_t *list = json_array_get(entry, 1);
	const char *text;

	for (size_t i = 0; i + 1 < json_array_size(list); i += 2) {
		text = json_string_value(json_array_get(list, i));
		if (text && strcmp(text, name) == 0)
			return json_string_value(json_array_get(list, i + 1));
	}
	return NULL;
}

static json_t *
dead_row(const json_t *entry)
{
	const char *data = field(entry, "data"), *tries = field(entry, "tries"), *hook = field(entry, "hook");
	json_t *event = data ? json_loads(data, 0, NULL) : NULL, *t = tries ? json_loads(tries, 0, NULL) : NULL;
	json_t *o = json_pack("{s:O?, s:s, s:s, s:s, s:s, s:I, s:s}", "id", json_array_get(entry, 0), "hook",
	    hook ? hook : "", "name", obj_str(event, "name"), "event", obj_str(event, "event"), "time",
	    obj_str(event, "time"), "tries", obj_int(t, "n"), "error", field(entry, "error") ?
	    field(entry, "error") : "");

	json_decref(event);
	json_decref(t);
	return o;
}

static void
dead_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	json_t *rows = json_array();
	const char *cursor = "";
	const json_t *e;
	size_t i;

	json_array_foreach(reply, i, e) {
		json_array_append_new(rows, dead_row(e));
		cursor = json_string_value(json_array_get(e, 0));
	}
	calls_answer(id_of(ctx), rc, json_pack("{s:o, s:s}", "dead", rows, "cursor",
	    json_array_size(reply) == (size_t)atoi(DEAD_PAGE) && cursor ? cursor : ""));
}

static bool
is_entry(const char *id)
{
	size_t n = strspn(id, "0123456789");

	return n > 0 && n < 20 && id[n] == '-' && strlen(id + n) < 20 &&
	    id[n + 1] != '\0' && strspn(id + n + 1, "0123456789") == strlen(id + n + 1);
}

void
dead_list_call(const struct msg *m, const json_t *args)
{
	char dead[KEY_BYTES], from[48];
	const char *cursor = obj_str(args, "cursor");
	const char *argv[] = { "XRANGE", key_make(dead, hk.prefix, KEY_HOOKS_DEAD, ""), from, "+", "COUNT", DEAD_PAGE };

	snprintf(from, sizeof from, "%s%.44s", is_entry(cursor) ? "(" : "", is_entry(cursor) ? cursor : "-");
	redis_command(hk.redis, 6, argv, dead_cb, ctx_of(m));
}

/* --- retry and drop: of a dead letter, or of all of a hook --- */

struct change {
	uint32_t call;
	bool retry;
	char hook[TARGET_ID];
	json_int_t n;			/* done */
	char from[48];
};

static void read_dead(struct change *c);

static void
change_end(struct change *c, int rc)
{
	if (rc == 0 && c->n == 0 && !target_find(c->hook))
		answer_text(c->call, ENOENT, "no URL and no dead letter of this id");
	else
		calls_answer(c->call, rc, rc ? NULL : json_pack("{s:I}", "n", c->n));
	outbox_again();
	free(c);
}

static void
one_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	json_int_t n = json_integer_value(reply);

	if (rc == 0 && n == 0)
		answer_text(id_of(ctx), ENOENT, "no dead letter of this id");
	else
		calls_answer(id_of(ctx), rc, rc ? NULL : json_pack("{s:I}", "n", n));
	outbox_again();
}

/* A dead letter again, or away with it. */
static void
change_one(const char *entry, bool retry, redis_cb cb, void *ctx)
{
	char dead[KEY_BYTES], waiting[KEY_BYTES];
	const char *revive[] = { key_make(dead, hk.prefix, KEY_HOOKS_DEAD, ""),
		key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, ""), hk.prefix, entry };
	const char *drop[] = { "XDEL", dead, entry };

	if (retry)
		redis_run(hk.redis, &script_revive, 2, 4, revive, cb, ctx);
	else
		redis_command(hk.redis, 3, drop, cb, ctx);
}

/* A page of dead letters: those of the hook are changed; the next page after the last. */
static void
hook_dead_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct change *c = ctx;
	const json_t *e;
	size_t i;

	json_array_foreach(reply, i, e) {
		const char *id = json_string_value(json_array_get(e, 0)), *hook = field(e, "hook");

		if (!id)
			continue;
		if (hook && strcmp(hook, c->hook) == 0) {
			change_one(id, c->retry, NULL, NULL);
			c->n++;
		}
		snprintf(c->from, sizeof c->from, "(%.44s", id);
	}
	if (rc == 0 && json_array_size(reply) > 0)
		read_dead(c);
	else
		change_end(c, rc);
}

static void
read_dead(struct change *c)
{
	char dead[KEY_BYTES];
	const char *argv[] = { "XRANGE", key_make(dead, hk.prefix, KEY_HOOKS_DEAD, ""), c->from, "+", "COUNT",
		DEAD_READ };

	redis_command(hk.redis, 6, argv, hook_dead_cb, c);
}

static void
lanes_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct change *c = ctx;

	c->n += json_integer_value(reply);
	if (rc != 0)
		change_end(c, rc);
	else
		read_dead(c);
}

/* What waits is due at once; or is dropped, and a registered URL with it. */
static void
change_hook(const struct msg *m, const char *hook, bool retry)
{
	char waiting[KEY_BYTES], lost[KEY_BYTES], registered[KEY_BYTES];
	struct change *c = xcalloc(1, sizeof *c);
	struct target *t = target_find(hook);
	const char *wake[] = { hk.prefix, c->hook };
	const char *forget[] = { key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, ""),
		key_make(lost, hk.prefix, KEY_HOOKS_LOST, ""), hk.prefix, c->hook };
	const char *unregister[] = { "HDEL", key_make(registered, hk.prefix, KEY_HOOKS_REGISTERED, ""), c->hook };

	c->call = m->id;
	c->retry = retry;
	str_copy(c->hook, hook, sizeof c->hook);
	str_copy(c->from, "-", sizeof c->from);
	if (t)
		t->next_ms = 0;
	if (retry) {
		redis_run(hk.redis, &script_wake, 0, 2, wake, lanes_cb, c);
		return;
	}
	if (t && t->registered) {
		redis_command(hk.redis, 3, unregister, NULL, NULL);
		target_refresh();
	}
	redis_run(hk.redis, &script_forget, 2, 4, forget, lanes_cb, c);
}

static void
change(const struct msg *m, const json_t *args, bool retry)
{
	const char *id = obj_str(args, "id");

	if (is_entry(id))
		change_one(id, retry, one_cb, ctx_of(m));
	else if (id[0] == '\0' || strlen(id) >= TARGET_ID)
		answer_text(m->id, ENOENT, "no URL and no dead letter of this id");
	else
		change_hook(m, id, retry);
}

void
dead_retry_call(const struct msg *m, const json_t *args)
{
	change(m, args, true);
}

void
dead_drop_call(const struct msg *m, const json_t *args)
{
	change(m, args, false);
}
