/*
 * redis_life.c - the life of a connection to Redis: trying, up, asked for a sign of life,
 * waiting for the next try. Decides when to give it up and when to try again.
 *
 * One timer serves all of it; what its end means is told by the state. hiredis 0.14 has no
 * timeouts, so a PING every second with a deadline is what finds a Redis that hangs. With
 * sentinels they are asked where it is, again each second; a replica is not accepted.
 * It logs nothing: struct redis_ops hears it. The wire itself is redis.c's.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backoff.h"
#include "log.h"
#include "redis_life.h"
#include "resolve.h"
#include "util.h"

#define PING_EVERY_MS 1000
#define RETRY_FIRST_MS 100

static void
timer_in(struct redis *r, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(r->timer, &tv);
}

void
redis_command(struct redis *r, int argc, const char *const *argv, redis_cb cb, void *ctx)
{
	if ((!redis_is_up(r) || redis_wire_send(r, argc, argv, cb, ctx) < 0) && cb)
		cb(EHOSTDOWN, NULL, "Redis is away", ctx);
}

void
redis_lost(struct redis *r, const char *why)
{
	char text[200];
	uint32_t random = 0;
	int64_t retry_ms;

	str_copy(text, why, sizeof text);	/* it may die with the connection */
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 512;
	retry_ms = backoff_ms(++r->failures, RETRY_FIRST_MS, r->retry_max_ms, random);
	r->state = LINK_WAITING;
	redis_wire_close(r);
	timer_in(r, retry_ms);
	r->ops->away(text, retry_ms, r->ctx);
}

static void
pong_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct redis *r = ctx;

	if (rc == EHOSTDOWN || r->state != LINK_PINGING)
		return;
	if (rc != 0) {
		redis_lost(r, error);
		return;
	}
	r->delay_ms = now_ms() - r->ping_ms;
	r->state = LINK_UP;
	timer_in(r, PING_EVERY_MS);
	if (r->sentinel)
		sentinel_ask(r->sentinel);
}

static void
ping(struct redis *r)
{
	static const char *const cmd[] = { "PING" };

	r->state = LINK_PINGING;
	r->ping_ms = now_ms();
	timer_in(r, r->timeout_ms);
	if (redis_wire_send(r, 1, cmd, pong_cb, r) < 0)
		redis_lost(r, "it takes no more commands");
}

/* AUTH and SELECT: only a refusal matters. */
static void
greeted_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct redis *r = ctx;

	if (rc == EIO && r->state == LINK_TRYING)
		redis_lost(r, error);
}

/* A sentinel may not know yet, and a replica refuses what we write. */
static void
role_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct redis *r = ctx;
	const char *role = json_string_value(json_array_get(reply, 0));

	if (rc == 0 && r->state == LINK_TRYING && role && strcmp(role, "master") != 0)
		redis_lost(r, "it is no master any more, or not yet");
}

static void
first_pong_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct redis *r = ctx;

	if (rc == EHOSTDOWN || r->state != LINK_TRYING)
		return;
	if (rc != 0) {		/* "LOADING ...", "NOAUTH ..." */
		redis_lost(r, error);
		return;
	}
	r->failures = 0;
	r->delay_ms = now_ms() - r->ping_ms;
	r->state = LINK_UP;
	timer_in(r, PING_EVERY_MS);
	r->ops->up(r->ctx);
}

static void
greet(struct redis *r)
{
	const char *auth[] = { "AUTH", r->url.user, r->url.password };
	const char *auth_old[] = { "AUTH", r->url.password };
	static const char *const cmd[] = { "PING" }, *const role[] = { "ROLE" };
	char db[16];
	const char *choose[] = { "SELECT", db };

	if (r->url.user[0])
		redis_wire_send(r, 3, auth, greeted_cb, r);
	else if (r->url.password[0])
		redis_wire_send(r, 2, auth_old, greeted_cb, r);
	snprintf(db, sizeof db, "%d", r->url.db);
	if (r->url.db != 0)
		redis_wire_send(r, 2, choose, greeted_cb, r);
	if (r->sentinel)
		redis_wire_send(r, 1, role, role_cb, r);
	r->ping_ms = now_ms();
	redis_wire_send(r, 1, cmd, first_pong_cb, r);
}

