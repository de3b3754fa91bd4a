/*
 * hls_feed.h - the ring as an FLV or Matroska stream into a descriptor, mostly one ffmpeg's stdin (HLS,
 * push, webrtc): headers, then the tags of one generation from a segment's or key frame's start
 * on, straight from the ring by writev.
 */
#ifndef MILLRACE_HLS_FEED_H
#define MILLRACE_HLS_FEED_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "ring.h"

struct evbuffer;

struct hls_feed {
	int fd;				/* -1: closed */
	struct event *wr;		/* armed while the child takes no more */
	struct evbuffer *head;		/* file header and sequence headers still to be written */
	struct ring_gen *gen;
	bool matroska;			/* else FLV */
	/* Set before _open, after _init: */
	bool every_key;			/* FLV: key frames stay such also where no segment begins */
	bool only_flv;			/* also what is Enhanced RTMP's, as it came */
	unsigned tracks;		/* enum of framing.h; may become less at any time */
	const struct tag *start;	/* where the video begins; compared, never read */
	int64_t base_ms, audio_from_ms;	/* media time that is the child's 0; no audio before */
	struct tag *next;		/* next to write, valid unless at_end */
	bool at_end;			/* all tags were looked at; `next` is the last of them */
	bool past_start;
	size_t off;			/* bytes of *next that are written */
	int64_t blocked_ms, last_ms;	/* since when it takes no more, 0 = it does; last write */
	uint64_t bytes, frames;		/* written since it was opened */
};

enum hls_feed_rc {
	HLS_FEED_ALL,			/* nothing left to write */
	HLS_FEED_LAST,			/* ... and never will be: another generation follows */
	HLS_FEED_BLOCKED,		/* wr is armed */
	HLS_FEED_BROKEN,		/* the child does not read any more */
};

void hls_feed_init(struct hls_feed *f);
/* Takes fd. need and start as hls_cut_need() has them. */
void hls_feed_open(struct hls_feed *f, struct event_base *base, int fd, struct tag *start, struct tag *need,
    int64_t base_ms, event_callback_fn writable, void *ctx);
/* After LAST, only_flv: to the same descriptor, with new headers; the file header stays what it was. */
void hls_feed_go_on(struct hls_feed *f, struct tag *start, struct tag *need);
void hls_feed_close(struct hls_feed *f);	/* EOF for the child; the generation stays known */
void hls_feed_free(struct hls_feed *f);
enum hls_feed_rc hls_feed_write(struct hls_feed *f, int64_t now);
void hls_feed_appended(struct hls_feed *f, struct tag *t);	/* t is the ring's newest */
/*
 * Goes on at `to`, a key frame later in the ring, NULL: with what comes; what is half written is finished
 * first. How many tags that leaves out.
 */
unsigned hls_feed_skip(struct hls_feed *f, const struct tag *to);
/* Has a byte of t been written? */
bool hls_feed_has(const struct hls_feed *f, const struct tag *t);
#endif
