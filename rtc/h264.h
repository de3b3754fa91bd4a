/*
 * h264.h - H.264 as FLV and MP4 have it (NAL units with their length in front, ISO 14496-15 5.3.2)
 * to RTP payloads and back (RFC 6184, packetization-mode 1). No sockets, no clock: bytes in,
 * bytes out; sizes are bounded.
 */
#ifndef MILLRACE_RTC_H264_H
#define MILLRACE_RTC_H264_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With 12 bytes of RTP and the 2 of RTX (RFC 4588) no packet is longer than 1200. */
#define H264_PAYLOAD_MAX 1186
#define H264_SETS_MAX 8			/* parameter sets that are kept of a stream */
#define H264_SET_BYTES 512		/* a longer one is none */

enum h264_nal { H264_SLICE = 1, H264_IDR = 5, H264_SEI = 6, H264_SPS = 7, H264_PPS = 8, H264_AUD = 9,
	H264_FILLER = 12, H264_STAP_A = 24, H264_FU_A = 28 };

/* --- access units to payloads --- */

struct h264_set { uint16_t len; uint8_t nal[H264_SET_BYTES]; };
struct h264_pack {
	unsigned length_bytes;		/* of a NAL unit's length: 1, 2, 4; 0: no record yet */
	unsigned nsets;
	struct h264_set sets[H264_SETS_MAX];	/* SPSs first, then PPSs, as they stand in the record */
};
/*
 * A payload: head (0 to 2 bytes), then body, which is borrowed. last: of its access unit, so the
 * marker bit is to be set.
 */
typedef void (*h264_payload_cb)(void *ctx, const uint8_t *head, size_t head_len, const uint8_t *body,
    size_t body_len, bool last);

/* Takes an AVCDecoderConfigurationRecord (5.2.4.1). 0, or -1 EBADMSG: p is as it was. */
int h264_pack_record(struct h264_pack *p, const uint8_t *record, size_t len);
/*
 * One access unit. Access unit delimiters and filler are left out; before an IDR come the
 * parameter sets, of which those in the unit itself count, in one STAP-A if they fit. Payloads
 * that came before a torn end are given, too. How many bytes of payload; -1 EBADMSG: nothing of
 * use was in it (or there was no record yet). idr: one of its slices is one.
 */
int h264_pack_unit(struct h264_pack *p, const uint8_t *unit, size_t len, bool *idr, h264_payload_cb cb, void *ctx);
/* profile_idc, constraint flags, level_idc of the first SPS; false: there is none. */
bool h264_pack_profile(const struct h264_pack *p, uint8_t profile[3]);

/* --- payloads to access units --- */

/*
 * Payloads are given in order of their sequence numbers (reordering is the caller's matter); after
 * one that is missing, h264_unpack_lost(). A NAL unit whose FU-A is incomplete is left out.
 */
struct h264_unpack {
	uint8_t *buf;			/* NAL units with 4 bytes of length each */
	size_t len, cap, max;
	size_t fragment;		/* where the length of a NAL unit lies of which more FU-A come; 0: none */
	bool lost;			/* something of this unit is missing */
	bool idr, sps, pps;		/* this has been in it */
};

void h264_unpack_init(struct h264_unpack *u, size_t max);	/* max: bytes of a whole access unit */
void h264_unpack_free(struct h264_unpack *u);
/* 0, or -1: EBADMSG malformed, EMSGSIZE too long; what was missed is lost then. */
int h264_unpack_add(struct h264_unpack *u, const uint8_t *payload, size_t len);
void h264_unpack_lost(struct h264_unpack *u);
/*
 * The unit is over (a marker, or another timestamp came): u->buf and u->len are it, valid until the
 * next call; its flags, too. Then h264_unpack_next() begins another one.
 */
void h264_unpack_end(struct h264_unpack *u);
void h264_unpack_next(struct h264_unpack *u);
/* The next NAL unit of a buffer in which each has 4 bytes of length; *at moves on. NULL at the end. */
const uint8_t *h264_nal_next(const uint8_t *buf, size_t len, size_t *at, size_t *nal_len);
/* An AVCDecoderConfigurationRecord of one SPS and one PPS: its bytes, 0: out has no room, or these are none. */
size_t h264_record_write(uint8_t *out, size_t size, const uint8_t *sps, size_t sps_len, const uint8_t *pps,
    size_t pps_len);
#endif
