/*
 * claim.c - whose content is it? Asked and answered in one step in Redis, so that of files of
 * one content, on any host, one is queued and the others wait for it or are skipped.
 *
 * What was done counts only while the file it was done with still has that content: its
 * object holds something else otherwise. A claim holds for a minute, within which its file
 * is queued, and then as long as that is on its way. Called by tell.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/watch/watch.h"

/* KEYS hash:SHA claim:SHA files; ARGV sha id -> {what, id} */
static struct redis_script script = { .text =
	"local function entry(id)\n"
	"  local text = redis.call('HGET', KEYS[3], id)\n"
	"  local ok, o = pcall(cjson.decode, text or '')\n"
	"  return ok and type(o) == 'table' and o or {}\n"
	"end\n"
	"local done = redis.call('GET', KEYS[1])\n"
	"if done and (entry(done).sha256 or ARGV[1]) == ARGV[1] then return {'done', done} end\n"
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"local held = redis.call('GET', KEYS[2])\n"
	"local id, since = string.match(held or '', '^(%x+):(%d+)$')\n"
	"if id and id ~= ARGV[2] then\n"
	"  local o = entry(id)\n"
	"  if now - tonumber(since) < 60000 or (o.sha256 == ARGV[1] and\n"
	"      (o.state == 'queued' or o.state == 'uploading')) then return {'other', id} end\n"
	"end\n"
	"redis.call('SET', KEYS[2], ARGV[2] .. ':' .. string.format('%.0f', now), 'EX', '604800')\n"
	"return {'mine', ''}\n" };

struct ask {
	claim_cb cb;
	void *ctx;
};

static void
answer_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct ask *a = ctx;
	const char *what = json_string_value(json_array_get(reply, 0));
	const char *id = json_string_value(json_array_get(reply, 1));

	if (rc != 0)
		log_debug("Redis did not take a claim: %s", error ? error : "it is away");
	a->cb(rc, what && strcmp(what, "done") == 0 ? CLAIM_DONE : what && strcmp(what, "other") == 0 ? CLAIM_OTHER :
	    CLAIM_MINE, id ? id : "", a->ctx);
	free(a);
}

void
claim_content(const char *sha256, const char *id, claim_cb cb, void *ctx)
{
	const char *prefix = conf_str(wa.svc->conf, "redis.prefix");
	char hash[KEY_BYTES], claim[KEY_BYTES], files[KEY_BYTES];
	const char *argv[] = { key_make(hash, prefix, KEY_HASH, sha256), key_make(claim, prefix, KEY_CLAIM, sha256),
		key_make(files, prefix, KEY_FILES, ""), sha256, id };
	struct ask *a = xcalloc(1, sizeof *a);

	*a = (struct ask){ cb, ctx };
	redis_run(wa.redis, &script, 3, 5, argv, answer_cb, a);
}
