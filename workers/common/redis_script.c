/*
 * redis_script.c - Lua scripts by their SHA-1: EVALSHA, and EVAL once for a Redis that does
 * not know the script (a new one, or one that was restarted).
 *
 * The arguments are kept until the answer is there, since only then it is known whether
 * they have to go out again. Declared in redis.h; called like redis_command().
 */
#include <assert.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "util.h"

struct run {
	struct redis *r;
	struct redis_script *script;
	redis_cb cb;
	void *ctx;
	int argc;
	char *argv[];		/* from the number of keys on, one block behind */
};

static void
make_sha(struct redis_script *script)
{
	struct sha1_ctx sha;
	uint8_t digest[SHA1_DIGEST_SIZE];

	sha1_init(&sha);
	sha1_update(&sha, strlen(script->text), (const uint8_t *)script->text);
	sha1_digest(&sha, sizeof digest, digest);
	hex_format(script->sha, digest, sizeof digest);
}

static void
run_done(struct run *run, int rc, json_t *reply, const char *error)
{
	if (run->cb)
		run->cb(rc, reply, error, run->ctx);
	free(run);
}

static void
whole_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	run_done(ctx, rc, reply, error);
}

static void
send_run(struct run *run, const char *verb, const char *what, redis_cb cb)
{
	const char *argv[REDIS_ARGS_MAX] = { verb, what };

	memcpy(argv + 2, run->argv, sizeof run->argv[0] * (size_t)run->argc);
	redis_command(run->r, run->argc + 2, argv, cb, run);
}

static void
by_sha_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct run *run = ctx;

	if (rc != 0 && strncmp(error, "NOSCRIPT", 8) == 0)
		send_run(run, "EVAL", run->script->text, whole_cb);
	else
		run_done(run, rc, reply, error);
}

void
redis_run(struct redis *r, struct redis_script *script, int nkeys, int argc,
    const char *const *argv, redis_cb cb, void *ctx)
{
	size_t bytes = 16, head = sizeof(struct run) + sizeof(char *) * (size_t)(argc + 1);
	struct run *run;
	char *p;

	assert(argc + 3 <= REDIS_ARGS_MAX);
	for (int i = 0; i < argc; i++)
		bytes += strlen(argv[i]) + 1;
	run = xcalloc(1, head + bytes);
	*run = (struct run){ .r = r, .script = script, .cb = cb, .ctx = ctx, .argc = argc + 1 };
	p = (char *)run + head;
	run->argv[0] = p;
	p += snprintf(p, 16, "%d", nkeys) + 1;
	for (int i = 0; i < argc; i++) {
		run->argv[i + 1] = p;
		p += str_copy(p, argv[i], strlen(argv[i]) + 1) + 1;
	}
	if (!script->sha[0])
		make_sha(script);
	send_run(run, "EVALSHA", script->sha, by_sha_cb);
}
