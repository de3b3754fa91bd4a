/*
 * ring.h - the one buffer of a stream: its newest tags in order of arrival, shared by all
 * sinks, each of which holds cursors into it. Bounded in bytes: what is too old goes, up
 * to the next key frame, and is counted.
 */
#ifndef MILLRACE_RING_H
#define MILLRACE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flv.h"

/* What a decoder needs before the first frame; changes make a new generation. */
struct ring_gen {
	unsigned refs;
	bool settled;			/* its tracks are known: an output may start */
	bool video, audio;		/* tracks of this generation */
	uint32_t video_codec, audio_codec;	/* FourCC, as lib/flv.h */
	bool video_enhanced, audio_enhanced;	/* not every ffmpeg finds it in FLV */
	uint8_t *video_header, *audio_header;	/* bodies of the sequence headers, NULL if none */
	size_t video_len, audio_len;
	size_t video_config, audio_config;	/* where in them the codec's own is, */
	size_t video_config_len, audio_config_len;	/* and its length: of a multitrack one, track 0's */
	int width, height, rate, channels;	/* 0: unknown */
};

struct tag {
	struct tag *next;
	struct ring_gen *gen;
	int64_t dts_ms, pts_ms;		/* media time (timeline.h) */
	int64_t came_ms, wall_ms;	/* received: monotonic and wall clock */
	bool audio, key;
	bool cut, first;		/* the HLS sink starts a segment here; its generation's first */
	uint32_t len;			/* of the body, that is a FLV tag's */
	uint32_t cost;			/* counted in ring.bytes */
	uint32_t payload, payload_len;	/* where in it the codec's own is */
	uint8_t body[];
};

struct ring {
	struct tag *head, **tail;
	const struct ring_gen *newest;	/* of the last tag; compared only */
	size_t bytes, limit;
	uint64_t dropped;		/* frames lost by overrun */
};

void ring_init(struct ring *r, size_t limit);
void ring_free(struct ring *r);
struct tag *ring_append(struct ring *r, struct ring_gen *gen, const struct flv_info *info, const uint8_t *body,
    size_t len);
/* Frees the oldest tags up to, not including, `keep` (NULL: all). */
void ring_trim(struct ring *r, const struct tag *keep);
/*
 * Over the limit: the tag that the oldest has to make way for (the first key frame that
 * leaves enough room, else the last tag), NULL if all fits. The caller moves its cursors, then trims.
 */
struct tag *ring_overrun(const struct ring *r);
/*
 * The video has ended: what came after its last frame is of gen. The first such tag, NULL
 * if there is none yet.
 */
struct tag *ring_regen(struct ring *r, struct ring_gen *gen);

struct ring_gen *ring_gen_new(const struct ring_gen *from);	/* a copy, refs 1; NULL: empty */
/* A track and its sequence header (NULL: it has none); info is the head of that, or of a frame. */
void ring_gen_set(struct ring_gen *g, const struct flv_info *info, const uint8_t *header, size_t len);
bool ring_gen_enhanced(const struct ring_gen *g);	/* one of its tracks is */
struct ring_gen *ring_gen_ref(struct ring_gen *g);
void ring_gen_unref(struct ring_gen **g);
#endif
