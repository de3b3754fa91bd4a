/* hls_child.h - one ffmpeg of the HLS sink: asked for, its descriptors, what it left behind. */
#ifndef MILLRACE_HLS_CHILD_H
#define MILLRACE_HLS_CHILD_H

#include "hls_feed.h"
#include "lines.h"
#include "hls_state.h"
#include "svc.h"

#define HLS_OUTPUT "hls"	/* the output's name to the supervisor */

struct hls_child {
	struct hls_feed feed;
	struct lines err, csv;
	int64_t run, number;		/* name its files: number of the segment it is at */
	bool fmp4;			/* its files; else MPEG-TS */
	int64_t base_ms;		/* media time of its 0 */
	int64_t up_ms;
	const struct hls_child_ops *ops;
	void *ctx;
	const char *dir;		/* where its files are */
	struct event *look;		/* armed while a listed segment is held */
	int64_t held_us, held_end_ms;	/* its length, 0: none is held; media time of its end, as far as ffmpeg knows */
};

struct hls_child_ops {
	/* Segment `number` is whole. A taker counts `number` on. */
	void (*segment)(void *ctx, int64_t us, int64_t end_ms);
	void (*end)(void *ctx);			/* its list has ended */
	event_callback_fn writable;		/* of its stdin */
};

void hls_child_init(struct hls_child *c, struct event_base *base, const char *dir, const struct hls_child_ops *ops,
    void *ctx);
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
int hls_child_open(struct hls_child *c, struct svc *svc, struct msg *m, struct tag *start, struct tag *need);
/*
 * Why it should be replaced, NULL if all is well: it takes nothing for stuck_ms, or has listed
 * nothing for three targets more although `end`, its segment's last cut (NULL: none), came.
 */
const char *hls_child_stuck(const struct hls_child *c, const struct tag *end, int64_t targets_ms, int64_t stuck_ms,
    int64_t now);
/* Reads the lines that are there. */
void hls_child_drain(struct hls_child *c);
/*
 * It has ended; after hls_child_drain(). whole: as it should, so that what it listed last is
 * a whole segment, too.
 */
void hls_child_release(struct hls_child *c, bool whole);
void hls_child_close(struct hls_child *c);
void hls_child_segment(const struct hls_child *c, char *buf, size_t size);	/* file name of segment `number` */
/* For webhooks, if any wants it: the newest segment of the list. */
void hls_child_tell(struct svc *svc, const char *uri, int64_t duration_us, const struct hls_state *state);
#endif
