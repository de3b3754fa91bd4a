/*
 * sdp.h - session descriptions of WebRTC (RFC 8866, 9429, 9143): bytes to a struct, which formats
 * are to be used, and the bytes to answer. Pure: no sockets, no clock, no state.
 *
 *   sdp_parse.c  offer, answer or fragment of a PATCH (RFC 8840) -> struct sdp
 *   sdp_attr.c   its a= lines
 *   sdp_pick.c   struct sdp and what we have -> the payload types, the transport, or why not
 *   sdp_build.c  -> answer, offer, fragment, candidate lines
 *
 * The length of a text is bounded by its reader (webrtc.max_sdp); here every count is. Attributes
 * may come in any order (Firefox writes fmtp before rtpmap), so lines are collected per m-line.
 * We are always ICE-lite, DTLS server (setup:passive) and bundle everything on one transport.
 */
#ifndef MILLRACE_RTC_SDP_H
#define MILLRACE_RTC_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDP_MEDIA_MAX 16	/* m-lines */
#define SDP_FORMATS_MAX 128	/* payload types of one */
#define SDP_WHY 160		/* a sentence for the other end: what is wrong and in which line */
#define SDP_ICE_MAX 256		/* longest ice-ufrag and ice-pwd (RFC 8839 5.4) */

enum sdp_type { SDP_OFFER, SDP_ANSWER, SDP_FRAGMENT };
enum sdp_kind { SDP_OTHER, SDP_AUDIO, SDP_VIDEO };
enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };
enum sdp_setup { SDP_SETUP_NONE, SDP_ACTPASS, SDP_ACTIVE, SDP_PASSIVE };	/* RFC 8842 */
/* SDP_REMB (draft-alvestrand-rmcat-remb): agreed to by who receives only; there is nobody to estimate for else. */
enum sdp_feedback { SDP_NACK = 1, SDP_PLI = 2, SDP_FIR = 4, SDP_REMB = 8 };

struct sdp_format {
	uint8_t pt, channels;		/* channels 0: not said */
	unsigned feedback;		/* enum sdp_feedback */
	uint32_t rate;
	const char *name;		/* "" without rtpmap */
	const char *fmtp;		/* parameters as they came; NULL: none */
};

struct sdp_ice {
	const char *ufrag, *pwd;	/* NULL: not said */
};

struct sdp_media {
	enum sdp_kind kind;
	const char *name, *proto, *list; /* "video" "UDP/TLS/RTP/SAVPF" "96 97" */
	bool rtp;			/* one of the SAVP(F) over DTLS; else it can only be declined */
	bool off;			/* port 0 and not bundle-only */
	bool bundled, bundle_only, rtcp_mux;
	const char *mid;		/* NULL: none */
	enum sdp_direction direction;
	enum sdp_setup setup;
	struct sdp_ice ice;
	const char *fingerprint;	/* "sha-256 AB:CD:.." (or sha-384, sha-512); NULL: none */
	struct sdp_format *formats;
	unsigned nformats;
};

struct sdp {
	enum sdp_type type;
	char *text;			/* what all the strings are pieces of */
	bool ice_lite;
	const char *bundle;		/* mids; NULL: no group */
	struct sdp_media media[SDP_MEDIA_MAX];
	unsigned nmedia;
	struct sdp_media session;	/* session level: defaults of direction, setup, ice, fingerprint */
};

/* NULL: malformed, and why[] (SDP_WHY bytes) says what. A fragment has no v= line. */
struct sdp *sdp_parse(enum sdp_type type, const char *text, size_t len, char *why);
void sdp_free(struct sdp **s);
/* Value of a parameter of an fmtp line ("packetization-mode"); 0, -1: absent or longer. fmtp may be NULL. */
int sdp_param(const char *fmtp, const char *key, char *out, size_t size);
/* The ufrag and pwd of a fragment or of the first m-line that has some; false: none. */
bool sdp_ice(const struct sdp *s, struct sdp_ice *out);

/* --- what of it is used --- */

struct sdp_want {
	enum sdp_direction direction;	/* ours: SDP_SENDONLY (WHEP, rooms) or SDP_RECVONLY (WHIP) */
	bool video, audio;		/* what there is, or may come */
	/* profile_idc and constraint flags of the stream's H.264, 0: not known (yet), level is not looked at. */
	uint8_t profile, constraints;
};

struct sdp_track {
	int media;			/* index; -1: not used */
	const struct sdp_format *format; /* NULL: not used */
	int rtx_pt;			/* RFC 4588; -1: none */
};

struct sdp_pick {
	enum sdp_direction direction;
	struct sdp_track video, audio;
	struct sdp_track high;		/* to send: another H.264 of video's m-line, for High profile; or not used */
	struct sdp_ice ice;		/* of the other end's transport */
	const char *fingerprint;	/* "sha-256 .." */
};

/*
 * Points into s. -1 + errno and why[] (SDP_WHY bytes): EINVAL: it may not be so (400); ENOTSUP: nothing
 * in it that we can do (406). An m-line with video but no H.264 of packetization-mode 1, while there
 * is video, is ENOTSUP: half a picture would be worse than another way to play.
 */
int sdp_pick(const struct sdp *s, const struct sdp_want *want, struct sdp_pick *out, char *why);
/* --- what we say --- */

struct sdp_address {
	char ip[46];			/* IPv4 or IPv6, numeric */
	uint16_t udp, tcp;		/* ports; tcp 0: no ICE-TCP */
};

struct sdp_local {
	uint64_t session;		/* of the o= line: random, 62 bits are used */
	const char *ufrag, *pwd, *fingerprint;
	const struct sdp_address *addresses;
	unsigned naddresses;
	const char *cname, *stream;	/* tokens; the same stream on both m-lines is what synchronises them */
	uint32_t video_ssrc, rtx_ssrc, audio_ssrc;	/* 0: not said (WHIP) */
};

/* Both: free(). */
char *sdp_answer(const struct sdp *offer, const struct sdp_pick *p, const struct sdp_local *l);
/* H.264 and Opus to send: m-lines 0 and 1 as said. Fixed payload types, see sdp_build.c. */
char *sdp_offer(const struct sdp_local *l, bool video, bool audio);
/* Answer to a fragment with new ufrag and pwd: ours (RFC 8840 4.4, WHEP "ICE Restarts"); free(). */
char *sdp_fragment(const struct sdp *asked, const struct sdp_local *l);
/* The i-th of ours, "candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host"; its length, 0: there is none. */
size_t sdp_candidate(const struct sdp_local *l, unsigned i, char *out, size_t size);
#endif
