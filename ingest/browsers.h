/*
 * browsers.h - a stream on its way to browsers by WebRTC: while a worker has viewers for it, a FEED
 * of what they take as it is, and an ffmpeg for each track that they do not.
 */
#ifndef MILLRACE_BROWSERS_H
#define MILLRACE_BROWSERS_H

#include "board.h"
#include "feed_judge.h"
#include "sink.h"

#define BROWSERS_NEEDS 4

struct browsers {
	bool enabled;			/* webrtc.workers */
	bool on, draining;
	struct sink_env env;
	struct sink *feed, *opus, *h264;	/* NULL: not there */
	struct feed_judge judge;
	struct ring_gen *gen;		/* that was judged */
	struct tag *keep;		/* the newest key frame: for whoever comes next; NULL: none */
	size_t kept_bytes;		/* that came since */
	int64_t batch_ms;
};

void browsers_open(struct browsers *b, const struct sink_env *env);
void browsers_free(struct browsers *b);
/* As sink_ops. */
void browsers_tag(struct browsers *b, struct tag *t);
void browsers_tick(struct browsers *b, int64_t now);
/* How many of out are filled. */
unsigned browsers_needs(const struct browsers *b, const struct tag *out[BROWSERS_NEEDS]);
void browsers_overrun(struct browsers *b, struct tag *first);
void browsers_regen(struct browsers *b, struct tag *first);
void browsers_drain(struct browsers *b);
/* FEED, SPAWNED, EXITED. false: it is of another output. */
bool browsers_message(struct browsers *b, struct msg *m);
/* How long the publisher's socket may wait: `longest`, or less while somebody watches. */
int64_t browsers_budget_ms(const struct browsers *b, int64_t longest);
void browsers_board(const struct browsers *b, struct board_feed *out);
#endif
