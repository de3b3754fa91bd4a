/*
 * main.c - millrace-hooks: tells other servers what happens here (webhooks), and asks one whether
 * somebody may publish (authorize.hook). The order of start, reload and stop; the rest is in
 * hooks.h's files.
 *
 * It connects to foreign servers and reads what they answer, and has no business on the disk: its
 * sandbox lets it write, make and run nothing. Events wait in Redis, so a stop waits only for the
 * requests under way, two seconds at most.
 */
#include <string.h>

#include "conf.h"
#include "hooks.h"
#include "landlock.h"
#include "log.h"
#include "util.h"

#define STOP_MS 2000

struct hooks hk = { .targets = TAILQ_HEAD_INITIALIZER(hk.targets) };
static bool left;

static struct send_conf
send_conf(void)
{
	return (struct send_conf){ .networks = conf_get(hk.svc->conf, "hooks.networks"),
		.ca_file = conf_str(hk.svc->conf, "hooks.ca_file") };
}

static void
lock_self(void)
{
	static const struct landlock_rule rules[] = { { .path = "/" }, { .path = NULL } };

	if (landlock_restrict(rules) == -1)
		log_warn("no sandbox: landlock");
}

static int
start(struct svc *s, int argc, char **argv)
{
	struct send_conf sc;

	hk.svc = s;
	hk.prefix = conf_str(s->conf, "redis.prefix");
	if (strlen(hk.prefix) + strlen(KEY_HOOKS_REGISTERED) + TARGET_ID + BOARD_NAME >= KEY_BYTES)
		fatalx("redis.prefix is too long");
	lock_self();
	sc = send_conf();
	hk.send = send_new(s->base, &sc);
	target_load();
	outbox_start();
	link_start();
	board_begin(&s->page->seq);
	str_copy(s->page->state, "ready", sizeof s->page->state);
	board_end(&s->page->seq);
	svc_ready(s);
	return 0;
}

static void
config(struct svc *s)
{
	struct send_conf sc = send_conf();

	hk.prefix = conf_str(s->conf, "redis.prefix");
	send_config(hk.send, &sc);
	ask_config();
	target_load();
	link_config();
	outbox_again();
}

/* The supervisor has written an event; it will be in Redis in a moment. */
static void
on_event(struct svc *s, struct msg *m)
{
	outbox_sooner();
}

static void
left_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	svc_exit(hk.svc, 0, "stopped");
}

void
hooks_idle(void)
{
	if (!hk.stopping || left || hk.under_way > 0 || !outbox_said())
		return;
	left = true;
	link_leave(left_cb);
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	if (hk.stopping)
		return;
	hk.stopping = true;
	if (!redis_is_up(hk.redis)) {
		svc_exit(s, 0, reason);
		return;
	}
	svc_exit_after(s, STOP_MS, "stopped before a receiver or Redis had answered");
	hooks_idle();
}

static void
cleanup(struct svc *s)
{
	deliver_stop();
	ask_stop();
	link_stop();		/* answers what is under way */
	outbox_stop();
	target_free_all();
	send_free(&hk.send);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_CALL, calls_handle },
		{ MSG_EVENT, on_event },
		{ 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "hooks", .start = start, .handlers = handlers, .config = config,
		.stop = stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
