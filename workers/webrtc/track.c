/* track.c - see track.h. Called by room.c (which adds) and viewer.c (which sends). */
#include "track.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "be.h"
#include "util.h"

#define RATE_MS 1000

void
track_init(struct track *t, unsigned hz, unsigned slots, size_t limit, int64_t keep_ms)
{
	uint32_t random[3];
	bool ok = getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random);

	assert(ok && (slots & (slots - 1)) == 0);
	memset(t, 0, sizeof(*t));
	t->hz = hz;
	t->slots = slots;
	t->limit = limit;
	t->keep_ms = keep_ms;
	t->ssrc = random[0] | 1;		/* 0 is what some take for none */
	t->base = random[1];
	/* Below 2^15, so that the first wrap comes when receivers can tell it (RFC 3711 3.3.1). */
	t->first = t->next = 1 + (random[2] & 0x3fff);
	t->gop = t->gop_before = TRACK_NONE;
}

void
track_free(struct track *t)
{
	for (; t->first < t->next; t->first++)
		free(t->ring[t->first & (t->slots - 1)]);
	free(t->ring);
	t->ring = NULL;
}

uint32_t
track_time(const struct track *t, int64_t room_ms)
{
	return t->base + (uint32_t)(room_ms * (t->hz / 1000));
}

struct packet *
track_get(const struct track *t, uint64_t number)
{
	return number >= t->first && number < t->next ? t->ring[number & (t->slots - 1)] : NULL;
}

uint64_t
track_find(const struct track *t, uint16_t seq)
{
	uint16_t back = (uint16_t)(t->next - seq);

	return back > 0 && back <= t->next - t->first ? t->next - back : TRACK_NONE;
}

static void
drop_oldest(struct track *t)
{
	struct packet **p = &t->ring[t->first++ & (t->slots - 1)];

	t->bytes -= sizeof(**p) + (*p)->len;
	free(*p);
	*p = NULL;
	if (t->gop < t->first)
		t->gop = TRACK_NONE;
	if (t->gop_before < t->first)
		t->gop_before = TRACK_NONE;
}

/* Who joined at the end of the GOP before is through with it after a third of its length. */
static bool
is_over(const struct track *t, int64_t now)
{
	const struct packet *p = track_get(t, t->first);

	if (p == NULL || now - p->came_ms <= t->keep_ms)
		return false;
	if (t->gop == TRACK_NONE)
		return true;
	return t->first < t->gop && (t->gop_before == TRACK_NONE || t->first < t->gop_before ||
	    now - t->gop_ms > (t->gop_ms - t->gop_before_ms) / 2);
}

static void
trim(struct track *t, size_t coming, int64_t now)
{
	while (t->next - t->first == t->slots || (t->first < t->next && t->bytes + coming > t->limit) ||
	    is_over(t, now))
		drop_oldest(t);
}

static void
begin_gop(struct track *t, int64_t now)
{
	t->gop_before = t->gop;
	t->gop_before_ms = t->gop_ms;
	t->gop = t->next;
	t->gop_ms = now;
	t->gop_bytes = t->gop_now;
	t->gop_now = 0;
}

static void
measure(struct track *t, size_t len, int64_t now)
{
	int64_t ms = now - t->rate_ms;

	t->sent_bytes += len;
	t->gop_now += len;
	if (t->gop_now > t->gop_bytes)
		t->gop_bytes = t->gop_now;
	if (ms < RATE_MS)
		return;
	t->byte_rate = (int64_t)(t->sent_bytes - t->rate_bytes) * 1000 / ms;
	t->rate_bytes = t->sent_bytes;
	t->rate_ms = now;
}

void
track_add(struct track *t, uint32_t ts, bool marker, bool key, const uint8_t *head, size_t head_len,
    const uint8_t *body, size_t body_len, int64_t now)
{
	size_t len = TRACK_RTP_HEAD + head_len + body_len;
	struct packet *p = xmalloc(sizeof(*p) + len);

	assert(len <= TRACK_RTP_MAX);
	if (t->ring == NULL)
		t->ring = xcalloc(t->slots, sizeof(*t->ring));
	*p = (struct packet){ .came_ms = now, .ts = ts, .len = (uint16_t)len, .key = key };
	p->rtp[0] = 0x80;
	p->rtp[1] = marker ? 0x80 : 0;
	be_put(p->rtp + 2, 2, t->next & 0xffff);
	be_put(p->rtp + 4, 4, ts);
	be_put(p->rtp + 8, 4, t->ssrc);
	if (head_len > 0)
		memcpy(p->rtp + TRACK_RTP_HEAD, head, head_len);
	memcpy(p->rtp + TRACK_RTP_HEAD + head_len, body, body_len);
	if (key)
		begin_gop(t, now);
	trim(t, sizeof(*p) + len, now);
	t->ring[t->next++ & (t->slots - 1)] = p;
	t->bytes += sizeof(*p) + len;
	measure(t, len, now);
}
