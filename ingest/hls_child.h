/* hls_child.h - one ffmpeg of the HLS sink: asked for, its descriptors, what it left behind. */
#ifndef MILLRACE_HLS_CHILD_H
#define MILLRACE_HLS_CHILD_H

#include "hls_feed.h"
#include "hls_lines.h"
#include "hls_state.h"
#include "svc.h"

#define HLS_OUTPUT "hls"	/* the output's name to the supervisor */

struct hls_child {
	struct hls_feed feed;
	struct hls_lines err, csv;
	int64_t run, number;		/* name its files: number of the segment it is at */
	bool fmp4;			/* its files; else MPEG-TS */
	int64_t base_ms;		/* media time of its 0 */
	int64_t up_ms;
};

/* line takes a line of the segment list, end its end. */
void hls_child_init(struct hls_child *c, void (*line)(void *, const char *), void (*end)(void *), void *ctx);
void hls_child_free(struct hls_child *c);
/* What SPAWN asks for besides start's generation. */
struct hls_wish {
	int64_t base_ms, segment_ms;
	const struct hls_state *state;	/* of the list it goes on with */
};
/* Not before its frames' distance is known, where that has to be told (`last`: no more will come). */
bool hls_child_can_ask(const struct tag *start, bool last);
void hls_child_ask(struct hls_child *c, struct svc *svc, const struct tag *start, const struct hls_wish *wish);
/*
 * SPAWNED: takes its descriptors. -1: it is not what start (NULL: nothing) needs; they are
 * closed, so that it ends.
 */
int hls_child_open(struct hls_child *c, struct svc *svc, struct msg *m, struct tag *start, struct tag *need,
    event_callback_fn writable);
/* EXITED: reads the last lines. */
void hls_child_drain(struct hls_child *c);
void hls_child_close(struct hls_child *c);
void hls_child_segment(const struct hls_child *c, char *buf, size_t size);	/* file name of segment `number` */
void hls_child_unlink(const struct hls_child *c, const char *dir);	/* it, which was never whole */
/*
 * "s1732_000042.ts,2.021000,4.021000": length of segment `number` in us, -1 if this is not
 * its line; *end_ms: media time of its end, as far as ffmpeg knows.
 */
int64_t hls_child_listed_us(const struct hls_child *c, const char *line, int64_t *end_ms);
#endif
