/* whip_jitter.c - see whip_jitter.h. Called by whip_media.c, one for each track. */
#include "whip_jitter.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define REORDER_MS 5	/* what is only overtaken comes by itself */
#define AGAIN_MS 50	/* more than most round trips */

static struct jitter_slot *
slot(struct jitter *j, uint16_t seq)
{
	return &j->slots[seq % JITTER_SLOTS];
}

struct jitter *
jitter_new(int64_t window_ms, const struct jitter_ops *ops, void *ctx)
{
	struct jitter *j = xcalloc(1, sizeof(*j));

	j->ops = ops;
	j->ctx = ctx;
	j->window_ms = window_ms;
	return j;
}

void
jitter_reset(struct jitter *j)
{
	for (unsigned i = 0; i < JITTER_SLOTS; i++) {
		free(j->slots[i].packet);
		j->slots[i].packet = NULL;
	}
	j->begun = j->odd = false;
}

void
jitter_free(struct jitter **j)
{
	if (*j == NULL)
		return;
	jitter_reset(*j);
	free(*j);
	*j = NULL;
}

static void
deliver(struct jitter *j)
{
	struct jitter_slot *s;
	struct jitter_packet *p;

	while (j->next != j->end && (s = slot(j, j->next))->packet != NULL) {
		p = s->packet;
		s->packet = NULL;
		j->next++;
		j->ops->packet(j->ctx, p);
		free(p);
	}
}

/* Those before the first that is there, as far as they are missing since `since` or longer. */
static void
give_up(struct jitter *j, int64_t since)
{
	unsigned n = 0;

	while (j->next != j->end && slot(j, j->next)->packet == NULL && slot(j, j->next)->missed_ms <= since) {
		j->next++;
		n++;
	}
	j->lost += n;
	if (n > 0)
		j->ops->lost(j->ctx, n);
}

void
jitter_tick(struct jitter *j, int64_t now)
{
	uint16_t before;

	do {
		before = j->next;
		give_up(j, now - j->window_ms);
		deliver(j);
	} while (j->next != before);
}

void
jitter_flush(struct jitter *j)
{
	while (j->next != j->end) {
		give_up(j, INT64_MAX);
		deliver(j);
	}
}

/* There is room for seq: the oldest that are missing are not waited for any longer. */
static void
make_room(struct jitter *j, uint16_t seq)
{
	while (j->next != j->end && (uint16_t)(seq - j->next) >= JITTER_SLOTS) {
		give_up(j, INT64_MAX);
		deliver(j);
	}
}

static void
begin(struct jitter *j, uint16_t seq)
{
	j->begun = true;
	j->odd = false;
	j->next = j->end = seq;
}

/*
 * Far from what is expected: a stray, or the sender has begun to count anew; two in a row decide
 * (RFC 3550 A.1). true: it is to be taken.
 */
static bool
jumped(struct jitter *j, uint16_t seq)
{
	if (!j->odd || seq != j->odd_next) {
		j->odd = true;
		j->odd_next = (uint16_t)(seq + 1);
		return false;
	}
	jitter_flush(j);
	j->lost++;
	j->ops->lost(j->ctx, 1);
	begin(j, seq);
	return true;
}

/* The place for it, or NULL: it is late, a second one, a stray. */
static struct jitter_slot *
place(struct jitter *j, uint16_t seq, int64_t now)
{
	int16_t ahead;

	if (!j->begun)
		begin(j, seq);
	ahead = (int16_t)(seq - j->end);
	if ((ahead >= JITTER_SLOTS || ahead < -JITTER_SLOTS) && !jumped(j, seq))
		return NULL;
	if ((int16_t)(seq - j->next) < 0) {
		j->late++;
		return NULL;
	}
	make_room(j, seq);
	for (; (int16_t)(seq - j->end) >= 0; j->end++) {
		slot(j, j->end)->missed_ms = now;
		slot(j, j->end)->asked_ms = 0;
	}
	return slot(j, seq);
}

void
jitter_put(struct jitter *j, uint16_t seq, uint32_t ts, bool marker, const uint8_t *payload, size_t len, int64_t now)
{
	struct jitter_slot *s = place(j, seq, now);
	struct jitter_packet *p;

	if (s == NULL || s->packet != NULL) {
		j->late += s != NULL;
		return;
	}
	p = xmalloc(sizeof(*p) + len);
	*p = (struct jitter_packet){ .seq = seq, .marker = marker, .ts = ts, .came_ms = now, .len = len };
	memcpy(p->payload, payload, len);
	s->packet = p;
	deliver(j);
}

bool
jitter_waits(const struct jitter *j)
{
	return j->next != j->end;
}

unsigned
jitter_missing(struct jitter *j, uint16_t *seq, unsigned max, int64_t now)
{
	unsigned n = 0;

	for (uint16_t i = j->next; i != j->end && n < max; i++) {
		struct jitter_slot *s = slot(j, i);

		if (s->packet != NULL || now - s->missed_ms < REORDER_MS ||
		    (s->asked_ms != 0 && now - s->asked_ms < AGAIN_MS))
			continue;
		s->asked_ms = now;
		seq[n++] = i;
	}
	return n;
}
