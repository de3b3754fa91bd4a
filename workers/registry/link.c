/*
 * link.c - Redis is there, Redis is away: said once in the log with what happens next, kept
 * true on the board, told to whoever has something to do then.
 *
 * When it comes back, everything this host has in Redis is written again, from the board
 * and from disk: nothing is believed to have survived. Called by main.c and by redis_life.c.
 */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"

#define START_QUIET_MS 2000	/* the embedded redis-server starts when we do */

static struct {
	char where[300];
	bool up, was_up, said;
	int64_t since_ms;		/* up or away */
	uint64_t reconnects;
	char refusal[96];		/* Redis' words, while it is up */
	struct event *tick;
} ln;

static void
board_link(const char *error)
{
	struct board_page *p = rg.svc->page;

	board_begin(&p->seq);
	p->registry.redis_up = ln.up;
	p->registry.redis_since_ms = ln.since_ms;
	p->registry.reconnects = ln.reconnects;
	p->registry.redis_delay_ms = ln.up ? redis_delay_ms(rg.redis) : 0;
	str_copy(p->registry.redis_error, error, sizeof p->registry.redis_error);
	board_end(&p->seq);
}

void
link_refused(const char *error)
{
	str_copy(ln.refusal, error ? error : "", sizeof ln.refusal);
	if (ln.up)
		board_link(ln.refusal);
}

static void
up(void *ctx)
{
	if (ln.said)
		log_info("Redis is back after %.1f s: leases, directory and events are written again",
		    (double)(now_ms() - ln.since_ms) / 1000);
	else
		log_info("connected to %s", ln.where);
	ln.reconnects += ln.was_up;
	ln.up = ln.was_up = true;
	ln.said = false;
	ln.since_ms = now_ms();
	ln.refusal[0] = '\0';
	board_link("");
	leases_renew();
	hosts_beat();
	events_pump();
	ingress_tell();
}

static void
away(const char *why, int64_t retry_ms, void *ctx)
{
	char error[96];

	if (ln.up)
		ln.since_ms = now_ms();
	ln.up = false;
	snprintf(error, sizeof error, "%.95s", why);
	board_link(error);
	if (ln.said || rg.stopping || (!ln.was_up && now_ms() - ln.since_ms < START_QUIET_MS))
		return;
	ln.said = true;
	log_warnx("Redis at %s is away (%s): running streams go on, events wait in the spool, new "
	    "publishers follow redis.when_down; next try in %.1f s, then every %.1f s at most",
	    ln.where, why, (double)retry_ms / 1000,
	    (double)conf_int(rg.svc->conf, "redis.retry_max") / 1000);
}

/* Every third of the leases' time to live. */
static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (rg.stopping)
		return;
	if (ln.up)
		board_link(ln.refusal);
	leases_renew();
	hosts_beat();
	events_pump();
}

void
link_start(void)
{
	static const struct redis_ops ops = { .up = up, .away = away };
	static const struct timeval tv = { KEY_RENEW_MS / 1000, KEY_RENEW_MS % 1000 * 1000 };
	const json_t *conf = rg.svc->conf;
	struct redis_url url;
	const char *why;

	if (redis_url_parse(conf_str(conf, "redis.url"), conf_str(conf, "run_dir"), &url, &why) < 0)
		fatalx("redis.url: %s", why);
	redis_url_print(&url, ln.where, sizeof ln.where);
	ln.since_ms = now_ms();
	rg.redis = redis_new(rg.svc->base, &url, conf_int(conf, "redis.timeout"),
	    conf_int(conf, "redis.retry_max"), &ops, NULL);
	ln.tick = event_new(rg.svc->base, -1, EV_PERSIST, tick_cb, NULL);
	if (!ln.tick)
		fatalx("out of memory");
	event_add(ln.tick, &tv);
	board_link("not connected yet");
}

void
link_config(void)
{
	redis_limits(rg.redis, conf_int(rg.svc->conf, "redis.timeout"),
	    conf_int(rg.svc->conf, "redis.retry_max"));
}

void
link_stop(void)
{
	if (!ln.tick)
		return;
	event_free(ln.tick);
	ln.tick = NULL;
	redis_free(&rg.redis);
}
