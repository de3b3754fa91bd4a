/*
 * viewers.c - distinct players per stream (contract in http.h): who asked for a playlist
 * within viewer_targets target durations. A player is its cookie; one that keeps none is
 * its address and agent. Bounded: past the table's size the oldest make room.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "http.h"
#include "log.h"
#include "siphash.h"
#include "util.h"

#define VIEWERS_MAX 65536
#define COOKIE "mr_viewer="
#define TELL_AGAIN_MS 5000		/* to a supervisor that may have a new stream of the name */

struct viewer {
	uint64_t stream, id, issued;	/* hashes; issued: the cookie it was given, until it brings it */
	int64_t seen_ms;
};

struct counted {
	char name[BOARD_NAME];
	uint64_t hash;
	unsigned n, told;
	int64_t stay_ms, told_ms;
};

static struct viewer *viewers;
static size_t nviewers, size_viewers;
static struct counted *streams;
static size_t nstreams;
static uint8_t hash_key[16];
static bool keyed;

static uint64_t
hash(const void *p, size_t n)
{
	if (!keyed && getrandom(hash_key, sizeof(hash_key), 0) == sizeof(hash_key))
		keyed = true;
	return siphash(hash_key, p, n);
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

static struct viewer *
find(uint64_t stream, uint64_t id, uint64_t issued)
{
	for (size_t i = 0; i < nviewers; i++)
		if (viewers[i].stream == stream &&
		    (viewers[i].id == id || (issued != 0 && viewers[i].issued == issued)))
			return &viewers[i];
	return NULL;
}

static struct viewer *
add(uint64_t stream, uint64_t id)
{
	struct viewer *v;

	if (nviewers == VIEWERS_MAX) {	/* the one unseen for longest */
		v = &viewers[0];
		for (size_t i = 1; i < nviewers; i++)
			if (viewers[i].seen_ms < v->seen_ms)
				v = &viewers[i];
	} else {
		if (nviewers == size_viewers) {
			size_viewers = size_viewers ? size_viewers * 2 : 64;
			viewers = xrealloc(viewers, size_viewers * sizeof(*viewers));
		}
		v = &viewers[nviewers++];
	}
	*v = (struct viewer){ .stream = stream, .id = id };
	return v;
}

static void
count_stream(const char *name, uint64_t h)
{
	for (size_t i = 0; i < nstreams; i++)
		if (streams[i].hash == h)
			return;
	streams = xrealloc(streams, (nstreams + 1) * sizeof(*streams));
	memset(&streams[nstreams], 0, sizeof(*streams));
	str_copy(streams[nstreams].name, name, BOARD_NAME);
	streams[nstreams++].hash = h;
}

void
viewers_seen(const char *name, const struct conn *c, char *set_cookie, size_t size)
{
	uint64_t stream = hash(name, strlen(name)), cookie = cookie_of(c);
	uint64_t id = cookie != 0 ? cookie : address_and_agent(c);
	struct viewer *v = find(stream, id, cookie);

	set_cookie[0] = '\0';
	if (v == NULL)
		v = add(stream, id);
	v->seen_ms = now_ms();
	if (cookie != 0) {
		v->id = cookie;
		v->issued = 0;
	} else {
		if (v->issued == 0 && getrandom(&v->issued, sizeof(v->issued), 0) != sizeof(v->issued))
			v->issued = 0;
		if (v->issued != 0)
			snprintf(set_cookie, size, "Set-Cookie: " COOKIE "%016llx; Path=/; HttpOnly; SameSite=Lax\r\n",
			    (unsigned long long)v->issued);
	}
	count_stream(name, stream);
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

static void
forget(int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < nviewers; i++) {
		struct counted *s = streams;

		while (s->hash != viewers[i].stream)
			s++;
		if (now - viewers[i].seen_ms > s->stay_ms)
			continue;
		s->n++;
		viewers[kept++] = viewers[i];
	}
	nviewers = kept;
}

void
viewers_tick(int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < nstreams; i++) {
		streams[i].n = 0;
		streams[i].stay_ms = stay_ms(streams[i].name);
	}
	forget(now);
	for (size_t i = 0; i < nstreams; i++) {
		struct counted *s = &streams[i];

		if ((s->n != s->told || now - s->told_ms >= TELL_AGAIN_MS) &&
		    svc_send(http.svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:i}", "event", "viewers",
		    "name", s->name, "n", (int)s->n)) == 0) {
			s->told = s->n;
			s->told_ms = now;
		}
		if (s->n > 0)
			streams[kept++] = *s;
	}
	nstreams = kept;
}

void
viewers_free(void)
{
	free(viewers);
	free(streams);
}
