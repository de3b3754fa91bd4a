/*
 * streams_viewers.c - how many watch a stream. Every http worker says how many distinct players
 * it saw, and which, as a sketch: one player's connections may go to several of them. A webrtc
 * worker says how many are connected: a stream is at one of them, and nobody else counts those.
 * Called by streams_event.c, streams_report.c, streams.c and child.c (a worker died).
 */
#include <stdlib.h>

#include "supervisor/streams.h"
#include "util.h"

struct viewers {			/* what one worker counts */
	struct viewers *next;
	const struct child *http;
	bool apart;			/* of webrtc: there is no sketch */
	uint32_t n;
	struct sketch sketch;
};

static void
forget(struct stream *s, const struct child *http)
{
	struct viewers **p, *v;

	for (p = &s->viewers; *p != NULL && (*p)->http != http; p = &(*p)->next)
		;
	v = *p;
	if (v == NULL)
		return;
	*p = v->next;
	free(v);
}

void
stream_set_viewers(struct stream *s, const struct child *http, uint32_t n, const struct sketch *sketch)
{
	struct viewers *v;

	forget(s, http);
	if (n == 0)
		return;
	v = xcalloc(1, sizeof(*v));
	v->http = http;
	v->n = n;
	v->apart = sketch == NULL;
	if (sketch != NULL)
		v->sketch = *sketch;
	v->next = s->viewers;
	s->viewers = v;
}

uint32_t
stream_viewers_webrtc(const struct stream *s)
{
	uint32_t n = 0;

	for (const struct viewers *v = s->viewers; v != NULL; v = v->next)
		n += v->apart ? v->n : 0;
	return n;
}

/* Surely no fewer than the one sees who sees most, and no more than all together. */
uint32_t
stream_viewers(const struct stream *s)
{
	struct sketch all = { { 0 } };
	uint64_t most = 0, sum = 0, n;

	for (const struct viewers *v = s->viewers; v != NULL; v = v->next) {
		if (v->apart)
			continue;
		most = v->n > most ? v->n : most;
		sum += v->n;
		sketch_unite(&all, &v->sketch);
	}
	n = sketch_count(&all);
	if (n < most)
		n = most;
	if (n > sum)
		n = sum;
	n += stream_viewers_webrtc(s);
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void
stream_free_viewers(struct stream *s)
{
	while (s->viewers != NULL)
		forget(s, s->viewers->http);
}

void
streams_forget_viewers(struct child *http)
{
	for (struct stream *s = stream_list; s != NULL; s = s->next)
		forget(s, http);
	hook_viewers_forget(http);
}
