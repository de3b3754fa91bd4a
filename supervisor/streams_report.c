/*
 * streams_report.c - what is shown of streams: the slots of run/board, and who was refused.
 * Decides nothing. Called by streams.c and report.c (once a second).
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "supervisor/streams.h"
#include "util.h"

#define NO_SLOT BOARD_STREAMS	/* more streams than run/board can show */
#define REFUSED_HOSTS 16	/* remembered, so that one that insists does not fill the log */
#define REFUSED_SAY_MS 1000

static bool slot_used[BOARD_STREAMS];
static struct { char host[NET_TEXT]; int64_t said_ms; unsigned unsaid; } refused[REFUSED_HOSTS];

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

void
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
	b->since_wall_ms = s->since_wall_ms;
	b->until_ms = s->state == BOARD_STREAM_RECONNECTING ? s->until_ms : 0;
	b->viewers = stream_viewers(s);
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

void
stream_say_refused(const char *peer, const char *text)
{
	size_t len = (size_t)(strrchr(peer, ':') != NULL ? strrchr(peer, ':') - peer : 0);
	int64_t now = now_ms();
	char host[NET_TEXT];
	int i, oldest = 0;

	snprintf(host, sizeof(host), "%.*s", (int)len, peer);
	for (i = 0; i < REFUSED_HOSTS && strcmp(refused[i].host, host) != 0; i++)
		if (refused[i].said_ms < refused[oldest].said_ms)
			oldest = i;
	if (i == REFUSED_HOSTS) {
		i = oldest;
		str_copy(refused[i].host, host, sizeof(refused[i].host));
		refused[i].said_ms = 0;
		refused[i].unsaid = 0;
	}
	if (refused[i].said_ms != 0 && now - refused[i].said_ms < REFUSED_SAY_MS) {
		refused[i].unsaid++;
		return;
	}
	if (refused[i].unsaid > 0)
		log_info("refused %s %u times more", host, refused[i].unsaid);
	log_info("refused %s: %s", peer, text);
	refused[i].said_ms = now;
	refused[i].unsaid = 0;
}
