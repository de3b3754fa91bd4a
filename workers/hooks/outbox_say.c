/*
 * outbox_say.c - what became of an entry of a lane, said to Redis: delivered, failed, dead.
 *
 * What could not be said because Redis was away or full is said when it is there, before anything
 * else is asked, so that it is not sent twice for that. There are never more than requests that
 * were under way. Called by deliver.c; outbox.c says when.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "scripts.h"
#include "util.h"

struct saying {
	TAILQ_ENTRY(saying) entry;
	struct redis_script *script;
	int nkeys, argc;
	bool waits;		/* for Redis */
	char *argv[12];
};
static TAILQ_HEAD(, saying) sayings = TAILQ_HEAD_INITIALIZER(sayings);
static bool refused_said;

void
outbox_refused(int rc, const char *error)
{
	if (rc == EIO && !refused_said)
		log_warnx("Redis takes no changes of webhooks (%s): they wait until it does", error);
	refused_said = rc == EIO;
}

static void
saying_free(struct saying *s)
{
	TAILQ_REMOVE(&sayings, s, entry);
	for (int i = 0; i < s->argc; i++)
		free(s->argv[i]);
	free(s);
}

static void
said_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct saying *s = ctx;

	outbox_refused(rc, error);
	if (rc == EHOSTDOWN || rc == EIO) {
		s->waits = true;
		return;
	}
	saying_free(s);
	outbox_again();
	hooks_idle();
}

static void
send_saying(struct saying *s)
{
	s->waits = false;
	redis_run(hk.redis, s->script, s->nkeys, s->argc, (const char *const *)s->argv, said_cb, s);
}

/* keys: names without the prefix; then me, the prefix and args, up to the NULL. */
static void
say(struct redis_script *script, const char *const keys[], const char *const args[])
{
	struct saying *s = xcalloc(1, sizeof *s);
	char key[KEY_BYTES];

	s->script = script;
	for (; keys[s->nkeys]; s->argc++)
		s->argv[s->argc] = xstrdup(key_make(key, hk.prefix, keys[s->nkeys++], ""));
	s->argv[s->argc++] = xstrdup(hk.me);
	s->argv[s->argc++] = xstrdup(hk.prefix);
	for (int i = 0; args[i]; i++)
		s->argv[s->argc++] = xstrdup(args[i]);
	TAILQ_INSERT_TAIL(&sayings, s, entry);
	send_saying(s);
}

void
outbox_done(const char *hook, const char *lane, const char *entry)
{
	const char *const keys[] = { KEY_HOOKS_LEADER, KEY_HOOKS_WAITING, NULL };
	const char *const args[] = { hook, lane, entry, NULL };

	say(&script_done, keys, args);
}

void
outbox_failed(const char *hook, const char *lane, const char *tries, int64_t again_ms)
{
	const char *const keys[] = { KEY_HOOKS_LEADER, NULL };
	char again[24];
	const char *const args[] = { hook, lane, tries, again, NULL };

	snprintf(again, sizeof again, "%lld", (long long)again_ms);
	say(&script_failed, keys, args);
}

void
outbox_dead(const char *hook, const char *lane, const char *entry, const char *error, const char *tries,
    const char *data)
{
	const char *const keys[] = { KEY_HOOKS_LEADER, KEY_HOOKS_WAITING, KEY_HOOKS_DEAD, NULL };
	char max[24];
	const char *const args[] = { hook, lane, entry, max, error, tries, data, NULL };

	snprintf(max, sizeof max, "%lld", (long long)conf_int(hk.svc->conf, "hooks.max_dead"));
	say(&script_dead, keys, args);
}

static void
woken_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	outbox_again();
}

void
outbox_wake(const char *hook)
{
	const char *argv[] = { hk.prefix, hook };

	redis_run(hk.redis, &script_wake, 0, 2, argv, woken_cb, NULL);
}

bool
outbox_said(void)
{
	return TAILQ_EMPTY(&sayings);
}

void
outbox_say_again(void)
{
	struct saying *s, *next;

	for (s = TAILQ_FIRST(&sayings); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->waits)
			send_saying(s);
	}
}

void
outbox_say_stop(void)
{
	while (!TAILQ_EMPTY(&sayings))
		saying_free(TAILQ_FIRST(&sayings));
}
