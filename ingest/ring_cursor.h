/*
 * ring_cursor.h - one reader of the ring that is no segmenter: what it is being fed, how far behind
 * that is, and where the next one begins. Sinks that are fed so share it: pushes, webrtc.
 *
 * A reader begins at a key frame (of sound alone: anywhere). One that is more than lag_ms behind, or
 * in the way of others when the ring fills, goes on at the newest key frame; what lies between is
 * lost, and counted.
 */
#ifndef MILLRACE_RING_CURSOR_H
#define MILLRACE_RING_CURSOR_H

#include "hls_feed.h"

struct ring_cursor {
	struct ring *ring;
	struct hls_feed feed;		/* feed.tracks: what it wants */
	int64_t batch_ms, lag_ms;
	bool ring_times;		/* the ring's times as they are; else they begin at 0 */
	bool hold;			/* the next one is soon up: start, once there is one, stays where it is */
	/* Of the next one; start NULL: there is no key frame yet. need, base_ms as hls_cut_need() has them. */
	struct tag *start, *need;
	int64_t base_ms;
	size_t begin_bytes;		/* that came since its start */
	int64_t newest_ms;
	bool key_waits;			/* a key frame has come that was not written yet */
	uint64_t dropped;
};

/* The ring, batch_ms, lag_ms and, if others than all, feed.tracks are the caller's to set after it. */
void ring_cursor_init(struct ring_cursor *c);
void ring_cursor_free(struct ring_cursor *c);
void ring_cursor_set_start(struct ring_cursor *c, struct tag *t);	/* NULL: none */
void ring_cursor_newest_start(struct ring_cursor *c, struct tag *from);	/* from `from` on */
void ring_cursor_first_start(struct ring_cursor *c, struct tag *from);
/* Takes fd and feeds it from start on, which there is. */
void ring_cursor_open(struct ring_cursor *c, struct event_base *base, int fd, event_callback_fn writable, void *ctx);
/* A tag was appended. */
void ring_cursor_tag(struct ring_cursor *c, struct tag *t);
bool ring_cursor_due(const struct ring_cursor *c, int64_t now);		/* there is something to write */
int64_t ring_cursor_behind_ms(const struct ring_cursor *c);
const struct tag *ring_cursor_needs(const struct ring_cursor *c);	/* as sink_ops */
/* As sink_ops. false: what is being fed has lost its place: close it. */
bool ring_cursor_overrun(struct ring_cursor *c, struct tag *first);
#endif
