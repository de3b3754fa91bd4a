/*
 * push_child.h - one ffmpeg of a push: its descriptors, what it takes, what it says. Where it
 * begins and when it is replaced is sink_push.c's to know, the process itself the supervisor's.
 */
#ifndef MILLRACE_PUSH_CHILD_H
#define MILLRACE_PUSH_CHILD_H

#include "hls_feed.h"
#include "lines.h"
#include "push_words.h"
#include "svc.h"

struct push_child {
	const char *id;			/* its target's, for the log */
	struct hls_feed feed;
	struct lines err;
	struct push_words words;	/* of it, still there when it has ended */
	bool accepted;			/* the target has accepted the stream */
	int unread;			/* what it had not taken at the last look */
	int64_t up_ms, moved_ms;	/* moved: it took something */
	uint64_t frames, bytes;		/* handed to those before it */
};

/* What the next one gets: from `start`, a key frame, on; need and base_ms as hls_cut_need() has them. */
struct push_begin {
	struct tag *start, *need;
	int64_t base_ms;
};

void push_child_init(struct push_child *c, const char *id);
void push_child_free(struct push_child *c);
bool push_child_h264(const struct ring_gen *g);	/* its video needs no other codec */
/* SPAWN of `output` for these tracks, with the last words of the one before it. */
void push_child_ask(const struct push_child *c, struct svc *svc, const char *output, const struct ring_gen *g);
/*
 * SPAWNED: takes its descriptors. -1: it is not what begin (NULL: nothing) needs; they are
 * closed, so that it ends.
 */
int push_child_open(struct push_child *c, struct event_base *base, struct msg *m, const struct push_begin *begin,
    event_callback_fn writable, void *ctx);
enum hls_feed_rc push_child_feed(struct push_child *c, int64_t now);
/* How long it has not taken anything although there is something, in ms. */
int64_t push_child_stuck_ms(struct push_child *c, int64_t now);
/* Its stderr is read to the end; nothing of it is left but words. */
void push_child_close(struct push_child *c);
#endif
