/*
 * ledger.c - one entry per file in the hash `files`: merged, read, dropped, listed.
 *
 * An entry is JSON. Its numbers are kept as strings there, because Redis' Lua, which merges
 * two entries in one step, has no integers beyond 2^53 and a time in ns is one; what comes
 * out of here are numbers again. Nothing is kept here. Contract in ledger.h.
 */
#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/common/ledger.h"

#define PAGE_FILES "32"		/* entries of one answer, about */

struct ledger {
	struct redis *r;
	char *prefix, *host, *host_id;
	char files[KEY_BYTES];
};

struct ask {
	ledger_cb cb;
	void *ctx;
};

/*
 * KEYS files; ARGV id fields first found -> 1. A field that is null goes; an entry without any begins
 * as `first`. found: as ledger_put_found().
 */
static struct redis_script script_put = { .text =
	"local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
	"local o = cjson.decode(old or ARGV[3])\n"
	"local t = redis.call('TIME')\n"
	"local was, new = o.state, cjson.decode(ARGV[2])\n"
	"if ARGV[4] == '1' and o.size == new.size and o.mtime_ns == new.mtime_ns and was ~= 'local' then\n"
	"  return 1\n"
	"end\n"
	"for k, v in pairs(new) do\n"
	"  if v == cjson.null then o[k] = nil else o[k] = v end\n"
	"end\n"
	"if not o.since or o.state ~= was then\n"
	"  o.since = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))\n"
	"end\n"
	"redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(o))\n"
	"return 1\n" };

static const char *const numbers[] = { "size", "mtime_ns", "inode", "progress", "since" };
#define NNUMBERS (sizeof numbers / sizeof numbers[0])

struct ledger *
ledger_new(struct redis *r, const char *prefix, const char *host, const char *host_id)
{
	struct ledger *l = xcalloc(1, sizeof *l);

	l->r = r;
	l->prefix = xstrdup(prefix);
	l->host = xstrdup(host);
	l->host_id = xstrdup(host_id);
	key_make(l->files, prefix, KEY_FILES, "");
	return l;
}

void
ledger_free(struct ledger **lp)
{
	struct ledger *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	free(l->prefix);
	free(l->host);
	free(l->host_id);
	free(l);
}

void
ledger_id_of(const char *host_id, const char *path, char id[LEDGER_ID])
{
	struct sha256_ctx sha;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&sha);
	sha256_update(&sha, strlen(host_id) + 1, (const uint8_t *)host_id);
	sha256_update(&sha, strlen(path), (const uint8_t *)path);
	sha256_digest(&sha, sizeof digest, digest);
	hex_format(id, digest, LEDGER_ID / 2);
}

void
ledger_id(const struct ledger *l, const char *path, char id[LEDGER_ID])
{
	ledger_id_of(l->host_id, path, id);
}

static struct ask *
ask_new(ledger_cb cb, void *ctx)
{
	struct ask *a = xcalloc(1, sizeof *a);

	*a = (struct ask){ cb, ctx };
	return a;
}

/* --- an entry, in and out --- */

static json_t *
with_strings(const json_t *fields)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)fields), *v;
	char text[32];

	for (size_t i = 0; i < NNUMBERS; i++) {
		v = json_object_get(copy, numbers[i]);
		if (!json_is_integer(v))
			continue;
		snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
		json_object_set_new(copy, numbers[i], json_string(text));
	}
	return copy;
}

/* NULL if it is no entry. */
static json_t *
with_numbers(const char *text)
{
	json_t *entry = text ? json_loads(text, 0, NULL) : NULL, *v;

	if (!json_is_object(entry)) {
		json_decref(entry);
		return NULL;
	}
	for (size_t i = 0; i < NNUMBERS; i++) {
		v = json_object_get(entry, numbers[i]);
		if (json_is_string(v))
			json_object_set_new(entry, numbers[i],
			    json_integer(strtoll(json_string_value(v), NULL, 10)));
	}
	return entry;
}

/* --- answers --- */

static void
answer(struct ask *a, int rc, json_t *body)
{
	if (a->cb)
		a->cb(rc, body, a->ctx);
	json_decref(body);
	free(a);
}

static void
done_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	if (rc == EIO)
		log_debug("Redis refuses a ledger entry: %s", error);
	answer(ctx, rc, json_null());
}

static void
entry_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	json_t *entry = rc == 0 ? with_numbers(json_string_value(reply)) : NULL;

	answer(ctx, rc, entry ? entry : json_null());
}

/* reply: {cursor, {id, entry, id, entry, ...}} */
static void
list_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	const char *cursor = json_string_value(json_array_get(reply, 0));
	json_t *found = json_array_get(reply, 1), *files = json_array(), *entry;

	for (size_t i = 1; i < json_array_size(found); i += 2) {
		entry = with_numbers(json_string_value(json_array_get(found, i)));
		if (entry)
			json_array_append_new(files, entry);
	}
	if (!cursor || strcmp(cursor, "0") == 0)
		cursor = "";
	answer(ctx, rc, json_pack("{s:o, s:s}", "files", files, "cursor", cursor));
}

/* --- questions --- */

static void
put(struct ledger *l, const char *id, const json_t *fields, const char *found, ledger_cb cb, void *ctx)
{
	json_t *strings = with_strings(fields);
	json_t *first = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "host", l->host, "host_id", l->host_id,
	    "state", "local");
	char *text = json_dumps(strings, JSON_COMPACT), *first_text = json_dumps(first, JSON_COMPACT);
	const char *argv[] = { l->files, id, text ? text : "{}", first_text ? first_text : "{}", found };

	redis_run(l->r, &script_put, 1, 5, argv, done_cb, ask_new(cb, ctx));
	free(text);
	free(first_text);
	json_decref(strings);
	json_decref(first);
}

void
ledger_put(struct ledger *l, const char *id, const json_t *fields, ledger_cb cb, void *ctx)
{
	put(l, id, fields, "0", cb, ctx);
}

void
ledger_put_found(struct ledger *l, const char *id, const json_t *fields, ledger_cb cb, void *ctx)
{
	put(l, id, fields, "1", cb, ctx);
}

void
ledger_get(struct ledger *l, const char *id, ledger_cb cb, void *ctx)
{
	const char *argv[] = { "HGET", l->files, id };

	redis_command(l->r, 3, argv, entry_cb, ask_new(cb, ctx));
}

void
ledger_drop(struct ledger *l, const char *id, ledger_cb cb, void *ctx)
{
	const char *argv[] = { "HDEL", l->files, id };

	redis_command(l->r, 3, argv, done_cb, ask_new(cb, ctx));
}

void
ledger_list(struct ledger *l, const char *cursor, ledger_cb cb, void *ctx)
{
	const char *argv[] = { "HSCAN", l->files, cursor && cursor[0] ? cursor : "0", "COUNT", PAGE_FILES };

	redis_command(l->r, 5, argv, list_cb, ask_new(cb, ctx));
}

void
ledger_hash_put(struct ledger *l, const char *sha256, const char *id, ledger_cb cb, void *ctx)
{
	char key[KEY_BYTES];
	const char *argv[] = { "SET", key_make(key, l->prefix, KEY_HASH, sha256), id };

	redis_command(l->r, 3, argv, done_cb, ask_new(cb, ctx));
}
