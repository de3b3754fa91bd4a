/* sink_hls.h - the HLS output: ffmpeg cuts the segments, this sink decides where and lists them. */
#ifndef MILLRACE_SINK_HLS_H
#define MILLRACE_SINK_HLS_H

#include "sink.h"

/* Opens the playlist (resuming it if it has not ended); *start_ms is the media time to go on at. */
struct sink *sink_hls_new(const struct sink_env *env, int64_t *start_ms, bool *resumed);
/* Last word of a graceful stop: ENDLIST. */
void sink_hls_endlist(struct sink *s);
/* Figures for the board. */
struct sink_hls_stats { uint64_t segments, discontinuities; int64_t delay_ms; };
void sink_hls_stats(const struct sink *s, struct sink_hls_stats *out);
#endif
