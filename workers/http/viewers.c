/*
 * viewers.c - distinct players per stream (contract in http.h): who asked for a playlist
 * within viewer_targets target durations. A player is its cookie; one that keeps none is
 * its address and agent. Bounded: past http.max_viewers the one unseen for longest makes room.
 *
 * Each connection of a player may go to another worker, so the supervisor gets a sketch beside
 * the number: every worker of a host sets the same bit for the same player. A player's first
 * request brings no cookie, and the worker that gave it one may not see it again; so a cookie
 * tells when it was issued, and counts as its address until that first request is forgotten.
 */
#include <nettle/sha2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "http.h"
#include "conf.h"
#include "log.h"
#include "siphash.h"
#include "sketch.h"
#include "util.h"

#define COOKIE "mr_viewer="
#define COOKIE_RANDOM_BITS 24		/* below the time of issue in ms */
#define COOKIE_TIME_MASK ((UINT64_C(1) << (64 - COOKIE_RANDOM_BITS)) - 1)
#define YOUNG_SLACK_MS 2000		/* every worker looks once a second */
#define ASKED_MIN 2			/* once asks a page that wants to know whether there is something */
#define TELL_AGAIN_MS 5000		/* to a supervisor that may have a new stream of the name */

struct counted {
	TAILQ_ENTRY(counted) link;
	char name[BOARD_NAME];
	unsigned n, told;
	int64_t stay_ms, told_ms;
	struct sketch sketch, told_sketch;
};

struct viewer {
	TAILQ_ENTRY(viewer) link;	/* the one unseen for longest comes first */
	struct counted *stream;
	uint64_t id;			/* its cookie, or address */
	uint64_t address;		/* hash of address and agent */
	uint64_t issued;		/* the cookie it was given last and has not brought yet */
	int64_t seen_ms;
	uint64_t told;			/* play was told by this id; 0: not yet */
	unsigned asked;			/* while the stream was live, in a row */
	char peer[NET_TEXT];
};

static TAILQ_HEAD(, counted) streams = TAILQ_HEAD_INITIALIZER(streams);
static TAILQ_HEAD(, viewer) viewers = TAILQ_HEAD_INITIALIZER(viewers);
static void *by_id;			/* tsearch's: viewers by stream and id */
static size_t nviewers;
static uint8_t hash_key[16];
static bool keyed;

/* The same in every worker of this host, unknown to players. */
static void
make_key(void)
{
	const char *host_id = conf_str(http.svc->conf, "host_id");
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(host_id), (const uint8_t *)host_id);
	sha256_digest(&ctx, sizeof(hash_key), hash_key);
	keyed = true;
}

static uint64_t
hash(const void *p, size_t n)
{
	if (!keyed)
		make_key();
	return siphash(hash_key, p, n);
}

static uint64_t
new_cookie(void)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return 0;
	return (uint64_t)now_ms() << COOKIE_RANDOM_BITS | random >> (64 - COOKIE_RANDOM_BITS);
}

/* Its first request, without the cookie, may still count, perhaps in another worker. */
static bool
young(uint64_t cookie, int64_t stay_ms, int64_t now)
{
	uint64_t age = ((uint64_t)now - (cookie >> COOKIE_RANDOM_BITS)) & COOKIE_TIME_MASK;

	return age < (uint64_t)stay_ms + YOUNG_SLACK_MS;
}

static uint64_t
cookie_of(const struct conn *c)
{
	const char *s = request_field(&c->req, FIELD_COOKIE);

	s = s != NULL ? strstr(s, COOKIE) : NULL;
	return s != NULL ? strtoull(s + strlen(COOKIE), NULL, 16) : 0;
}

static uint64_t
address_and_agent(const struct conn *c)
{
	const char *agent = request_field(&c->req, FIELD_USER_AGENT);
	char text[NET_TEXT + 256], host[NET_TEXT];
	int n = snprintf(text, sizeof(text), "%s %.200s",
	    net_format_host((const struct sockaddr *)&c->client.ss, host), agent != NULL ? agent : "");

	return hash(text, (size_t)n);
}

static int
compare(const void *pa, const void *pb)
{
	const struct viewer *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->stream == b->stream ? 0 : (uintptr_t)a->stream < (uintptr_t)b->stream ? -1 : 1;
}

static struct viewer *
find(struct counted *stream, uint64_t id)
{
	struct viewer key = { .stream = stream, .id = id }, **v = tfind(&key, &by_id, compare);

	return v != NULL ? *v : NULL;
}

static void
forget(struct viewer *v)
{
	tdelete(v, &by_id, compare);
	TAILQ_REMOVE(&viewers, v, link);
	nviewers--;
	free(v);
}

/* The one unseen for longest goes; told so, since nobody would know of it later. */
static void
make_room(void)
{
	struct viewer *v = TAILQ_FIRST(&viewers);

	if (v->told != 0 && !plays_add(true, v->stream->name, v->told, v->peer)) {
		plays_flush();
		plays_add(true, v->stream->name, v->told, v->peer);
	}
	forget(v);
}

static struct viewer *
add(struct counted *stream, uint64_t id)
{
	struct viewer *v;

	if (nviewers > 0 && nviewers >= (size_t)http.limits.max_viewers)
		make_room();
	v = xcalloc(1, sizeof(*v));
	v->stream = stream;
	v->id = id;
	if (tsearch(v, &by_id, compare) == NULL)
		fatal("out of memory for %zu viewers", nviewers);
	TAILQ_INSERT_TAIL(&viewers, v, link);
	nviewers++;
	return v;
}

