/*
 * outbox.c - events on their way through Redis: out of `hooks:in`, where registries of all hosts put
 * them, into a lane for each URL and stream; and the first of each lane that is due to deliver.c.
 *
 * Only the leader does this, and each step is one script that checks it (scripts.h). The next entry
 * of a lane is given out when Redis knows what became of the one before (outbox_say.c): that is the
 * order. Called by main.c, link.c, target.c, outbox_say.c and calls_dead.c.
 */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "obj.h"
#include "scripts.h"
#include "stream_name.h"
#include "util.h"

#define LOOK_MS 250		/* at hooks:in; */
#define LOOK_IDLE_MS 2000	/* while there is no URL */
#define SOONER_MS 20		/* what the supervisor wrote is in Redis by then */
#define READ_COUNT 50
#define ASK_HOOKS 100		/* in one script */
#define ARGS_MAX (REDIS_ARGS_MAX - 16)
#define HEAD_ARGS 7		/* of a spreading, before the first entry */
_Static_assert(HEAD_ARGS + 3 + 2 * TARGETS_MAX <= ARGS_MAX, "an event for all URLs fits into one call");
#define BUSY_MORE_MS 5000	/* a request's end may take so long to be said */

static struct {
	struct event *timer;
	bool reading, asking;
	int64_t due_ms;			/* when lanes are worth asking for; 0: now */
	int asked;			/* targets that were asked for in this round */
	char last[TARGET_ID];		/* the last of them */
	bool more;			/* hooks:in had more than was read */
} ob;

static void ask_due(void);
static void read_in(void);

static bool
may(void)
{
	return hk.leading && !hk.stopping && redis_is_up(hk.redis);
}

static void
timer_in(int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(ob.timer, &tv);
}

static void
schedule(void)
{
	int64_t ms = hk.ntargets > 0 ? LOOK_MS : LOOK_IDLE_MS, left = ob.due_ms - now_ms();

	if (ob.due_ms > 0 && left < ms)
		ms = left > 1 ? left : 1;
	timer_in(ms);
}

/* --- out of hooks:in --- */

struct spreading {
	const char *argv[ARGS_MAX];
	char *owned[ARGS_MAX];
	int argc, nowned;
};

static const char *
own(struct spreading *s, char *text)
{
	s->owned[s->nowned++] = text;
	return text;
}

static void
spreading_free(struct spreading *s)
{
	while (s->nowned > 0)
		free(s->owned[--s->nowned]);
	free(s);
}

/* Its arguments; false: there is no more room for it. */
static bool
add_entry(struct spreading *s, const char *entry, const char *text)
{
	json_t *event = json_loads(text, 0, NULL);
	enum event_kind kind = event_translate(event);
	const char *name = obj_str(event, "name");
	int at = s->argc + 2, n = 0;
	struct target *t;

	if (s->argc + 3 + 2 * hk.ntargets > ARGS_MAX && s->argc > HEAD_ARGS) {
		json_decref(event);
		return false;
	}
	s->argv[s->argc++] = own(s, xstrdup(entry));
	s->argv[s->argc++] = own(s, event ? json_dumps(event, JSON_COMPACT) : xstrdup("{}"));
	s->argc++;
	TAILQ_FOREACH(t, &hk.targets, entry) {
		if (!event_wanted(kind, event, t->events, t->streams) || !style_has(t->style, kind, event))
			continue;
		assert(s->argc + 2 <= ARGS_MAX);
		s->argv[s->argc++] = own(s, xstrdup(t->id));
		s->argv[s->argc++] = own(s, xstrdup(stream_name_ok(name, strlen(name)) ? name : ""));
		n++;
	}
	s->argv[at] = own(s, xasprintf("%d", n));
	json_decref(event);
	return true;
}

static void
spread_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	ob.reading = false;
	outbox_refused(rc, error);
	if (rc != 0 || json_integer_value(reply) != 1)
		return;
	if (ob.more)
		read_in();
	outbox_again();
}

/* reply: {{id, {"data", json}} ..} */
static void
read_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	char leader[KEY_BYTES], in[KEY_BYTES], waiting[KEY_BYTES], lost[KEY_BYTES], max[24];
	struct spreading *s;
	size_t n = rc == 0 ? json_array_size(reply) : 0;

	if (n == 0 || !may()) {
		ob.reading = false;
		return;
	}
	s = xcalloc(1, sizeof *s);
	s->argv[s->argc++] = key_make(leader, hk.prefix, KEY_HOOKS_LEADER, "");
	s->argv[s->argc++] = key_make(in, hk.prefix, KEY_HOOKS_IN, "");
	s->argv[s->argc++] = key_make(waiting, hk.prefix, KEY_HOOKS_WAITING, "");
	s->argv[s->argc++] = key_make(lost, hk.prefix, KEY_HOOKS_LOST, "");
	s->argv[s->argc++] = hk.me;
	s->argv[s->argc++] = hk.prefix;
	snprintf(max, sizeof max, "%lld", (long long)conf_int(hk.svc->conf, "hooks.max_waiting"));
	s->argv[s->argc++] = max;
	ob.more = n == READ_COUNT;
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_array_get(reply, i);
		const char *id = json_string_value(json_array_get(e, 0));
		const char *data = json_string_value(json_array_get(json_array_get(e, 1), 1));

		if (id && !add_entry(s, id, data ? data : "")) {
			ob.more = true;
			break;
		}
	}
	redis_run(hk.redis, &script_spread, 4, s->argc, s->argv, spread_cb, NULL);
	spreading_free(s);
}

