/*
 * main.c - millrace-registry: what this host knows, told to Redis, and what the others know,
 * told to this host. One process per host, the only one that speaks Redis.
 *
 * Redis being away is no fault of this process: it is ready at once, answers questions with
 * EHOSTDOWN and goes on trying. A stop empties the spool, gives the leases back and leaves
 * the list of hosts, in two seconds at most; when the supervisor died instead, the leases
 * stay: its successor wants them, and they run out by themselves.
 */
#include <signal.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"

#define STOP_MS 2000

struct registry rg;

static void
read_config(struct svc *s)
{
	rg.prefix = conf_str(s->conf, "redis.prefix");
	rg.host = conf_str(s->conf, "host");
	rg.host_id = conf_str(s->conf, "host_id");
	rg.url = conf_str(s->conf, "http.public_url");
	if (strlen(rg.prefix) + strlen(KEY_EVENTS_LAST) + BOARD_NAME >= KEY_BYTES)
		fatalx("redis.prefix is too long");
}

static int
start(struct svc *s, int argc, char **argv)
{
	struct board_page *p = s->page;

	signal(SIGIO, SIG_IGN);		/* of the leases that spool.c takes on files for a moment */
	rg.svc = s;
	read_config(s);
	board_begin(&p->seq);
	str_copy(p->state, "ready", sizeof p->state);
	p->registry.hosts = 1;
	board_end(&p->seq);
	events_start();
	link_start();
	svc_ready(s);
	return 0;
}

static void
config(struct svc *s)
{
	read_config(s);
	link_config();
	leases_renew();
	hosts_beat();
}

/* The stream's own words come before the board has them. */
static void
on_event(struct svc *s, struct msg *m)
{
	const char *event = msg_str_or(m, "event", ""), *name = msg_str_or(m, "name", "");

	if (strcmp(event, "stream_started") == 0 && stream_name_ok(name, strlen(name)))
		leases_listed(name, msg_str_or(m, "app", ""), wall_ms());
	events_came();
}

static void
left_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	svc_exit(rg.svc, 0, "stopped");
}

static void
leave(void)
{
	leases_release_all();
	hosts_leave(left_cb, NULL);
}

void
registry_drained(void)
{
	if (rg.stopping)
		leave();
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	if (rg.stopping)
		return;
	rg.stopping = true;
	if (!s->control || !redis_is_up(rg.redis)) {
		svc_exit(s, 0, reason);
		return;
	}
	svc_exit_after(s, STOP_MS, "stopped before Redis had answered");
	events_pump();
}

static void
cleanup(struct svc *s)
{
	link_stop();
	events_free();
	leases_free();
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_EVENT, on_event },
		{ MSG_CALL, calls_handle },
		{ 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "registry", .start = start, .handlers = handlers, .config = config,
		.stop = stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
