/*
 * ring_cursor.c - where in the ring a reader is, and where the next one begins (contract in
 * ring_cursor.h). Called by sink_child.c and sink_feed.c, which know whom they feed.
 */
#include "ring_cursor.h"

#include <string.h>

#include "framing.h"
#include "hls_cut.h"

void
ring_cursor_init(struct ring_cursor *c)
{
	memset(c, 0, sizeof(*c));
	hls_feed_init(&c->feed);
	c->feed.every_key = true;
}

void
ring_cursor_free(struct ring_cursor *c)
{
	hls_feed_free(&c->feed);
}

static bool
has_video(const struct ring_cursor *c, const struct ring_gen *g)
{
	return g->video && (c->feed.tracks & FRAMING_VIDEO);
}

static bool
can_start(const struct ring_cursor *c, const struct tag *t)
{
	return t->gen->settled && (has_video(c, t->gen) ? t->key : t->audio && (c->feed.tracks & FRAMING_AUDIO));
}

void
ring_cursor_set_start(struct ring_cursor *c, struct tag *t)
{
	c->start = c->need = t;
	c->begin_bytes = 0;
	if (t == NULL)
		return;
	c->base_ms = 0;
	if (c->feed.tracks == FRAMING_ALL || !c->ring_times)
		c->need = hls_cut_need(c->ring, t, &c->base_ms);
	if (c->ring_times)
		c->base_ms = 0;
}

static bool
is_behind(const struct tag *from, const struct tag *t)
{
	while (from != NULL && from != t)
		from = from->next;
	return from != NULL;
}

void
ring_cursor_newest_start(struct ring_cursor *c, struct tag *from)
{
	struct tag *found = NULL;

	for (; from != NULL; from = from->next) {
		c->newest_ms = from->dts_ms;
		if (can_start(c, from))
			found = from;
	}
	ring_cursor_set_start(c, found);
}

void
ring_cursor_first_start(struct ring_cursor *c, struct tag *from)
{
	while (from != NULL && !can_start(c, from))
		from = from->next;
	ring_cursor_set_start(c, from);
}

void
ring_cursor_open(struct ring_cursor *c, struct event_base *base, int fd, event_callback_fn writable, void *ctx)
{
	hls_feed_open(&c->feed, base, fd, c->start, c->need, c->base_ms, writable, ctx);
}

static bool
is_fed(const struct ring_cursor *c)
{
	return c->feed.fd >= 0 && !c->feed.at_end;
}

int64_t
ring_cursor_behind_ms(const struct ring_cursor *c)
{
	return is_fed(c) ? c->newest_ms - c->feed.next->dts_ms : 0;
}

/* Too far behind, or in the way of others: on to the newest key frame, if it is at an older one. */
static void
shed(struct ring_cursor *c)
{
	const struct tag *to = c->start;
	struct hls_feed *f = &c->feed;
	int64_t behind = ring_cursor_behind_ms(c);

	if (!is_fed(c))
		return;
	if (behind <= c->lag_ms && (c->ring->bytes <= c->ring->limit / 2 || behind < 2 * c->batch_ms))
		return;
	if (to != NULL && to != f->next && to->gen == f->gen && is_behind(f->next, to))
		c->dropped += hls_feed_skip(f, to);
}

void
ring_cursor_tag(struct ring_cursor *c, struct tag *t)
{
	c->newest_ms = t->dts_ms;
	c->begin_bytes += t->cost;
	c->key_waits = c->key_waits || t->key;
	hls_feed_appended(&c->feed, t);
	if (c->start != NULL && c->begin_bytes > c->ring->limit / 2) {
		c->hold = false;
		ring_cursor_set_start(c, NULL);
	}
	if (can_start(c, t) && (c->start == NULL || !c->hold))
		ring_cursor_set_start(c, t);
	shed(c);
}

bool
ring_cursor_due(const struct ring_cursor *c, int64_t now)
{
	return c->feed.fd >= 0 && c->feed.blocked_ms == 0 && (c->key_waits || now - c->feed.last_ms >= c->batch_ms / 2);
}

const struct tag *
ring_cursor_needs(const struct ring_cursor *c)
{
	const struct tag *next = is_fed(c) ? c->feed.next : NULL;

	if (next == NULL || c->need == NULL)
		return next != NULL ? next : c->need;
	return is_behind(next, c->need) ? next : c->need;
}

bool
ring_cursor_overrun(struct ring_cursor *c, struct tag *first)
{
	if (c->need != NULL && !is_behind(first, c->need)) {
		c->hold = false;
		ring_cursor_newest_start(c, first);
	}
	if (!is_fed(c) || is_behind(first, c->feed.next))
		return true;
	if (c->start == NULL || c->start->gen != c->feed.gen)
		return false;
	c->dropped += hls_feed_skip(&c->feed, c->start);
	return true;
}
