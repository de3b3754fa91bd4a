/*
 * link.c - Redis is there, Redis is away. While it is away files settle and wait; when it is
 * back everything that counted as done is asked for again, since nothing is believed to have
 * survived: a file whose entry is still there costs one question, no hash. Called by main.c.
 */
#include <stdio.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/watch/watch.h"

#define START_QUIET_MS 2000	/* the embedded redis-server starts when we do */

static struct {
	char where[300];
	bool was_up, said;
	int64_t since_ms;
} ln;

static void
up(void *ctx)
{
	if (ln.said)
		log_info("Redis is back after %.1f s: what is known is compared with it",
		    (double)(now_ms() - ln.since_ms) / 1000);
	ln.said = false;
	if (ln.was_up)
		files_doubt_all();
	ln.was_up = true;
	tell_pump();
}

static void
away(const char *why, int64_t retry_ms, void *ctx)
{
	if (ln.said || wa.stopping || (!ln.was_up && now_ms() - ln.since_ms < START_QUIET_MS))
		return;
	ln.said = true;
	ln.since_ms = now_ms();
	log_warnx("Redis at %s is away (%s): files in watched folders wait for it", ln.where, why);
}

static void
exists_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	if (rc != 0 || !json_is_integer(reply) || json_integer_value(reply) != 0)
		return;
	if (wa.nknown > 0)
		log_warnx("Redis has lost the ledger: %lld known files are told again", (long long)wa.nknown);
	files_doubt_all();
	tell_pump();
}

void
link_doubt(void)
{
	char key[KEY_BYTES];
	const char *argv[] = { "EXISTS", key_make(key, conf_str(wa.svc->conf, "redis.prefix"), KEY_FILES, "") };

	if (wa.nknown > 0 && redis_is_up(wa.redis))
		redis_command(wa.redis, 2, argv, exists_cb, NULL);
}

void
link_config(void)
{
	redis_limits(wa.redis, conf_int(wa.svc->conf, "redis.timeout"), conf_int(wa.svc->conf, "redis.retry_max"));
}

void
link_start(void)
{
	static const struct redis_ops ops = { .up = up, .away = away };
	const json_t *c = wa.svc->conf;
	const char *prefix = conf_str(c, "redis.prefix");
	char worker[100];
	struct redis_url url;
	const char *why;

	wa.host_id = conf_str(c, "host_id");
	if (redis_url_parse(conf_str(c, "redis.url"), conf_str(c, "run_dir"), &url, &why) < 0)
		fatalx("redis.url: %s", why);
	redis_url_print(&url, ln.where, sizeof ln.where);
	ln.since_ms = now_ms();
	snprintf(worker, sizeof worker, "%s:%d:%llu", wa.host_id, (int)getpid(),
	    (unsigned long long)board_start_ticks(getpid()));
	wa.redis = redis_new(wa.svc->base, &url, conf_int(c, "redis.timeout"), conf_int(c, "redis.retry_max"),
	    &ops, NULL);
	wa.queue = queue_new(wa.redis, prefix, wa.host_id, worker);
	wa.ledger = ledger_new(wa.redis, prefix, conf_str(c, "host"), wa.host_id);
}

void
link_stop(void)
{
	redis_free(&wa.redis);
	queue_free(&wa.queue);
	ledger_free(&wa.ledger);
}
