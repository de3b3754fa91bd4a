/*
 * framing.h - tags of the ring as a FLV or Matroska byte stream: for an ffmpeg's stdin and for
 * a recording's file. Matroska where one of the tracks is Enhanced RTMP's (matroska.h says why).
 */
#ifndef MILLRACE_FRAMING_H
#define MILLRACE_FRAMING_H

#include <sys/uio.h>

#include "flv.h"
#include "matroska.h"
#include "ring.h"

struct evbuffer;

struct framing { uint8_t head[MATROSKA_FRAME_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES]; };
#define FRAMING_PIECES 3

enum { FRAMING_VIDEO = 1, FRAMING_AUDIO = 2, FRAMING_ALL = 3 };	/* tracks that are written */

/* One of these tracks is Enhanced RTMP's: Matroska. */
bool framing_is_matroska(const struct ring_gen *g, unsigned tracks);
/* File header and sequence headers. frame_ms: from one video frame to the next, 0: unknown (Matroska needs it). */
void framing_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks, bool matroska,
    int64_t frame_ms);
/* Sequence headers alone, amid a FLV stream. */
void framing_new_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks, int64_t ms);
/*
 * One tag, base_ms being the stream's 0. key: it shall count as a key frame (FLV; Matroska has
 * the frame's own). Pieces in iov, which point into f and t.
 */
int framing_tag(bool matroska, const struct tag *t, int64_t base_ms, bool key, struct framing *f,
    struct iovec iov[FRAMING_PIECES]);
size_t framing_bytes(bool matroska, const struct tag *t);	/* of all its pieces */
#endif