static void
read_in(void)
{
	char in[KEY_BYTES];
	char count[12];
	const char *argv[] = { "XRANGE", key_make(in, hk.prefix, KEY_HOOKS_IN, ""), "-", "+", "COUNT", count };

	if (ob.reading)
		return;
	snprintf(count, sizeof count, "%d", READ_COUNT);
	ob.reading = true;
	redis_command(hk.redis, 6, argv, read_cb, NULL);
}

/* --- out of the lanes --- */

/* How many of t's lanes may have a request now; if none for its failures, until when not. */
static int
room(const struct target *t, int64_t now, int64_t *until)
{
	int most = (int)conf_int(hk.svc->conf, "hooks.per_url");

	if (t->failures > 0 && (t->busy > 0 || now < t->next_ms)) {
		if (t->busy == 0 && (*until == 0 || t->next_ms < *until))
			*until = t->next_ms;
		return 0;
	}
	return t->failures > 0 ? 1 : most > t->busy ? most - t->busy : 0;
}

/* Of all requests at once one is each URL's own, so that it waits for no other that is slow; and so many are free. */
static int
free_for_any(int most)
{
	const struct target *t;
	int n = most - hk.ntargets - hk.under_way;

	TAILQ_FOREACH(t, &hk.targets, entry)
		n += t->busy > 0;
	return n > 0 ? n : 0;
}

/* reply: {ms, {lane, entry, age_ms, tries, data} ..} */
static void
due_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	json_int_t ms = json_integer_value(json_array_get(reply, 0));
	int64_t at = now_ms() + ms;

	ob.asking = false;
	outbox_refused(rc, error);
	if (rc != 0 || !json_is_array(reply)) {
		ob.due_ms = now_ms() + LOOK_MS;
		schedule();
		return;
	}
	for (size_t i = 1; i < json_array_size(reply); i++) {
		const json_t *e = json_array_get(reply, i);
		const char *lane = json_string_value(json_array_get(e, 0)), *colon = lane ? strchr(lane, ':') : NULL;
		char id[TARGET_ID] = "";
		struct target *t;

		if (colon && colon - lane < TARGET_ID)
			str_copy(id, lane, (size_t)(colon - lane) + 1);
		t = target_find(id);	/* one that is gone since leaves its lane to the next look */
		if (t && json_is_string(json_array_get(e, 4)))
			deliver(t, lane, json_string_value(json_array_get(e, 1)),
			    json_integer_value(json_array_get(e, 2)), json_string_value(json_array_get(e, 3)),
			    json_string_value(json_array_get(e, 4)));
	}
	if (ms >= 0 && (ob.due_ms == 0 || at < ob.due_ms))
		ob.due_ms = at;
	ask_due();
}

static struct target *
next_target(void)
{
	struct target *t = target_find(ob.last), *next = t ? TAILQ_NEXT(t, entry) : NULL;

	return next ? next : TAILQ_FIRST(&hk.targets);
}

/* Those of the round that were not asked for yet, as many as there is room for. */
static void
ask_due(void)
{
	char leader[KEY_BYTES], busy[24], counts[ASK_HOOKS][12];
	const char *argv[4 + 2 * ASK_HOOKS] = { key_make(leader, hk.prefix, KEY_HOOKS_LEADER, ""), hk.me, hk.prefix,
		busy };
	int most = (int)conf_int(hk.svc->conf, "hooks.concurrency"), left = most - hk.under_way;
	int any = free_for_any(most), n = 0, argc = 4;
	int64_t now = now_ms(), until = 0;

	for (; ob.asked < hk.ntargets && n < ASK_HOOKS && left > 0; ob.asked++) {
		struct target *t = next_target();
		int count = room(t, now, &until), own = t->busy == 0;

		str_copy(ob.last, t->id, sizeof ob.last);
		count = count < own + any ? count : own + any;
		count = count < left ? count : left;
		if (count == 0)
			continue;
		any -= count > own ? count - own : 0;
		snprintf(counts[n], sizeof counts[n], "%d", count);
		argv[argc++] = t->id;
		argv[argc++] = counts[n++];
		left -= count;
	}
	if (until > 0 && (ob.due_ms == 0 || until < ob.due_ms))
		ob.due_ms = until;
	if (n == 0) {
		if (ob.due_ms == 0)	/* an end of one that is under way asks again */
			ob.due_ms = now + LOOK_IDLE_MS;
		schedule();
		return;
	}
	snprintf(busy, sizeof busy, "%lld", (long long)conf_int(hk.svc->conf, "hooks.timeout") + BUSY_MORE_MS);
	ob.asking = true;
	redis_run(hk.redis, &script_due, 1, argc, argv, due_cb, NULL);
}

/* --- when --- */

void
outbox_pump(void)
{
	if (!may())
		return;
	if (!ob.asking && (ob.due_ms == 0 || now_ms() >= ob.due_ms)) {
		ob.due_ms = 0;
		ob.asked = 0;
		ask_due();
	} else
		schedule();
}

void
outbox_again(void)
{
	ob.due_ms = 0;
	outbox_pump();
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (!may())
		return;
	outbox_say_again();
	read_in();
	outbox_pump();
}

void
outbox_sooner(void)
{
	if (may())
		timer_in(SOONER_MS);
}

void
outbox_up(void)
{
	ob.reading = ob.asking = false;
	ob.due_ms = 0;
	timer_in(0);
}

void
outbox_start(void)
{
	ob.timer = evtimer_new(hk.svc->base, timer_cb, NULL);
	if (!ob.timer)
		fatalx("out of memory");
}

void
outbox_stop(void)
{
	outbox_say_stop();
	if (ob.timer)
		event_free(ob.timer);
	ob.timer = NULL;
}
