/* redis_life.h - between redis.c (the wire, hiredis), redis_life.c (when) and redis_sentinel.c (where) only. */
#ifndef MILLRACE_REDIS_LIFE_H
#define MILLRACE_REDIS_LIFE_H

#include "redis.h"

enum link_state { LINK_WAITING, LINK_TRYING, LINK_UP, LINK_PINGING };

struct redis {
	struct event_base *base;
	struct redis_url url;
	int64_t timeout_ms, retry_max_ms, ping_ms, delay_ms;
	const struct redis_ops *ops;
	void *ctx;
	enum link_state state;
	unsigned failures, commands;
	struct redisAsyncContext *ac;	/* NULL: no connection, not even a begun one */
	void *tls;			/* of ac, which owns it; NULL: none */
	struct event *rd, *wr, *timer;
	struct resolve *resolve;
	struct sentinel *sentinel;	/* NULL: the URL says where it is */
};

/* address: numeric, or NULL for the unix socket. 0, or -1 after redis_lost(). */
int redis_wire_open(struct redis *r, const char *address);
/* What is under way is answered with EHOSTDOWN. */
void redis_wire_close(struct redis *r);
/* 0, or -1: cb is not called. Also before the connection is up. */
int redis_wire_send(struct redis *r, int argc, const char *const *argv, redis_cb cb, void *ctx);
/* The connection is given up, whatever its state; the next try is set. */
void redis_lost(struct redis *r, const char *why);

/* place NULL: nobody knows, and why. */
typedef void (*sentinel_cb)(const struct redis_place *place, const char *why, void *ctx);
/* Asks url's sentinels where its master is; one connection, to one of them after the other. */
struct sentinel *sentinel_new(struct event_base *base, const struct redis_url *url, int64_t timeout_ms,
    int64_t retry_max_ms, sentinel_cb cb, void *ctx);
/* cb later, once per answer. */
void sentinel_ask(struct sentinel *s);
void sentinel_limits(struct sentinel *s, int64_t timeout_ms, int64_t retry_max_ms);
void sentinel_free(struct sentinel **s);
#endif
