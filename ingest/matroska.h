/*
 * matroska.h - a live Matroska stream for ffmpeg's stdin, for codecs that not every ffmpeg
 * finds in FLV: the head with its tracks, then each frame as a cluster of its own, so that
 * nothing before it has to be known. It has no decode times: ffmpeg finds them for frames
 * that are not in order if it knows how far apart they are. Source: RFC 9559, codec mappings
 * of the Matroska project and of AV1 in Matroska. Pure.
 */
#ifndef MILLRACE_MATROSKA_H
#define MILLRACE_MATROSKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define MATROSKA_VIDEO 1	/* track numbers */
#define MATROSKA_AUDIO 2
#define MATROSKA_FRAME_HEAD_BYTES 27

struct matroska_track {
	uint32_t codec;			/* FourCC, as lib/flv.h */
	const uint8_t *config;		/* hvcC, av1C, avcC, AudioSpecificConfig, OpusHead; borrowed */
	size_t config_len;		/* 0: none */
	int64_t frame_ms;		/* from one to the next; this and the following, 0: unknown */
	int width, height;
	int rate, channels, bits;
};

/* Codecs that RTMP does not have: one JPEG a frame, s16le samples. */
#define MATROSKA_MJPEG UINT32_C(0x4d4a5047)
#define MATROSKA_PCM UINT32_C(0x736f7774)

/* Is there a mapping for it, and may it come by RTMP? */
bool matroska_takes(uint32_t codec);
/* EBML head, segment of unknown size, tracks; NULL: no such track. */
void matroska_write_header(struct evbuffer *out, const struct matroska_track *video,
    const struct matroska_track *audio);
/* Text behind the header that every reader passes over but ours. */
void matroska_write_note(struct evbuffer *out, const char *text);
#define MATROSKA_TIMED 0x01	/* in the last byte of a frame's head: "discardable", see frames_file.h */
/* What comes before `len` bytes of a frame, whose time is pts_ms (>= 0). */
void matroska_write_frame_head(uint8_t out[MATROSKA_FRAME_HEAD_BYTES], unsigned track, int64_t pts_ms,
    bool key, uint32_t len);
#endif
