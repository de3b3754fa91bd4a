/*
 * streams_report.c - what is shown of streams: the slots of run/board. Decides nothing.
 * Called by streams.c and report.c (once a second).
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/streams.h"
#include "util.h"

#define NO_SLOT BOARD_STREAMS	/* more streams than run/board can show */

static bool slot_used[BOARD_STREAMS];

void
stream_slot_take(struct stream *s)
{
	for (s->slot = 0; s->slot < BOARD_STREAMS; s->slot++)
		if (!slot_used[s->slot]) {
			slot_used[s->slot] = true;
			return;
		}
	s->slot = NO_SLOT;
}

void
stream_slot_give(struct stream *s)
{
	struct board_stream *b;

	if (s->slot == NO_SLOT)
		return;
	slot_used[s->slot] = false;
	b = board_stream(sv.board, s->slot);
	board_begin(&b->seq);
	memset((char *)b + sizeof(b->seq), 0, sizeof(*b) - sizeof(b->seq));
	board_end(&b->seq);
}

static void
streams_output_report(struct stream *s, struct board_output *out, uint32_t *n)
{
	*n = 0;
	if (s->ingest != NULL)
		output_report(s->ingest, out, n, BOARD_OUTPUTS);
}

static void
report_stream(struct stream *s)
{
	struct board_stream *b = board_stream(sv.board, s->slot);

	board_begin(&b->seq);
	b->state = s->state;
	str_copy(b->name, s->name, sizeof(b->name));
	str_copy(b->app, s->app, sizeof(b->app));
	str_copy(b->peer, s->peer, sizeof(b->peer));
	str_copy(b->protocol, s->protocol, sizeof(b->protocol));
	b->created_wall_ms = s->created_wall_ms;
	b->since_wall_ms = s->since_wall_ms;
	b->until_ms = s->state == BOARD_STREAM_RECONNECTING ? s->until_ms : 0;
	b->viewers = stream_viewers(s);
	b->webrtc_viewers = stream_viewers_webrtc(s);
	b->reconnects = s->reconnects;
	b->ingest_pid = s->ingest != NULL ? (int32_t)s->ingest->pid : 0;
	streams_output_report(s, b->outputs, &b->noutputs);
	board_end(&b->seq);
}

void
streams_report(void)
{
	struct stream *s;

	for (s = stream_list; s != NULL; s = s->next)
		if (s->slot != NO_SLOT)
			report_stream(s);
}
