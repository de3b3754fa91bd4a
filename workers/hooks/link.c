/*
 * link.c - Redis is there, Redis is away; who of the hosts on it delivers; the figures on the board.
 *
 * The lead is a key with a time to live (hooks:leader), taken when it is free and renewed at a third
 * of it, by hosts that have a URL. It is believed only until it may have run out: every change of
 * the outbox checks it in the same script anyway, so two that think so can do no harm but send an
 * event twice.
 * Called by main.c, target.c (are there URLs?), deliver.c (figures) and by redis_life.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "scripts.h"
#include "util.h"

#define START_QUIET_MS 2000	/* the embedded redis-server starts when we do */

static struct {
	char where[300], leader[100];
	bool up, was_up, said;
	int64_t since_ms;
	struct event *tick;
} ln;

static void
board(void)
{
	struct board_page *p = hk.svc->page;
	const struct target *t, *bad = NULL;
	int failing = 0;

	TAILQ_FOREACH(t, &hk.targets, entry)
		if (t->error[0] != '\0' && (t->failures > 0 || t->busy == 0)) {
			failing++;
			bad = t;
		}
	board_begin(&p->seq);
	p->hooks.redis_up = ln.up;
	p->hooks.leading = hk.leading;
	p->hooks.urls = hk.ntargets;
	p->hooks.failing = failing;
	snprintf(p->hooks.error, sizeof p->hooks.error, "%s%s%s", bad ? bad->id : "", bad ? ": " : "",
	    bad ? bad->error : "");
	board_end(&p->seq);
}

void
link_count(uint64_t delivered, uint64_t failed, uint64_t dead)
{
	struct board_page *p = hk.svc->page;

	board_begin(&p->seq);
	p->hooks.delivered += delivered;
	p->hooks.failed += failed;
	p->hooks.dead += dead;
	board_end(&p->seq);
	board();
}

/* {hook, events, hook, events ..}; ctx: where their sum goes on the board */
static void
sum_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct board_page *p = hk.svc->page;
	uint64_t n = 0;

	for (size_t i = 1; rc == 0 && i < json_array_size(reply); i += 2) {
		const char *text = json_string_value(json_array_get(reply, i));

		n += text ? strtoull(text, NULL, 10) : 0;
	}
	if (rc != 0)
		return;
	board_begin(&p->seq);
	*(uint64_t *)ctx = n;
	board_end(&p->seq);
}

static void
ask_sums(void)
{
	char waiting[KEY_BYTES], lost[KEY_BYTES];
	const char *of_waiting[] = { "HGETALL", key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, "") };
	const char *of_lost[] = { "HGETALL", key_make(lost, hk.prefix, KEY_HOOKS_LOST, "") };

	redis_command(hk.redis, 2, of_waiting, sum_cb, &hk.svc->page->hooks.waiting);
	redis_command(hk.redis, 2, of_lost, sum_cb, &hk.svc->page->hooks.lost);
}

/* --- the lead --- */

static void
leader_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	if (rc == 0)
		str_copy(ln.leader, json_string_value(reply) ? json_string_value(reply) : "", sizeof ln.leader);
}

static void
lead_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	char key[KEY_BYTES];
	const char *argv[] = { "GET", key_make(key, hk.prefix, KEY_HOOKS_LEADER, "") };
	bool was = hk.leading;

	hk.leading = rc == 0 && json_integer_value(reply) == 1;
	if (rc != 0)
		return;
	redis_command(hk.redis, 2, argv, leader_cb, NULL);
	if (hk.leading && !was) {
		log_debug("this host delivers webhooks");
		outbox_up();
	} else if (was && !hk.leading)
		log_info("another host delivers webhooks now");
	board();
}

void
link_lead(void)
{
	char key[KEY_BYTES], ttl[16];
	const char *argv[] = { key_make(key, hk.prefix, KEY_HOOKS_LEADER, ""), hk.me, ttl };

	if (hk.stopping || !redis_is_up(hk.redis))
		return;
	if (hk.ntargets == 0) {		/* it would deliver the others' events to nobody */
		if (hk.leading)
			link_leave(NULL);
		return;
	}
	snprintf(ttl, sizeof ttl, "%d", KEY_TTL_MS);
	redis_run(hk.redis, &script_lead, 1, 3, argv, lead_cb, NULL);
}

/* So that the next one need not wait for the key to run out. */
void
link_leave(redis_cb cb)
{
	char key[KEY_BYTES];
	const char *argv[] = { key_make(key, hk.prefix, KEY_HOOKS_LEADER, ""), hk.me, "0" };

	redis_run(hk.redis, &script_lead, 1, 3, argv, cb, NULL);
	hk.leading = false;
}

const char *
link_leader(void)
{
	return ln.leader;
}

/* --- Redis --- */

static void
up(void *ctx)
{
	if (ln.said)
		log_info("Redis is back after %.1f s: webhooks go on", (double)(now_ms() - ln.since_ms) / 1000);
	ln.up = ln.was_up = true;
	ln.said = false;
	target_refresh();
	link_lead();
	board();
}

static void
away(const char *why, int64_t retry_ms, void *ctx)
{
	if (ln.up)
		ln.since_ms = now_ms();
	ln.up = hk.leading = false;
	board();
	if (ln.said || hk.stopping || (!ln.was_up && now_ms() - ln.since_ms < START_QUIET_MS))
		return;
	ln.said = true;
	log_warnx("Redis at %s is away (%s): webhooks wait for it", ln.where, why);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (hk.stopping || !redis_is_up(hk.redis))
		return;
	link_lead();
	target_refresh();
	ask_sums();
}

void
link_config(void)
{
	redis_limits(hk.redis, conf_int(hk.svc->conf, "redis.timeout"), conf_int(hk.svc->conf, "redis.retry_max"));
}

void
link_start(void)
{
	static const struct redis_ops ops = { .up = up, .away = away };
	static const struct timeval tv = { KEY_RENEW_MS / 1000, KEY_RENEW_MS % 1000 * 1000 };
	const json_t *c = hk.svc->conf;
	struct redis_url url;
	const char *why;

	if (redis_url_parse(conf_str(c, "redis.url"), conf_str(c, "run_dir"), &url, &why) < 0)
		fatalx("redis.url: %s", why);
	redis_url_print(&url, ln.where, sizeof ln.where);
	ln.since_ms = now_ms();
	snprintf(hk.me, sizeof hk.me, "%s:%d:%llu", conf_str(c, "host_id"), (int)getpid(),
	    (unsigned long long)board_start_ticks(getpid()));
	hk.redis = redis_new(hk.svc->base, &url, conf_int(c, "redis.timeout"), conf_int(c, "redis.retry_max"), &ops,
	    NULL);
	ln.tick = event_new(hk.svc->base, -1, EV_PERSIST, tick_cb, NULL);
	if (!ln.tick || event_add(ln.tick, &tv) < 0)
		fatalx("out of memory");
	board();
}

void
link_stop(void)
{
	if (ln.tick)
		event_free(ln.tick);
	ln.tick = NULL;
	redis_free(&hk.redis);
}
