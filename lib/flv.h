/*
 * flv.h - FLV tags (Adobe Video File Format 10.1, annex E) and the Enhanced RTMP v2 tag
 * heads (veovera/enhanced-rtmp v2). No sockets, no state: bytes in, facts out.
 *
 * A tag's body is what RTMP carries in a message of type 8, 9 or 18.
 */
#ifndef MILLRACE_FLV_H
#define MILLRACE_FLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flv_type { FLV_AUDIO = 8, FLV_VIDEO = 9, FLV_DATA = 18 };

/* What a body is. FourCCs are big-endian u32: FLV_FOURCC('h','v','c','1'). */
#define FLV_FOURCC(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct flv_info {
	enum flv_type type;
	bool enhanced;		/* Enhanced RTMP head */
	uint32_t codec;		/* FourCC: 'avc1' for legacy id 7, 'hvc1' for 12, 'mp4a' AAC, '.mp3',
				 * else legacy id 0-15 as it is (value < 16) */
	bool sequence_header;	/* decoder configuration */
	bool sequence_end;
	bool keyframe;		/* video: starts a GOP (coded frame, not the header) */
	bool metadata;		/* video Metadata packet (HDR) or ignorable info frame */
	bool multitrack;	/* nothing in here is of track 0: not for us */
	int32_t cts_ms;		/* when it is shown, after its time: composition time offset and, rounded
				 * to the nearest ms, ModEx TimestampOffsetNano; of sound the latter alone */
	size_t payload;		/* offset of the codec payload in the body */
	int sample_rate, channels; /* legacy audio head, 0 = unknown */
	size_t payload_len;	/* to the end of the body; of a multitrack message: track 0's bytes */
};

/* 0, or -1 EBADMSG: torn or unknown head (the caller drops the tag and counts). */
int flv_parse_video(const uint8_t *body, size_t len, struct flv_info *out);
int flv_parse_audio(const uint8_t *body, size_t len, struct flv_info *out);
/* As a publisher may know it, also one that we do not carry: "Sorenson H.263", "zzzz", "codec 13". */
void flv_codec_say(const struct flv_info *info, char *buf, size_t size);
const char *flv_codec_name(uint32_t codec);	/* "h264" "hevc" "av1" "vp9" "aac" "opus" "mp3" ... */

#define FLV_HEADER_BYTES 13	/* file header + PreviousTagSize0 */
#define FLV_TAG_HEAD_BYTES 11
#define FLV_TAG_TAIL_BYTES 4
void flv_write_header(uint8_t out[FLV_HEADER_BYTES], bool audio, bool video);
void flv_write_tag_head(uint8_t out[FLV_TAG_HEAD_BYTES], enum flv_type t, uint32_t ts_ms, uint32_t body_len);
void flv_write_tag_tail(uint8_t out[FLV_TAG_TAIL_BYTES], uint32_t body_len);
/* Of a tag's head: bytes of the body behind it, its time in ms. */
uint32_t flv_tag_body(const uint8_t head[FLV_TAG_HEAD_BYTES]);
uint32_t flv_tag_ms(const uint8_t head[FLV_TAG_HEAD_BYTES]);

/* AVCDecoderConfigurationRecord / AudioSpecificConfig, payload of the sequence header. */
int flv_avc_size(const uint8_t *record, size_t len, int *width, int *height);
/* What its first SPS says of how to decode it (H.264 7.3.2.1.1, E.1.1). 0, or -1 EBADMSG. */
struct flv_avc {
	int width, height;
	int profile;		/* profile_idc */
	int chroma;		/* chroma_format_idc: 1 is 4:2:0 */
	int depth;		/* bits of luma */
	bool in_order;		/* frames are shown in decoding order: pic_order_cnt_type 2 */
	int reorder;		/* max_num_reorder_frames, -1: it does not say */
};
int flv_avc_read(const uint8_t *record, size_t len, struct flv_avc *out);
/* What an AVCDecoderConfigurationRecord says that most browsers cannot play: a profile's name; NULL: nothing. */
const char *flv_avc_rare(const uint8_t *record, size_t len);
/* HEVCDecoderConfigurationRecord, AV1CodecConfigurationRecord, a VP9 key frame; -1 EBADMSG: it does not say. */
int flv_hevc_size(const uint8_t *record, size_t len, int *width, int *height);
int flv_av1_size(const uint8_t *record, size_t len, int *width, int *height);
int flv_vp9_size(const uint8_t *frame, size_t len, int *width, int *height);
int flv_aac_config(const uint8_t *asc, size_t len, int *rate, int *channels);
#endif
