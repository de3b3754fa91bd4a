/*
 * register.c - URLs of /v1/registerWebhook: kept in Redis (hooks:registered), so they survive
 * restarts of everything and are known to all hosts. They get ingress_started and ingress_ended of
 * all streams, style livekit-ingress. Bounded by hooks.max_registered. Called by calls.c.
 */
#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "obj.h"
#include "scripts.h"
#include "util.h"

#define ID_DIGITS 15

struct registering {
	uint32_t call;
	char id[ID_DIGITS + 2];
};

/* The same URL is the same registration. */
static void
make_id(const char *url, char id[ID_DIGITS + 2])
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(url), (const uint8_t *)url);
	sha256_digest(&ctx, sizeof digest, digest);
	hex_format(hex, digest, sizeof digest);
	snprintf(id, ID_DIGITS + 2, "r%.*s", ID_DIGITS, hex);
}

static void
registered_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct registering *r = ctx;
	json_int_t done = json_integer_value(reply);

	if (rc != 0)
		calls_answer(r->call, rc, NULL);
	else if (done < 0)
		calls_answer(r->call, ENOSPC, json_pack("{s:s}", "text", "hooks.max_registered URLs are registered: "
		    "`millrace hooks` lists them, `millrace hooks drop ID` forgets one"));
	else
		calls_answer(r->call, 0, json_pack("{s:s, s:b}", "id", r->id, "new", done == 1));
	if (rc == 0 && done == 1)
		log_info("webhook %s was registered", r->id);
	target_refresh();
	free(r);
}

void
register_call(const struct msg *m, const json_t *args)
{
	const char *url = obj_str(args, "url"), *wrong;
	char registered[KEY_BYTES], max[24], *text;
	struct registering *r;
	json_t *entry;

	wrong = send_url_wrong(url, conf_get(hk.svc->conf, "hooks.networks"));
	if (wrong) {
		calls_answer(m->id, EINVAL, json_pack("{s:s}", "text", wrong));
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->call = m->id;
	make_id(url, r->id);
	entry = json_pack("{s:s, s:I}", "url", url, "since", (json_int_t)wall_ms());
	text = json_dumps(entry, JSON_COMPACT);
	json_decref(entry);
	snprintf(max, sizeof max, "%lld", (long long)conf_int(hk.svc->conf, "hooks.max_registered"));
	const char *argv[] = { key_make(registered, hk.prefix, KEY_HOOKS_REGISTERED, ""), r->id, text ? text : "",
		max };

	redis_run(hk.redis, &script_register, 1, 4, argv, registered_cb, r);
	free(text);
}

static void
unregistered_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	uint32_t id = (uint32_t)(uintptr_t)ctx;

	if (rc == 0 && json_integer_value(reply) == 0)
		calls_answer(id, ENOENT, json_pack("{s:s}", "text", "this URL is not registered: `millrace hooks` "
		    "lists those that are"));
	else
		calls_answer(id, rc, NULL);
	target_refresh();
}

void
unregister_call(const struct msg *m, const json_t *args)
{
	char registered[KEY_BYTES], id[ID_DIGITS + 2];
	const char *argv[] = { "HDEL", key_make(registered, hk.prefix, KEY_HOOKS_REGISTERED, ""), id };

	make_id(obj_str(args, "url"), id);
	redis_command(hk.redis, 3, argv, unregistered_cb, (void *)(uintptr_t)m->id);
}

void
register_forget(const char *id)
{
	char waiting[KEY_BYTES], lost[KEY_BYTES];
	const char *argv[] = { key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, ""),
		key_make(lost, hk.prefix, KEY_HOOKS_LOST, ""), hk.prefix, id };

	redis_run(hk.redis, &script_forget, 2, 4, argv, NULL, NULL);
}
