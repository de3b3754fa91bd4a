/* redis_life.h - between redis.c (the wire, hiredis) and redis_life.c (when) only. */
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
	struct event *rd, *wr, *timer;
	struct resolve *resolve;
};

/* address: numeric, or NULL for the unix socket. 0, or -1 after redis_lost(). */
int redis_wire_open(struct redis *r, const char *address);
/* What is under way is answered with EHOSTDOWN. */
void redis_wire_close(struct redis *r);
/* 0, or -1: cb is not called. Also before the connection is up. */
int redis_wire_send(struct redis *r, int argc, const char *const *argv, redis_cb cb, void *ctx);
/* The connection is given up, whatever its state; the next try is set. */
void redis_lost(struct redis *r, const char *why);
#endif
