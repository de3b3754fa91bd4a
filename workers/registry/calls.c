/*
 * calls.c - the questions others may ask the registry (verbs in proto.h), by a table.
 *
 * Each is answered once: at once with EHOSTDOWN while Redis is away, else when Redis has
 * spoken. Names are checked before they become part of a key. Called by main.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "stream_name.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"
#include "workers/registry/scripts.h"

#define STREAMS_PAGE "32"	/* entries of one answer, about: it must fit into a packet */

static void
answer(uint32_t id, int rc, json_t *body)
{
	struct msg call = { .type = MSG_CALL, .id = id };

	svc_reply(rg.svc, &call, rc, body);
}

static uint32_t
id_of(void *ctx)
{
	return (uint32_t)(uintptr_t)ctx;
}

/* reply: {owner, entry}. Our own name is nobody else's: the asker would be sent in a circle. */
static void
where_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	const char *owner = json_string_value(json_array_get(reply, 0));
	const char *text = json_string_value(json_array_get(reply, 1));
	json_t *entry = text ? json_loads(text, 0, NULL) : NULL;
	json_t *url = json_object_get(entry, "url"), *body = json_object();

	if (owner && strcmp(owner, rg.host_id) != 0 && json_string_length(url) > 0) {
		json_object_set(body, "url", url);
		json_object_set(body, "host", json_object_get(entry, "host"));
	}
	json_decref(entry);
	answer(id_of(ctx), rc, body);
}

static void
call_where(const struct msg *m, const char *name, json_t *args)
{
	char lease[KEY_BYTES], streams[KEY_BYTES];
	const char *argv[] = {
		key_make(lease, rg.prefix, KEY_LEASE, name), key_make(streams, rg.prefix, KEY_STREAMS, ""),
		name,
	};

	redis_run(rg.redis, &script_where, 2, 3, argv, where_cb, (void *)(uintptr_t)m->id);
}

/* reply: {cursor, entry, entry, ...}; cursor "" when that was the last page. */
static void
streams_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	const char *cursor = json_string_value(json_array_get(reply, 0));
	json_t *list = json_array();

	for (size_t i = 1; i < json_array_size(reply); i++) {
		const char *text = json_string_value(json_array_get(reply, i));
		json_t *entry = text ? json_loads(text, 0, NULL) : NULL;

		if (entry)
			json_array_append_new(list, entry);
	}
	if (!cursor || strcmp(cursor, "0") == 0)
		cursor = "";
	answer(id_of(ctx), rc, json_pack("{s:o, s:s}", "streams", list, "cursor", cursor));
}

static void
call_streams(const struct msg *m, const char *name, json_t *args)
{
	char streams[KEY_BYTES], seen[KEY_BYTES], lease[KEY_BYTES];
	const char *cursor = json_string_value(json_object_get(args, "cursor"));
	const char *argv[] = {
		key_make(streams, rg.prefix, KEY_STREAMS, ""), key_make(seen, rg.prefix, KEY_SEEN, ""),
		cursor && cursor[0] ? cursor : "0", STREAMS_PAGE,
		key_make(lease, rg.prefix, KEY_LEASE, ""),
	};

	if (strlen(argv[2]) > 20 || strspn(argv[2], "0123456789") != strlen(argv[2]))
		answer(m->id, EINVAL, NULL);
	else
		redis_run(rg.redis, &script_streams, 2, 5, argv, streams_cb, (void *)(uintptr_t)m->id);
}

/* reply: {json, age_ms, json, age_ms, ...} */
static void
hosts_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	json_t *list = json_array();

	for (size_t i = 0; i + 1 < json_array_size(reply); i += 2) {
		const char *text = json_string_value(json_array_get(reply, i));
		json_t *host = text ? json_loads(text, 0, NULL) : NULL;

		if (!json_is_object(host)) {
			json_decref(host);
			continue;
		}
		json_object_set(host, "age_ms", json_array_get(reply, i + 1));
		json_array_append_new(list, host);
	}
	answer(id_of(ctx), rc, json_pack("{s:o}", "hosts", list));
}

static void
call_hosts(const struct msg *m, const char *name, json_t *args)
{
	char hosts[KEY_BYTES], seen[KEY_BYTES];
	const char *argv[] = {
		key_make(hosts, rg.prefix, KEY_HOSTS, ""), key_make(seen, rg.prefix, KEY_SEEN, ""),
	};

	redis_run(rg.redis, &script_hosts, 2, 2, argv, hosts_cb, (void *)(uintptr_t)m->id);
}

static void
call_lease(const struct msg *m, const char *name, json_t *args)
{
	leases_call(m, name);
}

static void
call_release(const struct msg *m, const char *name, json_t *args)
{
	leases_call_release(m, name);
}

static void
call_ingress_get(const struct msg *m, const char *name, json_t *args)
{
	ingress_get(m, name);
}

static void
call_ingress_put(const struct msg *m, const char *name, json_t *args)
{
	ingress_put(m, name, json_object_get(args, "hashes"));
}

static const struct verb {
	const char *name;
	bool needs_name;
	void (*call)(const struct msg *m, const char *name, json_t *args);
} verbs[] = {
	{ "lease", true, call_lease },
	{ "release", true, call_release },
	{ "where", true, call_where },
	{ "streams", false, call_streams },
	{ "hosts", false, call_hosts },
	{ "ingress_get", true, call_ingress_get },
	{ "ingress_put", true, call_ingress_put },
};

void
calls_handle(struct svc *s, struct msg *m)
{
	const char *verb = msg_str(m, "verb");
	json_t *args = json_object_get(m->body, "args");
	const char *name = json_string_value(json_object_get(args, "name"));

	for (size_t i = 0; verb && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		if (verbs[i].needs_name && (!name || !stream_name_ok(name, strlen(name))))
			answer(m->id, EINVAL, NULL);
		else
			verbs[i].call(m, name, args);
		return;
	}
	answer(m->id, ENOSYS, NULL);
}