/* address: numeric, or NULL for the unix socket. */
static void
open_to(struct redis *r, const char *address)
{
	if (redis_wire_open(r, address) == 0)
		greet(r);
}

static void
resolved_cb(const char *address, const char *why, void *ctx)
{
	struct redis *r = ctx;

	if (r->state != LINK_TRYING || r->ac)
		return;
	if (address)
		open_to(r, address);
	else
		redis_lost(r, why);
}

/* The sentinels' word: for an attempt that waits for it, or about a connection that is up. */
static void
named_cb(const struct redis_place *place, const char *why, void *ctx)
{
	struct redis *r = ctx;
	char text[400];

	if (r->state == LINK_TRYING && !r->ac) {
		if (!place) {
			redis_lost(r, why);
			return;
		}
		r->url.at = *place;
		resolve_ask(r->resolve, r->url.at.host, r->failures);
	} else if (place && redis_is_up(r) &&
	    (place->port != r->url.at.port || strcmp(place->host, r->url.at.host) != 0)) {
		snprintf(text, sizeof text, "the master is %s:%d now, says a sentinel", place->host, place->port);
		redis_lost(r, text);
	}
}

static void
try_now(struct redis *r)
{
	r->state = LINK_TRYING;
	timer_in(r, r->timeout_ms);
	if (r->url.path[0])
		open_to(r, NULL);
	else if (r->sentinel)
		sentinel_ask(r->sentinel);
	else
		resolve_ask(r->resolve, r->url.at.host, r->failures);
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct redis *r = ctx;
	char why[64];

	switch (r->state) {
	case LINK_WAITING:
		try_now(r);
		break;
	case LINK_UP:
		ping(r);
		break;
	case LINK_TRYING:
	case LINK_PINGING:
		snprintf(why, sizeof why, "no answer within %lld ms", (long long)r->timeout_ms);
		redis_lost(r, why);
		break;
	}
}

struct redis *
redis_new(struct event_base *base, const struct redis_url *url, int64_t timeout_ms,
    int64_t retry_max_ms, const struct redis_ops *ops, void *ctx)
{
	struct redis *r = xcalloc(1, sizeof *r);

	r->base = base;
	r->url = *url;
	r->ops = ops;
	r->ctx = ctx;
	redis_limits(r, timeout_ms, retry_max_ms);
	r->timer = evtimer_new(base, timer_cb, r);
	if (!r->timer)
		fatalx("out of memory");
	r->resolve = resolve_new(base, resolved_cb, r);
	if (url->nsentinels > 0)
		r->sentinel = sentinel_new(base, url, timeout_ms, retry_max_ms, named_cb, r);
	timer_in(r, 0);
	return r;
}

void
redis_free(struct redis **rp)
{
	struct redis *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	r->state = LINK_WAITING;
	redis_wire_close(r);
	sentinel_free(&r->sentinel);
	event_free(r->timer);
	resolve_free(&r->resolve);
	free(r);
}

void
redis_limits(struct redis *r, int64_t timeout_ms, int64_t retry_max_ms)
{
	r->timeout_ms = timeout_ms;
	r->retry_max_ms = retry_max_ms;
	if (r->sentinel)
		sentinel_limits(r->sentinel, timeout_ms, retry_max_ms);
}

struct event_base *
redis_base(const struct redis *r)
{
	return r->base;
}

bool
redis_is_up(const struct redis *r)
{
	return r && r->ac && (r->state == LINK_UP || r->state == LINK_PINGING);
}

int64_t
redis_delay_ms(const struct redis *r)
{
	return r->delay_ms;
}
