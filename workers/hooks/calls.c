/*
 * calls.c - what others may ask of webhooks (verbs in proto.h), by a table. Any host of a Redis can
 * be asked, whoever delivers: all of it is in Redis.
 *
 * Each is answered once: with EHOSTDOWN while Redis is away, else when Redis has spoken. Lists come
 * in pages. URLs are shown without what may be secret in them (send_url_show).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hooks.h"
#include "obj.h"
#include "scripts.h"
#include "util.h"

#define PAGE 24			/* rows of an answer, which must fit into a packet */

void
calls_answer(uint32_t id, int rc, json_t *body)
{
	struct msg call = { .type = MSG_CALL, .id = id };

	svc_reply(hk.svc, &call, rc, body);
}

/* --- list --- */

struct page {
	uint32_t call;
	size_t from, n, all;
	char ids[PAGE][TARGET_ID];
};

/* figures: script_list's */
static json_t *
row(const char *id, const json_t *figures, size_t i)
{
	const struct target *t = target_find(id);
	const char *text = json_string_value(json_array_get(figures, 4 * i + 4));
	json_t *tries = text ? json_loads(text, 0, NULL) : NULL, *o = json_pack("{s:s}", "id", id);
	char *url = t ? send_url_show(t->url) : NULL;
	int64_t next = t && t->failures > 0 ? t->next_ms - now_ms() : 0;

	if (t) {
		json_object_set_new(o, "url", json_string(url));
		json_object_set_new(o, "style", json_string(style_name(t->style)));
		json_object_set(o, "events", t->events);
		json_object_set(o, "streams", t->streams);
		json_object_set_new(o, "registered", json_boolean(t->registered));
		json_object_set_new(o, "delivered", json_integer((json_int_t)t->delivered));
		json_object_set_new(o, "failed", json_integer((json_int_t)t->failed));
		json_object_set_new(o, "busy", json_integer(t->busy));
	}
	free(url);
	json_object_set(o, "waiting", json_array_get(figures, 4 * i + 1));
	json_object_set(o, "lost", json_array_get(figures, 4 * i + 2));
	json_object_set(o, "streams_waiting", json_array_get(figures, 4 * i + 3));
	json_object_set_new(o, "error", json_string(tries ? obj_str(tries, "error") : t ? t->error : ""));
	json_object_set_new(o, "again_ms", json_integer(next > 0 ? next : 0));
	json_object_set_new(o, "state", json_string(!t ? "gone" : obj_str(o, "error")[0] != '\0' ? "failing" : "ok"));
	json_decref(tries);
	return o;
}

static void
list_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct page *p = ctx;
	json_t *rows = json_array();
	char cursor[24] = "";

	for (size_t i = 0; rc == 0 && i < p->n; i++)
		json_array_append_new(rows, row(p->ids[i], reply, i));
	if (p->from + p->n < p->all)
		snprintf(cursor, sizeof cursor, "%zu", p->from + p->n);
	calls_answer(p->call, rc, json_pack("{s:o, s:s, s:s, s:b, s:I}", "hooks", rows, "cursor", cursor, "leader",
	    link_leader(), "leading", hk.leading, "lost", json_integer_value(json_array_get(reply, 0))));
	free(p);
}

static void
add_id(struct page *p, const char *id)
{
	if (p->all >= p->from && p->n < PAGE)
		str_copy(p->ids[p->n++], id, TARGET_ID);
	p->all++;
}

/* reply: {hook, waiting, ..}: those that are gone from the config may have something waiting. */
static void
known_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	char waiting[KEY_BYTES], lost[KEY_BYTES];
	const char *argv[3 + PAGE] = { key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, ""),
		key_make(lost, hk.prefix, KEY_HOOKS_LOST, ""), hk.prefix };
	struct page *p = ctx;
	struct target *t;

	TAILQ_FOREACH(t, &hk.targets, entry)
		add_id(p, t->id);
	for (size_t i = 0; rc == 0 && i < json_array_size(reply); i += 2) {
		const char *id = json_string_value(json_array_get(reply, i));

		if (id && strlen(id) < TARGET_ID && !target_find(id))
			add_id(p, id);
	}
	for (size_t i = 0; i < p->n; i++)
		argv[3 + i] = p->ids[i];
	if (rc != 0)
		list_cb(rc, NULL, error, p);
	else
		redis_run(hk.redis, &script_list, 2, 3 + (int)p->n, argv, list_cb, p);
}

static void
call_list(const struct msg *m, const json_t *args)
{
	char waiting[KEY_BYTES];
	const char *argv[] = { "HGETALL", key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, "") };
	struct page *p = xcalloc(1, sizeof *p);

	p->call = m->id;
	p->from = (size_t)strtoul(obj_str(args, "cursor"), NULL, 10);
	redis_command(hk.redis, 2, argv, known_cb, p);
}

static void
call_authorize(const struct msg *m, const json_t *args)
{
	ask_call(m, args);
}

static const struct verb {
	const char *name;
	bool redis;			/* nothing without it */
	void (*call)(const struct msg *m, const json_t *args);
} verbs[] = {
	{ "list", true, call_list }, { "dead", true, dead_list_call }, { "retry", true, dead_retry_call },
	{ "drop", true, dead_drop_call }, { "register", true, register_call }, { "unregister", true, unregister_call },
	{ "authorize", false, call_authorize },
};

void
calls_handle(struct svc *s, struct msg *m)
{
	const char *verb = msg_str(m, "verb");
	const json_t *args = json_object_get(m->body, "args");

	for (size_t i = 0; verb && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		if (verbs[i].redis && !redis_is_up(hk.redis))
			calls_answer(m->id, EHOSTDOWN, NULL);
		else
			verbs[i].call(m, args);
		return;
	}
	calls_answer(m->id, ENOSYS, NULL);
}
