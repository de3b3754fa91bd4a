/*
 * leases.c - the names this host publishes: each has a lease in Redis and, once live, an
 * entry in the directory of streams, both renewed every third of their time to live.
 *
 * What is wanted is known from the supervisor's questions and from run/board, which is
 * looked at with every renewal: so nothing is lost by a restart of ours, of Redis, or by a
 * message that never came; and what nobody wants any more is given back. A lease that
 * another host took while Redis or we were away is told of once, and the stream goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"
#include "workers/registry/scripts.h"

#define UNWANTED_MS 10000	/* asked for, but never on the board */

struct lease {
	struct lease *next;
	char name[BOARD_NAME], app[64];
	int64_t since_wall_ms;	/* 0 = not in the directory yet */
	int64_t wanted_ms;
	int64_t epoch;		/* 0 = not ours (yet) */
	bool elsewhere_said;
};

/* One question to Redis under way. The lease may be gone when the answer comes. */
struct claim {
	char name[BOARD_NAME];
	bool is_call;
	uint32_t call_id;
};

static struct lease *leases;
static unsigned nleases;
static bool refused_said;	/* by Redis: once for all streams */
static struct board *board;

static struct lease **
find(const char *name)
{
	struct lease **p = &leases;

	while (*p && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

static struct lease *
touch(const char *name)
{
	struct lease **p = find(name), *l = *p;

	if (!l) {
		l = *p = xcalloc(1, sizeof *l);
		str_copy(l->name, name, sizeof l->name);
		nleases++;
	}
	l->wanted_ms = now_ms();
	return l;
}

static void
forget(struct lease **p)
{
	struct lease *l = *p;

	*p = l->next;
	free(l);
	nleases--;
}

/* Wanted from now on, whether Redis is there or not. since 0: not live yet, or as it was. */
static void
want(const char *name, const char *app, int64_t since_wall_ms)
{
	struct lease *l = touch(name);

	str_copy(l->app, app, sizeof l->app);
	if (since_wall_ms)
		l->since_wall_ms = since_wall_ms;
}

unsigned
leases_count(void)
{
	return nleases;
}

/* What the directory says of it; free(). Keys in one order, so that Redis can compare. */
static char *
entry_text(const struct lease *l)
{
	json_t *o = json_pack("{s:s, s:o, s:o, s:s, s:o, s:I}", "name", l->name,
	    "app", msg_text(l->app, strlen(l->app)), "host", msg_text(rg.host, strlen(rg.host)),
	    "host_id", rg.host_id, "url", msg_text(rg.url, strlen(rg.url)),
	    "since", (json_int_t)l->since_wall_ms);
	char *text = l->since_wall_ms ? json_dumps(o, JSON_COMPACT) : xstrdup("");

	json_decref(o);
	return text ? text : xstrdup("");
}

static void
say_elsewhere(struct lease *l, const char *owner)
{
	l->epoch = 0;
	if (l->elsewhere_said)
		return;
	l->elsewhere_said = true;
	log_warnx("stream %s: host %s holds the lease of this name; this host's publisher goes on, "
	    "viewers of other hosts are sent there", l->name, owner);
}

static void
answer_call(const struct claim *q, int rc, bool granted, const char *owner, int64_t epoch)
{
	struct msg call = { .type = MSG_CALL, .id = q->call_id };

	svc_reply(rg.svc, &call, rc, rc ? NULL : json_pack("{s:b, s:s, s:I}", "granted", granted,
	    "owner", owner, "epoch", (json_int_t)epoch));
}

/* reply: {1, epoch} or {0, owner, pttl}. */
static void
claim_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct claim *q = ctx;
	struct lease **p = find(q->name), *l = *p;
	bool granted = json_integer_value(json_array_get(reply, 0)) == 1;
	int64_t epoch = granted ? json_integer_value(json_array_get(reply, 1)) : 0;
	const char *owner = json_string_value(json_array_get(reply, 1));

	if (granted || !owner)
		owner = rg.host_id;
	if (rc == EIO && !refused_said)
		log_warnx("Redis refuses leases, stream %s is one: %s; tried again every %d s", q->name,
		    error, KEY_RENEW_MS / 1000);
	refused_said = rc == EIO;
	if (q->is_call)
		answer_call(q, rc, granted, owner, epoch);
	if (l && rc == 0 && granted) {
		l->epoch = epoch;
		l->elsewhere_said = false;
	} else if (l && rc == 0 && q->is_call) {
		forget(p);	/* refused: there will be no such stream here */
	} else if (l && rc == 0) {
		say_elsewhere(l, owner);
	}
	free(q);
}

static void
claim(const struct lease *l, const struct msg *call)
{
	char lease[KEY_BYTES], epochs[KEY_BYTES], streams[KEY_BYTES], ttl[16];
	struct claim *q = xcalloc(1, sizeof *q);
	char *entry = entry_text(l);
	const char *argv[] = {
		key_make(lease, rg.prefix, KEY_LEASE, l->name), key_make(epochs, rg.prefix, KEY_EPOCHS, ""),
		key_make(streams, rg.prefix, KEY_STREAMS, ""), rg.host_id, ttl, l->name, entry,
	};

	snprintf(ttl, sizeof ttl, "%d", KEY_TTL_MS);
	str_copy(q->name, l->name, sizeof q->name);
	q->is_call = call != NULL;
	q->call_id = call ? call->id : 0;
	redis_run(rg.redis, &script_claim, 3, 7, argv, claim_cb, q);
	free(entry);
}

static void
release(const char *name)
{
	char lease[KEY_BYTES], streams[KEY_BYTES];
	const char *argv[] = {
		key_make(lease, rg.prefix, KEY_LEASE, name), key_make(streams, rg.prefix, KEY_STREAMS, ""),
		rg.host_id, name,
	};

	redis_run(rg.redis, &script_release, 2, 4, argv, NULL, NULL);
}

void
leases_call(const struct msg *call, const char *name)
{
	claim(touch(name), call);
}

void
leases_call_release(const struct msg *call, const char *name)
{
	struct lease **p = find(name);

	if (*p)
		forget(p);
	release(name);
	svc_reply(rg.svc, call, redis_is_up(rg.redis) ? 0 : EHOSTDOWN, NULL);
}

void
leases_listed(const char *name, const char *app, int64_t since_wall_ms)
{
	struct lease *l = touch(name);

	want(name, app, l->since_wall_ms ? 0 : since_wall_ms);
	if (redis_is_up(rg.redis))
		claim(l, NULL);
}

/* Every stream slot in use is wanted. False: there is no board to look at. */
static bool
read_board(void)
{
	char path[512];
	struct board_stream *s;

	if (!board && path_join(path, sizeof path, conf_str(rg.svc->conf, "run_dir"), "board") == 0)
		board = board_open(path);
	if (!board)
		return false;
	s = xmalloc(sizeof *s);
	for (unsigned i = 0; i < BOARD_STREAMS; i++)
		if (board_read_stream(board, i, s) == 0 && stream_name_ok(s->name, strlen(s->name)))
			want(s->name, s->app, s->since_wall_ms);
	free(s);
	return true;
}

void
leases_renew(void)
{
	struct lease **p = &leases;
	bool sure = read_board();

	while (*p) {
		if (sure && now_ms() - (*p)->wanted_ms > UNWANTED_MS) {
			if (redis_is_up(rg.redis))
				release((*p)->name);
			forget(p);
		} else {
			if (redis_is_up(rg.redis))
				claim(*p, NULL);
			p = &(*p)->next;
		}
	}
}

void
leases_release_all(void)
{
	while (leases) {
		release(leases->name);
		forget(&leases);
	}
}

void
leases_free(void)
{
	while (leases)
		forget(&leases);
	board_close(&board);
}
