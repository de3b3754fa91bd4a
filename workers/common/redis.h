/*
 * redis.h - one connection to Redis on a libevent loop, which comes back by itself.
 *
 * It never blocks: names are resolved beside the loop, everything has redis.timeout. A Redis
 * that does not answer a PING in time is away, like one that closed the connection. What
 * was under way then is answered with EHOSTDOWN, and so is what is asked while it is away.
 */
#ifndef MILLRACE_REDIS_H
#define MILLRACE_REDIS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "redis_url.h"

struct event_base;
struct redis;

struct redis_ops {
	/* Up, or away: why, and for how long the next try is put off. */
	void (*up)(void *ctx);
	void (*away)(const char *why, int64_t retry_ms, void *ctx);
};

/*
 * Once per command, perhaps before redis_command() returns. rc 0: reply is borrowed (bulk and
 * status are strings, made valid UTF-8; nil is null). EIO: Redis refused, error says why.
 * EHOSTDOWN: away; nobody knows whether a command under way was carried out.
 */
typedef void (*redis_cb)(int rc, json_t *reply, const char *error, void *ctx);

/* Starts to connect on the loop's next turn. */
struct redis *redis_new(struct event_base *base, const struct redis_url *url, int64_t timeout_ms,
    int64_t retry_max_ms, const struct redis_ops *ops, void *ctx);
/* Never from within a callback. What is under way is answered with EHOSTDOWN. */
void redis_free(struct redis **r);
void redis_limits(struct redis *r, int64_t timeout_ms, int64_t retry_max_ms);
struct event_base *redis_base(const struct redis *r);
bool redis_is_up(const struct redis *r);	/* r NULL: it is away */
/* Of the last PING. */
int64_t redis_delay_ms(const struct redis *r);

#define REDIS_ARGS_MAX 512
/* argc strings; cb may be NULL. */
void redis_command(struct redis *r, int argc, const char *const *argv, redis_cb cb, void *ctx);

/* A Lua script: sent by its SHA-1, whole only to a Redis that does not know it. */
struct redis_script {
	const char *text;
	char sha[41];		/* made at the first use */
};
/* argv: nkeys keys, then arguments. At most REDIS_ARGS_MAX - 3. */
void redis_run(struct redis *r, struct redis_script *script, int nkeys, int argc,
    const char *const *argv, redis_cb cb, void *ctx);
#endif
