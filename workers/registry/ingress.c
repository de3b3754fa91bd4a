/*
 * ingress.c - keys that /v1/createIngress made, as hashes, in Redis (ingress:keys): so that they hold
 * on every host, and after a loss of this one's files. The supervisor checks them and keeps a copy,
 * which is told all there is whenever Redis has come back; nobody but it sees them otherwise.
 *
 * Called by calls.c (verbs) and link.c.
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

#define HASHES_MAX 8		/* of one name: hosts that made one each, and secrets that were changed */
#define HASH_BYTES 200
#define PAGE "100"

static void
answer(void *ctx, int rc, json_t *body)
{
	struct msg call = { .type = MSG_CALL, .id = (uint32_t)(uintptr_t)ctx };

	svc_reply(rg.svc, &call, rc, body);
}

/* A list of hashes, whatever stood there; new reference. */
static json_t *
read_list(const char *text)
{
	json_t *list = text ? json_loads(text, 0, NULL) : NULL, *out = json_array(), *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_is_string(v) && json_array_size(out) < HASHES_MAX)
			json_array_append(out, v);
	json_decref(list);
	return out;
}

/* reply: JSON, or null if there is none. */
static void
get_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	answer(ctx, rc, rc ? NULL : json_pack("{s:o}", "hashes", read_list(json_string_value(reply))));
}

void
ingress_get(const struct msg *m, const char *name)
{
	char key[KEY_BYTES];
	const char *argv[] = { "HGET", key_make(key, rg.prefix, KEY_INGRESS, ""), name };

	redis_command(rg.redis, 3, argv, get_cb, (void *)(uintptr_t)m->id);
}

static void
put_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	answer(ctx, rc, NULL);
}

/* The newest ones are kept. */
void
ingress_put(const struct msg *m, const char *name, const json_t *hashes)
{
	char key[KEY_BYTES], max[12];
	const char *argv[4 + HASHES_MAX] = { key_make(key, rg.prefix, KEY_INGRESS, ""), name, max };
	const json_t *v;
	int argc = 3;
	size_t i;

	snprintf(max, sizeof max, "%d", HASHES_MAX);
	json_array_foreach(hashes, i, v)
		if (json_is_string(v) && json_string_length(v) < HASH_BYTES && argc < 3 + HASHES_MAX)
			argv[argc++] = json_string_value(v);
	redis_run(rg.redis, &script_ingress, 1, argc, argv, put_cb, (void *)(uintptr_t)m->id);
}

/* --- all there are, for the supervisor --- */

static void read_page(const char *cursor);

/* reply: {cursor, {name, json, name, json ..}} */
static void
page_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	const char *cursor = json_string_value(json_array_get(reply, 0));
	json_t *list = json_array_get(reply, 1), *keys = json_object();

	for (size_t i = 0; rc == 0 && i + 1 < json_array_size(list); i += 2) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name && stream_name_ok(name, strlen(name)))
			json_object_set_new(keys, name, read_list(json_string_value(json_array_get(list, i + 1))));
	}
	if (json_object_size(keys) > 0)
		svc_send(rg.svc, MSG_EVENT, 0, json_pack("{s:s, s:O}", "event", "ingress", "keys", keys));
	json_decref(keys);
	if (rc == 0 && cursor && strcmp(cursor, "0") != 0)
		read_page(cursor);
}

static void
read_page(const char *cursor)
{
	char key[KEY_BYTES];
	const char *argv[] = { "HSCAN", key_make(key, rg.prefix, KEY_INGRESS, ""), cursor, "COUNT", PAGE };

	redis_command(rg.redis, 5, argv, page_cb, NULL);
}

void
ingress_tell(void)
{
	read_page("0");
}
