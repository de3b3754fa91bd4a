/*
 * redis_sentinel.c - where the master is, as Redis' sentinels say (contract in redis_life.h).
 *
 * hiredis has no client for them, but a sentinel speaks Redis' protocol: this is a struct redis of
 * its own, moved on to the next sentinel when one is away. It does not listen for failovers but is
 * asked: before each attempt to connect, and each second while the master is up, since a
 * master that was put down on purpose takes writes for seconds that are lost then.
 * Called by redis_life.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_life.h"
#include "util.h"

struct sentinel {
	struct redis_url url;		/* whose master is wanted */
	struct redis *link;		/* to sentinel `at` */
	int at;
	bool wanted, asking;
	sentinel_cb cb;
	void *ctx;
};

static void
not_known(struct sentinel *s, const char *why)
{
	const struct redis_place *p = &s->url.sentinels[s->at];
	char text[400];

	snprintf(text, sizeof text, "the sentinel at %.100s:%d: %.200s", p->host, p->port, why);
	s->cb(NULL, text, s->ctx);
}

/* reply: [host, port], or null. */
static void
named_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct sentinel *s = ctx;
	const char *host = json_string_value(json_array_get(reply, 0));
	const char *port = json_string_value(json_array_get(reply, 1));
	struct redis_place place = { .port = port ? atoi(port) : 0 };
	char why[100];

	s->asking = false;
	if (rc == 0 && host && place.port > 0 && place.port < 65536 &&
	    str_copy(place.host, host, sizeof place.host) < sizeof place.host) {
		s->cb(&place, NULL, s->ctx);
		return;
	}
	snprintf(why, sizeof why, "it knows no master %s", s->url.master);
	not_known(s, rc != 0 ? error : why);
}

static void
ask(struct sentinel *s)
{
	const char *argv[] = { "SENTINEL", "get-master-addr-by-name", s->url.master };

	s->wanted = false;
	s->asking = true;
	redis_command(s->link, 3, argv, named_cb, s);
}

void
sentinel_ask(struct sentinel *s)
{
	if (s->asking)
		return;
	if (redis_is_up(s->link))
		ask(s);
	else
		s->wanted = true;
}

static void
up(void *ctx)
{
	struct sentinel *s = ctx;

	if (s->wanted)
		ask(s);
}

static void
away(const char *why, int64_t retry_ms, void *ctx)
{
	struct sentinel *s = ctx;
	bool wanted = s->wanted;

	s->wanted = false;
	if (wanted)
		not_known(s, why);
	s->at = (s->at + 1) % s->url.nsentinels;
	s->link->url.at = s->url.sentinels[s->at];
}

struct sentinel *
sentinel_new(struct event_base *base, const struct redis_url *url, int64_t timeout_ms, int64_t retry_max_ms,
    sentinel_cb cb, void *ctx)
{
	static const struct redis_ops ops = { .up = up, .away = away };
	struct sentinel *s = xcalloc(1, sizeof *s);
	struct redis_url first = { .at = url->sentinels[0] };

	s->url = *url;
	s->cb = cb;
	s->ctx = ctx;
	s->link = redis_new(base, &first, timeout_ms, retry_max_ms, &ops, s);
	return s;
}

void
sentinel_limits(struct sentinel *s, int64_t timeout_ms, int64_t retry_max_ms)
{
	redis_limits(s->link, timeout_ms, retry_max_ms);
}

/* Answers that are still due come from within redis_free(), to an owner who is going, too. */
void
sentinel_free(struct sentinel **sp)
{
	struct sentinel *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	redis_free(&s->link);
	free(s);
}
