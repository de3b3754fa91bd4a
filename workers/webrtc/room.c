/*
 * room.c - the rooms of this worker (contract in room.h): who is in them, what the supervisor and
 * the members are told. What comes into them is in room_media.c. Called by feed.c, viewer.c, calls.c,
 * signal_room.c; told the time by main.c.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "room_int.h"
#include "util.h"
#include "viewer.h"
#include "webrtc.h"

#define TELL_MS 1000			/* how many watch: at most once in this time, */
#define TELL_AGAIN_MS 5000		/* and to a supervisor that may have a new stream of the name */
#define WANT_AGAIN_MS 5000
#define VIDEO_SLOTS 16384		/* packets; also what bounds how far back a NACK is understood */
#define AUDIO_SLOTS 1024
#define AUDIO_BYTES (512 * 1024)
#define KEEP_MS 3000			/* longer ago nobody asks for a lost packet */

static TAILQ_HEAD(, room) rooms = TAILQ_HEAD_INITIALIZER(rooms);

static void
say_want(const struct room *r, bool want)
{
	svc_send(webrtc.svc, MSG_WANT, 0, json_pack("{s:s, s:b}", "name", r->name, "want", want));
}

static void
random_words(struct room *r)
{
	uint32_t random[5];
	bool ok = getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random);

	assert(ok);
	snprintf(r->cname, sizeof(r->cname), "%08x%08x", random[0], random[1]);
	snprintf(r->msid, sizeof(r->msid), "%08x%08x", random[2], random[3]);
	r->rtx_ssrc = random[4] | 2;
}

struct room *
room_find(const char *name)
{
	struct room *r;

	TAILQ_FOREACH(r, &rooms, link)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

static struct room *
room_new(const char *name)
{
	struct room *r = xcalloc(1, sizeof(*r));

	str_copy(r->name, name, sizeof(r->name));
	TAILQ_INIT(&r->viewers);
	TAILQ_INIT(&r->members);
	random_words(r);
	track_init(&r->video, 90000, VIDEO_SLOTS, (size_t)webrtc.limits.ring_bytes, KEEP_MS);
	track_init(&r->audio, 48000, AUDIO_SLOTS, AUDIO_BYTES, KEEP_MS);
	TAILQ_INSERT_TAIL(&rooms, r, link);
	webrtc.rooms++;
	r->wanted_ms = now_ms();
	say_want(r, true);
	return r;
}

struct room *
room_get(const char *name)
{
	struct room *r = room_find(name);

	if (r == NULL)
		r = room_new(name);
	r->refs++;
	return r;
}

void
room_put(struct room **rp)
{
	struct room *r = *rp;

	*rp = NULL;
	assert(r->refs > 0);
	if (--r->refs == 0)
		r->empty_ms = now_ms();
}

static void
tell_viewers(struct room *r, int64_t now)
{
	r->told = r->connected;
	r->told_ms = now;
	svc_send(webrtc.svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:i}", "event", "viewers", "name", r->name,
	    "n", (int)r->connected));
}

static void
room_free(struct room *r)
{
	assert(r->refs == 0 && TAILQ_EMPTY(&r->viewers) && TAILQ_EMPTY(&r->members));
	if (r->told != 0)
		tell_viewers(r, now_ms());
	say_want(r, false);
	for (int i = 0; i < ROOM_TRACKS; i++)
		feed_free(&r->feeds[i]);
	track_free(&r->video);
	track_free(&r->audio);
	TAILQ_REMOVE(&rooms, r, link);
	webrtc.rooms--;
	free(r);
}

const char *
room_name(const struct room *r)
{
	return r->name;
}

/* --- members: those who are told whether it is on air --- */

void
room_join(struct room *r, struct room_member *m)
{
	m->room = r;
	r->refs++;
	TAILQ_INSERT_TAIL(&r->members, m, link);
}

void
room_leave(struct room_member *m)
{
	if (m->room == NULL)
		return;
	TAILQ_REMOVE(&m->room->members, m, link);
	room_put(&m->room);
}

bool
room_is_live(const struct room *r)
{
	return r->live;
}

void
room_want_again(struct room *r)
{
	r->want_again = true;
}

void
room_set_live(struct room *r, bool live)
{
	struct room_member *m, *next;

	if (r->live == live)
		return;
	r->live = live;
	for (m = TAILQ_FIRST(&r->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		m->live(m->ctx, live);
	}
}

/* --- viewers --- */

void
room_add_viewer(struct room *r, struct viewer *v)
{
	r->refs++;
	TAILQ_INSERT_TAIL(&r->viewers, v, link);
}

void
room_remove_viewer(struct room *r, struct viewer *v)
{
	TAILQ_REMOVE(&r->viewers, v, link);
	room_put(&r);
}

void
room_connected(struct room *r, int by)
{
	assert(by > 0 || r->connected > 0);
	r->connected += (unsigned)by;
}

unsigned
room_viewers(const struct room *r)
{
	return r->connected;
}

void
room_pump(struct room *r)
{
	int64_t now = now_ms();
	struct viewer *v;

	TAILQ_FOREACH(v, &r->viewers, link)
		viewer_pump(v, now);
}

/* --- time --- */

static void
tick(struct room *r, int64_t now)
{
	int64_t ago = now - r->told_ms;
	struct viewer *v;

	TAILQ_FOREACH(v, &r->viewers, link)
		viewer_tick(v, now);
	if (ago >= TELL_MS && (r->connected != r->told || (r->told > 0 && ago >= TELL_AGAIN_MS)))
		tell_viewers(r, now);
	if (r->want_again && now - r->wanted_ms >= WANT_AGAIN_MS) {
		r->want_again = false;
		r->wanted_ms = now;
		say_want(r, true);
	}
}

void
room_tick(int64_t now)
{
	struct room *r, *next;

	for (r = TAILQ_FIRST(&rooms); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		tick(r, now);
		/* Of a name that is not on air nothing is warm: whoever makes up names leaves no rooms behind. */
		if (r->refs == 0 && (!r->live || now - r->empty_ms >= webrtc.limits.linger_ms))
			room_free(r);
	}
}

void
room_free_all(void)
{
	while (!TAILQ_EMPTY(&rooms))
		room_free(TAILQ_FIRST(&rooms));
}
