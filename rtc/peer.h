/*
 * peer.h - WebRTC peers on one UDP socket and one TCP listener: what the webrtc worker and the
 * WHIP ingest program against. ICE-lite (RFC 8445), DTLS 1.2 passive with use_srtp (RFC 5763,
 * 5764), SRTP (RFC 3711, 7714), RFC 7983 demultiplexing, consent (RFC 7675), ICE-TCP passive
 * (RFC 6544). Packets are RTP and RTCP in the clear here; what is in them is the owner's affair.
 *
 * We are always ICE-lite, so the browser is the controlling side, and always the DTLS server:
 * SDP says a=ice-lite and a=setup:passive in an answer, a=setup:actpass in an offer.
 *
 * Callbacks come from the loop, never from inside a call of this header, so no call here calls
 * back. Any peer may be freed in any callback. One thread.
 */
#ifndef MILLRACE_RTC_PEER_H
#define MILLRACE_RTC_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/net.h"

struct event_base;
struct rtc_net;
struct rtc_peer;

#define RTC_UFRAG 8	/* characters of ice-ufrag */
#define RTC_PWD 24	/* of ice-pwd */
/*
 * Longest RTP or RTCP packet that may be sent. Media should keep to RTC_MTU: with SRTP's tag, UDP
 * and IPv6 that passes every path in practice.
 */
#define RTC_PACKET_MAX 1400
#define RTC_MTU 1200

struct rtc_limits {
	unsigned max_peers;	 /* webrtc.max_viewers */
	unsigned max_handshakes; /* webrtc.max_handshakes: peers that are not connected yet. One more ends the
				  * oldest that no valid check has come from, else one that came to it 3 s
				  * ago and has not finished DTLS; if there is none: ENOSPC.
				  * As many TCP connections may be open that have not shown a valid check. */
	int consent_ms;		 /* webrtc.consent: no valid check for so long ends a peer; from rtc_peer_new
				  * to connected it may take as long */
	unsigned max_checks;	 /* webrtc.max_checks: of one peer and second that are answered */
	unsigned max_queued;	 /* webrtc.max_queued: packets of one peer that wait for the socket; what is
				  * more is dropped and counted */
};

/* Of `why` in gone(): texts for a log and for the user; compare with strcmp. */
#define RTC_GONE_NO_ICE "no ICE check arrived"	/* the port is closed to that browser */
#define RTC_GONE_NO_DTLS "the DTLS handshake was not finished in time"
#define RTC_GONE_DTLS "the DTLS handshake failed"
#define RTC_GONE_FINGERPRINT "the certificate is not the one that the SDP names"
#define RTC_GONE_CONSENT "consent expired: no ICE check any more"
#define RTC_GONE_CLOSED "closed by the other side"
#define RTC_GONE_DISPLACED "too many sessions were begun and not finished"

/*
 * The packets are writable, decrypted, at least 12 (rtp) or 8 (rtcp) bytes, version 2, and belong to the
 * callee until it returns. Before connected() neither comes. rtp may be NULL: RTP is then dropped unread.
 * gone() comes once and is the last; the owner then calls rtc_peer_free, there or later.
 */
struct rtc_peer_ops {
	void (*connected)(void *ctx);
	void (*rtp)(void *ctx, uint8_t *p, size_t n);
	void (*rtcp)(void *ctx, uint8_t *p, size_t n);
	void (*gone)(void *ctx, const char *why);
};

/*
 * udp_fd: bound, non-blocking; any family. tcp_fd: listening, or -1. Both are ours from now on, closed
 * by rtc_net_free (and if this fails). NULL + errno, logged. Free all peers before the net, and that in no
 * callback of it.
 */
struct rtc_net *rtc_net_new(struct event_base *base, int udp_fd, int tcp_fd, const struct rtc_limits *limits);
void rtc_net_free(struct rtc_net **net);
void rtc_net_limits(struct rtc_net *net, const struct rtc_limits *limits);	/* from now on */
/* Sends what is queued. It happens by itself at the end of the loop's turn; this is for sooner. */
void rtc_net_flush(struct rtc_net *net);

struct rtc_net_stats {
	unsigned peers, connected, tcp;	/* now: all, of these connected, TCP connections */
	uint64_t strangers;	/* packets of nobody's address, checks with a wrong name or password */
	uint64_t malformed;	/* packets that are nothing */
	uint64_t dropped;	/* packets that the socket did not take in time */
};
void rtc_net_stats(const struct rtc_net *net, struct rtc_net_stats *out);

/* "sha-256 AB:CD:..": of this process' certificate, which is made at the first call; for a=fingerprint. */
const char *rtc_fingerprint(void);

/*
 * remote_fingerprint: a=fingerprint of the other side's SDP ("sha-256 AB:..", also sha-384 and sha-512);
 * NULL: not known yet, rtc_peer_set_fingerprint follows and nothing is connected before.
 * NULL + errno: ENOSPC (a limit), EINVAL (no such fingerprint).
 */
struct rtc_peer *rtc_peer_new(struct rtc_net *net, const char *remote_fingerprint, const struct rtc_peer_ops *ops,
    void *ctx);
/* Says goodbye (close_notify) if there is somebody. */
void rtc_peer_free(struct rtc_peer **peer);
int rtc_peer_set_fingerprint(struct rtc_peer *peer, const char *remote_fingerprint);	/* 0, -1 EINVAL */

const char *rtc_peer_ufrag(const struct rtc_peer *peer);
const char *rtc_peer_pwd(const struct rtc_peer *peer);
/* ICE restart: new ufrag and pwd; the old ones hold until a check with the new has come. Media goes on. */
void rtc_peer_restart(struct rtc_peer *peer);

/*
 * Copied into the batch and encrypted there. Not connected, longer than RTC_PACKET_MAX, no place in the
 * queue: dropped, counted. A packet with an SSRC and seq that was sent before must be the same byte for
 * byte, at most 4096 packets old (AES-GCM must not see one number twice): anything else goes as RTX.
 */
void rtc_peer_send_rtp(struct rtc_peer *peer, const uint8_t *rtp, size_t n);
void rtc_peer_send_rtcp(struct rtc_peer *peer, const uint8_t *rtcp, size_t n);

struct rtc_peer_stats {
	bool connected, tcp;
	char address[NET_TEXT];		/* "" before the first check */
	const char *srtp;		/* "AEAD_AES_128_GCM", "AES128_CM_SHA1_80", "" */
	int64_t connected_ms;		/* now_ms() of connected(); 0 */
	unsigned setup_ms;		/* from rtc_peer_new to connected(); 0 */
	unsigned moves;			/* changes of its address after the first */
	uint64_t packets_out, bytes_out, dropped;	/* bytes: RTP and RTCP as given */
	uint64_t packets_in, bytes_in, rejected;	/* rejected: wrong tag, replayed, too many SSRCs */
};
void rtc_peer_stats(const struct rtc_peer *peer, struct rtc_peer_stats *out);
#endif
