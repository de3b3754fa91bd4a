/*
 * viewer.h - one peer that watches a room: a cursor into the room's ring of packets and what it
 * lost. Media goes to it as it can; nothing it does or omits costs another viewer anything.
 *
 * Video begins with the newest key frame in the ring, four times as fast as it was sent, until it
 * has caught up; audio begins live. A NACK is answered over RTX (RFC 4588; without RTX by the same
 * packet again), a PLI or FIR by the GOP again, over RTX, at most every 300 ms and within a budget
 * of bytes. Sender reports (RFC 3550 6.4.1) with SDES go out once a second for each track.
 *
 * Order: viewer_new(), then an SDP with viewer_peer()'s ufrag, password and room_sdp(), then, if
 * we were who offered, viewer_set_codecs() and rtc_peer_set_fingerprint() when the answer comes.
 */
#ifndef MILLRACE_WEBRTC_VIEWER_H
#define MILLRACE_WEBRTC_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "rtc/peer.h"
#include "workers/webrtc/room.h"

struct viewer;

/* Payload types as both sides agreed; 0: this is not wanted (video, audio) or not agreed on (rtx). */
struct viewer_codecs {
	uint8_t video_pt, rtx_pt, audio_pt;
	uint8_t high_pt, high_rtx_pt;	/* instead of video's, if the first picture is of High profile */
};

struct viewer_ops {
	void (*connected)(void *ctx);		/* ICE and DTLS are done, media flows; may be NULL */
	/*
	 * The peer has gone or never came (why: "consent", "close_notify", ...). The owner calls
	 * viewer_free(), here or soon; nothing is sent any more.
	 */
	void (*gone)(void *ctx, const char *why);
};

/*
 * A viewer of room, which it holds. fingerprint: of the offer ("sha-256 AB:.."), NULL if we offer.
 * from: "IP:PORT" that it was asked for from; anything else is not counted.
 * NULL + errno: EDQUOT (webrtc.max_per_address), ENOSPC (webrtc.max_viewers or a limit of rtc/peer.h), EINVAL
 * (fingerprint).
 */
struct viewer *viewer_new(struct room *room, const char *from, const char *fingerprint,
    const struct viewer_codecs *codecs, const struct viewer_ops *ops, void *ctx);
/* For who is told so: what an errno of viewer_new() means. */
const char *viewer_refusal(int error);
void viewer_free(struct viewer **v);		/* sets *v NULL; ops->gone is not called */
/* Its client ends it: if that was in vain, since nothing ever came, it counts as not reached. */
void viewer_gave_up(const struct viewer *v);
void viewer_set_codecs(struct viewer *v, const struct viewer_codecs *codecs);
struct rtc_peer *viewer_peer(struct viewer *v);	/* for the SDP, ICE restart; owned by the viewer */
struct room *viewer_room(struct viewer *v);

struct viewer_stats {
	bool connected;
	int64_t since_ms;			/* connected since, monotonic; 0 = not yet */
	uint64_t sent_packets, sent_bytes;	/* both tracks and RTX, RTP without SRTP's own */
	uint64_t retransmitted, nacks, plis, replays;
	uint32_t lost;				/* of video as its last report says; since the beginning */
	uint8_t fraction_lost;			/* n/256 since the report before that */
	int64_t jitter_us, rtt_us;		/* of video, else audio; -1 = unknown */
	int64_t behind_ms;			/* of video that it was not sent yet */
};
void viewer_get_stats(const struct viewer *v, struct viewer_stats *out);

/* --- for room.c, main.c --- */
void viewer_pump(struct viewer *v, int64_t now);	/* sends what it may have now */
void viewer_tick(struct viewer *v, int64_t now);	/* every WEBRTC_TICK_MS */
void viewer_start(void);				/* once, before the first one */
void viewer_stop(void);
#endif