static struct counted *
count_stream(const char *name)
{
	struct counted *s;

	TAILQ_FOREACH(s, &streams, link)
		if (strcmp(s->name, name) == 0)
			return s;
	s = xcalloc(1, sizeof(*s));
	str_copy(s->name, name, BOARD_NAME);
	TAILQ_INSERT_TAIL(&streams, s, link);
	return s;
}

/* How long a player may be silent: its targets, as long as the stream's own segments are. */
static int64_t
stay_ms(const char *name)
{
	const struct view_stream *v = view_find(name);
	int64_t target = http.limits.segment_ms;

	if (v != NULL && v->m.gop_ms > target)
		target = v->m.gop_ms;
	return http.limits.viewer_targets * (target > 1000 ? target : 1000);
}

static bool
is_live(const char *name)
{
	const struct view_stream *v = view_find(name);

	return v != NULL && v->s.state == BOARD_STREAM_LIVE;
}

/* One that brings the cookie it was given, here or by another worker, is the one that had none. */
static struct viewer *
with_cookie(struct counted *stream, uint64_t cookie, uint64_t address)
{
	struct viewer *v = find(stream, cookie), *old;
	unsigned asked = 0;
	uint64_t told = 0;

	if (v != NULL)
		return v;
	old = find(stream, address);
	if (old != NULL && (old->issued == cookie || young(cookie, stay_ms(stream->name), now_ms()))) {
		told = old->told;
		asked = old->asked;
		forget(old);
	}
	v = add(stream, cookie);
	v->told = told;
	v->asked = asked;
	return v;
}

void
viewers_seen(const char *name, const struct conn *c, char *set_cookie, size_t size)
{
	struct counted *stream = count_stream(name);
	uint64_t cookie = cookie_of(c), address = address_and_agent(c);
	struct viewer *v = cookie != 0 ? with_cookie(stream, cookie, address) : find(stream, address);

	set_cookie[0] = '\0';
	if (v == NULL)
		v = add(stream, address);
	v->asked = is_live(name) ? v->asked + 1 : 0;
	v->seen_ms = now_ms();
	v->address = address;
	if (v->peer[0] == '\0')
		net_format_host((const struct sockaddr *)&c->client.ss, v->peer);
	TAILQ_REMOVE(&viewers, v, link);
	TAILQ_INSERT_TAIL(&viewers, v, link);
	if (cookie != 0)
		return;
	v->issued = new_cookie();	/* the next one of this address may be another player */
	if (v->issued != 0)
		snprintf(set_cookie, size, "Set-Cookie: " COOKIE "%016llx; Path=/; HttpOnly; SameSite=Lax\r\n",
		    (unsigned long long)v->issued);
}

/* What it is counted by: in all workers the same, so by their common second. */
static uint64_t
player(const struct viewer *v, int64_t now)
{
	int64_t second = (now + 500) / 1000 * 1000;
	uint64_t id = v->id != v->address && young(v->id, v->stream->stay_ms, second) ? v->address : v->id;

	return hash(&id, sizeof(id));
}

/* One that goes untold stays for a second more, uncounted. */
static void
leave(struct viewer *v)
{
	if (v->told == 0 || plays_add(true, v->stream->name, v->told, v->peer))
		forget(v);
}

static void
count(int64_t now)
{
	bool wanted = plays_wanted();
	struct viewer *v, *next;

	for (v = TAILQ_FIRST(&viewers); v != NULL; v = next) {
		next = TAILQ_NEXT(v, link);
		if (now - v->seen_ms > v->stream->stay_ms)
			leave(v);
		else {
			if (wanted && v->told == 0 && v->asked >= ASKED_MIN &&
			    plays_add(false, v->stream->name, v->id, v->peer))
				v->told = v->id;
			v->stream->n++;
			sketch_add(&v->stream->sketch, player(v, now));
		}
	}
}

static void
tell(struct counted *s, int64_t now)
{
	char text[SKETCH_TEXT];
	json_t *body;

	if (s->n == s->told && memcmp(&s->sketch, &s->told_sketch, sizeof(s->sketch)) == 0 &&
	    now - s->told_ms < TELL_AGAIN_MS)
		return;
	body = json_pack("{s:s, s:s, s:i}", "event", "viewers", "name", s->name, "n", (int)s->n);
	if (s->n > 0) {
		sketch_write(&s->sketch, text);
		json_object_set_new(body, "sketch", json_string(text));
	}
	if (svc_send(http.svc, MSG_EVENT, 0, body) < 0)
		return;
	s->told = s->n;
	s->told_ms = now;
	s->told_sketch = s->sketch;
}

/* Some that are gone, but not told so yet. */
static bool
has_viewers(const struct counted *s)
{
	const struct viewer *v;

	TAILQ_FOREACH(v, &viewers, link)
		if (v->stream == s)
			return true;
	return false;
}

static void
drop_stream(struct counted *s)
{
	TAILQ_REMOVE(&streams, s, link);
	free(s);
}

void
viewers_tick(int64_t now)
{
	struct counted *s, *next;

	TAILQ_FOREACH(s, &streams, link) {
		s->n = 0;
		memset(&s->sketch, 0, sizeof(s->sketch));
		s->stay_ms = stay_ms(s->name);
	}
	count(now);
	for (s = TAILQ_FIRST(&streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		tell(s, now);
		if (s->n == 0 && !has_viewers(s))
			drop_stream(s);
	}
	plays_flush();
}

void
viewers_free(void)
{
	while (!TAILQ_EMPTY(&viewers))
		forget(TAILQ_FIRST(&viewers));
	while (!TAILQ_EMPTY(&streams))
		drop_stream(TAILQ_FIRST(&streams));
}
