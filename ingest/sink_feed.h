/*
 * sink_feed.h - a stream's media into the socket to a webrtc worker, as a sink (sink.h): FLV with
 * the tracks that browsers take as they came.
 */
#ifndef MILLRACE_SINK_FEED_H
#define MILLRACE_SINK_FEED_H

#include "board.h"
#include "sink.h"

/* Takes fd. Nothing is written before _tracks was called. */
struct sink *sink_feed_new(const struct sink_env *env, int fd);
/* Of tags of generation g these tracks (framing.h) may go; none is possible. */
void sink_feed_tracks(struct sink *s, const struct ring_gen *g, unsigned tracks);
void sink_feed_board(const struct sink *s, struct board_feed *out);
#endif
