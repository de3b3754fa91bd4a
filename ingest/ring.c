/* ring.c - a stream's tags (contract in ring.h). Called by stream.c (append) and the sinks (cursors, trim). */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void
ring_init(struct ring *r, size_t limit)
{
	memset(r, 0, sizeof(*r));
	r->tail = &r->head;
	r->limit = limit;
}

static void
drop_head(struct ring *r)
{
	struct tag *t = r->head;

	r->head = t->next;
	if (r->head == NULL)
		r->tail = &r->head;
	r->bytes -= t->cost;
	ring_gen_unref(&t->gen);
	free(t);
}

void
ring_trim(struct ring *r, const struct tag *keep)
{
	while (r->head != NULL && r->head != keep)
		drop_head(r);
}

void
ring_free(struct ring *r)
{
	ring_trim(r, NULL);
}

struct tag *
ring_append(struct ring *r, struct ring_gen *gen, const struct flv_info *info, const uint8_t *body, size_t len)
{
	struct tag *t = xmalloc(sizeof(*t) + len);

	memset(t, 0, sizeof(*t));
	t->gen = ring_gen_ref(gen);
	t->audio = info->type == FLV_AUDIO;
	t->key = !t->audio && info->keyframe;
	t->len = (uint32_t)len;
	t->cost = (uint32_t)(sizeof(*t) + len + (gen != r->newest ? gen->video_len + gen->audio_len : 0));
	r->newest = gen;
	t->payload = (uint32_t)info->payload;
	t->payload_len = (uint32_t)info->payload_len;
	memcpy(t->body, body, len);
	*r->tail = t;
	r->tail = &t->next;
	r->bytes += t->cost;
	return t;
}

struct tag *
ring_overrun(const struct ring *r)
{
	size_t left = r->bytes;

	if (left <= r->limit)
		return NULL;
	for (struct tag *t = r->head; t != NULL; t = t->next) {
		if ((left <= r->limit && (t->key || !t->gen->video)) || t->next == NULL)
			return t;
		left -= t->cost;
	}
	return NULL;
}

struct tag *
ring_regen(struct ring *r, struct ring_gen *gen)
{
	struct tag *first = r->head;

	for (struct tag *t = r->head; t != NULL; t = t->next)
		if (!t->audio)
			first = t->next;
	for (struct tag *t = first; t != NULL; t = t->next) {
		ring_gen_unref(&t->gen);
		t->gen = ring_gen_ref(gen);
	}
	return first;
}

static uint8_t *
copy(const uint8_t *p, size_t len)
{
	return p != NULL ? memcpy(xmalloc(len), p, len) : NULL;
}

struct ring_gen *
ring_gen_new(const struct ring_gen *from)
{
	struct ring_gen *g = xcalloc(1, sizeof(*g));

	if (from != NULL) {
		*g = *from;
		g->video_header = copy(from->video_header, from->video_len);
		g->audio_header = copy(from->audio_header, from->audio_len);
	}
	g->refs = 1;
	return g;
}

void
ring_gen_set(struct ring_gen *g, const struct flv_info *info, const uint8_t *header, size_t len)
{
	bool enhanced = info->enhanced || info->codec == FLV_FOURCC('h', 'v', 'c', '1');
	bool audio = info->type == FLV_AUDIO;
	uint8_t **where = audio ? &g->audio_header : &g->video_header;

	free(*where);
	*where = header != NULL ? copy(header, len) : NULL;
	if (audio) {
		g->audio = true;
		g->audio_codec = info->codec;
		g->audio_enhanced = enhanced;
		g->audio_len = len;
		g->audio_config = info->payload;
		g->audio_config_len = info->payload_len;
	} else {
		g->video = true;
		g->video_codec = info->codec;
		g->video_enhanced = enhanced;
		g->video_len = len;
		g->video_config = info->payload;
		g->video_config_len = info->payload_len;
	}
}

bool
ring_gen_enhanced(const struct ring_gen *g)
{
	return (g->video && g->video_enhanced) || (g->audio && g->audio_enhanced);
}

struct ring_gen *
ring_gen_ref(struct ring_gen *g)
{
	g->refs++;
	return g;
}

void
ring_gen_unref(struct ring_gen **gp)
{
	struct ring_gen *g = *gp;

	*gp = NULL;
	if (g == NULL || --g->refs > 0)
		return;
	free(g->video_header);
	free(g->audio_header);
	free(g);
}
