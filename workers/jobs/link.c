/*
 * link.c - Redis is there, Redis is away, for this worker; the queue and the ledger on it.
 *
 * Only the first worker of a host says it in the log: one line is enough. Called by main.c and
 * by redis_life.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/jobs.h"

#define START_QUIET_MS 2000	/* the embedded redis-server starts when we do */

static struct {
	char where[300];
	bool up, was_up, said;
	int64_t since_ms;		/* away since */
} ln;

static void
board_up(bool is_up)
{
	struct board_page *p = jw.svc->page;

	board_begin(&p->seq);
	p->jobs.redis_up = is_up;
	board_end(&p->seq);
}

static void
up(void *ctx)
{
	if (ln.said)
		log_info("Redis is back after %.1f s: jobs are taken again", (double)(now_ms() - ln.since_ms) / 1000);
	ln.up = ln.was_up = true;
	ln.said = false;
	board_up(true);
	run_up();	/* first: what runs here is known before the disk is looked at */
	house_up();
	bucket_up();
}

static void
away(const char *why, int64_t retry_ms, void *ctx)
{
	if (ln.up)
		ln.since_ms = now_ms();
	ln.up = false;
	board_up(false);
	if (ln.said || jw.stopping || jw.worker != 0 || (!ln.was_up && now_ms() - ln.since_ms < START_QUIET_MS))
		return;
	ln.said = true;
	log_warnx("Redis at %s is away (%s): running jobs go on, no new ones are taken; next try in %.1f s",
	    ln.where, why, (double)retry_ms / 1000);
}

static void
set_limits(void)
{
	const json_t *c = jw.svc->conf;
	struct queue_limits l = {
		.lease_ms = conf_int(c, "jobs.lease"),
		.retry_min_ms = conf_int(c, "jobs.retry_min"), .retry_max_ms = conf_int(c, "jobs.retry_max"),
		.attempts = (int)conf_int(c, "jobs.attempts"), .crashes = (int)conf_int(c, "jobs.crashes"),
		.keep = (int)conf_int(c, "jobs.keep"),
	};

	queue_limits(jw.queue, &l);
}

void
link_start(void)
{
	static const struct redis_ops ops = { .up = up, .away = away };
	const json_t *c = jw.svc->conf;
	const char *prefix = conf_str(c, "redis.prefix"), *host_id = conf_str(c, "host_id"), *why;
	struct redis_url url;
	char worker[100];

	if (redis_url_parse(conf_str(c, "redis.url"), conf_str(c, "run_dir"), &url, &why) < 0)
		fatalx("redis.url: %s", why);
	redis_url_print(&url, ln.where, sizeof ln.where);
	ln.since_ms = now_ms();
	snprintf(worker, sizeof worker, "%s:%d:%llu", host_id, (int)getpid(),
	    (unsigned long long)board_start_ticks(getpid()));
	jw.redis = redis_new(jw.svc->base, &url, conf_int(c, "redis.timeout"), conf_int(c, "redis.retry_max"),
	    &ops, NULL);
	jw.queue = queue_new(jw.redis, prefix, host_id, worker);
	queue_host_name(jw.queue, conf_str(c, "host"));
	jw.ledger = ledger_new(jw.redis, prefix, conf_str(c, "host"), host_id);
	set_limits();
}

void
link_config(void)
{
	redis_limits(jw.redis, conf_int(jw.svc->conf, "redis.timeout"), conf_int(jw.svc->conf, "redis.retry_max"));
	set_limits();
}

void
link_stop(void)
{
	if (!jw.redis)
		return;
	redis_free(&jw.redis);
	queue_free(&jw.queue);
	ledger_free(&jw.ledger);
}
