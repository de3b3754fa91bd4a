/*
 * hooks.h - what millrace-hooks' files know of each other. One process, one loop, one struct hooks;
 * each file owns what is named after it.
 *
 *   main.c     order of start and stop, config, messages
 *   link.c     Redis up and away, who leads, the board
 *   target.c   the URLs: those of the config and those that were registered
 *   outbox.c   events out of `hooks:in` into a lane per URL and stream, and out of the lanes
 *   outbox_say.c  what became of them, to Redis
 *   deliver.c  one event to one URL: request, answer, what then
 *   ask.c      authorize.hook
 *   calls.c    verbs of CALL; calls_dead.c  dead letters; register.c  /v1/registerWebhook
 *   pure: event.h style.h sign.h; send.h is libcurl, scripts.h the Lua
 *
 * One host of a Redis leads: it alone delivers, for all, so that the order of a stream's events holds
 * when the stream moves. What is under way when the lead is lost is delivered again by the next.
 * Memory is bounded by hooks.concurrency events; all others are in Redis.
 */
#ifndef MILLRACE_HOOKS_HOOKS_H
#define MILLRACE_HOOKS_HOOKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "conf.h"
#include "event.h"
#include "send.h"
#include "style.h"
#include "svc.h"
#include "workers/common/keys.h"
#include "workers/common/redis.h"

#define TARGET_ID 32
#define TARGETS_MAX (CONF_HOOKS_MAX + CONF_REGISTERED_MAX)

/* A URL. Those that are gone from the config are freed at once; deliveries know ids only. */
struct target {
	TAILQ_ENTRY(target) entry;
	char id[TARGET_ID];
	char *url, *secret, *key;
	enum style style;
	json_t *events, *streams;
	bool registered, seen;		/* by /v1/registerWebhook; while reloading: still there */
	int busy;			/* requests under way */
	unsigned failures;		/* in a row, of the receiver as a whole */
	int64_t next_ms;		/* not before, if there are failures */
	uint64_t delivered, failed;	/* since our start */
	char error[200];		/* of the last one that failed, "" after one that did not */
	int64_t said_ms;		/* when the log was told of a failure; 0: not since it was well */
};
TAILQ_HEAD(targets, target);

struct hooks {
	struct svc *svc;
	struct redis *redis;
	struct send *send;
	const char *prefix;
	char me[100];			/* HOST_ID:PID:START */
	bool leading, stopping;
	struct targets targets;
	int ntargets, under_way;
};
extern struct hooks hk;			/* one process, one of them */

/* --- link.c --- */
void link_start(void);
void link_stop(void);
void link_config(void);
void link_lead(void);			/* takes or renews the lead, if that is possible */
void link_count(uint64_t delivered, uint64_t failed, uint64_t dead);	/* on the board */
const char *link_leader(void);		/* who leads, as far as we know; "" */
void link_leave(redis_cb cb);		/* leads no more; cb once */

/* --- target.c --- */
void target_load(void);			/* of the config */
void target_refresh(void);		/* registered ones, from Redis */
struct target *target_find(const char *id);	/* or NULL */
void target_free_all(void);
const char *target_secret(const struct target *t);	/* "" = none */

/* --- outbox.c --- */
void outbox_start(void);
void outbox_stop(void);
void outbox_pump(void);			/* goes on if it is time; harmless */
void outbox_again(void);		/* something may be due now */
void outbox_sooner(void);		/* an event may be in the outbox in a moment */
void outbox_up(void);			/* we lead, and Redis is there */

/* --- outbox_say.c: says what became of an entry; again when Redis is back, if it is away --- */
void outbox_done(const char *hook, const char *lane, const char *entry);
void outbox_failed(const char *hook, const char *lane, const char *tries, int64_t again_ms);
void outbox_dead(const char *hook, const char *lane, const char *entry, const char *error, const char *tries,
    const char *data);
void outbox_wake(const char *hook);	/* all its lanes are due */
bool outbox_said(void);			/* Redis knows all that became of events */
void outbox_say_again(void);
void outbox_say_stop(void);
void outbox_refused(int rc, const char *error);	/* in the log, once; rc 0: it takes what we say */

/* --- deliver.c --- */
/* tries: what outbox_failed() was told last, "" at first. */
void deliver(struct target *t, const char *lane, const char *entry, int64_t age_ms, const char *tries,
    const char *data);
void deliver_forget(const char *hook);	/* its URL is gone: what is under way is not waited for */
void deliver_stop(void);

/* --- ask.c --- */
void ask_call(const struct msg *call, const json_t *args);
void ask_config(void);
void ask_stop(void);

/* --- main.c --- */
void hooks_idle(void);			/* nothing is under way: a stop that waits for it goes on */

/* --- calls.c, calls_dead.c, register.c --- */
void calls_handle(struct svc *s, struct msg *m);
void calls_answer(uint32_t call, int rc, json_t *body);		/* body stolen */
void dead_list_call(const struct msg *m, const json_t *args);
void dead_retry_call(const struct msg *m, const json_t *args);
void dead_drop_call(const struct msg *m, const json_t *args);
void register_call(const struct msg *m, const json_t *args);
void unregister_call(const struct msg *m, const json_t *args);
void register_forget(const char *id);	/* it is registered no more: what waits for it goes, too */
#endif
