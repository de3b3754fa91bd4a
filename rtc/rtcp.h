/*
 * rtcp.h - RTCP packets (RFC 3550 6, RFC 4585 6, RFC 5104 4.3.1): built, and taken apart. Pure;
 * what comes from the network is bounded by its own length and never copied.
 */
#ifndef MILLRACE_RTC_RTCP_H
#define MILLRACE_RTC_RTCP_H

#include <stddef.h>
#include <stdint.h>

#define RTCP_MAX 1200			/* bytes of what is built here, at most */

enum rtcp_type { RTCP_SR = 200, RTCP_RR, RTCP_SDES, RTCP_BYE, RTCP_APP, RTCP_RTPFB, RTCP_PSFB };

/* --- taken apart --- */

struct rtcp_report {			/* a reception report block (6.4.1) */
	uint32_t ssrc;			/* whose media it is about */
	uint8_t fraction;		/* lost, n/256, since the report before */
	int32_t lost;			/* since the beginning */
	uint32_t highest, jitter;	/* extended sequence number; in units of the media's clock */
	uint32_t lsr, dlsr;		/* last SR (middle bits of NTP), delay since that in 1/65536 s */
};
struct rtcp_ops {			/* each may be NULL */
	void (*report)(void *ctx, uint32_t from, const struct rtcp_report *r);
	void (*sender)(void *ctx, uint32_t from, uint64_t ntp, uint32_t rtp);	/* of an SR */
	/* Once for each sequence number of a NACK; at most 17 for each 4 bytes that came. */
	void (*nack)(void *ctx, uint32_t media, uint16_t seq);
	void (*key_wanted)(void *ctx, uint32_t media);	/* PLI or FIR (of which media is the entry's) */
	void (*bye)(void *ctx, uint32_t from);
};
/* A compound packet, or a reduced-size one (RFC 5506). 0, or -1 EBADMSG where it stopped making sense. */
int rtcp_parse(const uint8_t *p, size_t len, const struct rtcp_ops *ops, void *ctx);
/* Round trip in microseconds from a report that came at ntp; -1: it does not say. */
int64_t rtcp_round_trip_us(const struct rtcp_report *r, uint64_t ntp);

/* --- built: bytes written, 0 if size is too small --- */

struct rtcp_sr { uint32_t ssrc; uint64_t ntp; uint32_t rtp, packets, octets; };
/* SR and SDES with the CNAME (at most 255 bytes): a whole compound packet. */
size_t rtcp_write_sr(uint8_t *out, size_t size, const struct rtcp_sr *sr, const char *cname);
/* RR with n (at most 31) blocks and SDES. */
size_t rtcp_write_rr(uint8_t *out, size_t size, uint32_t ssrc, const struct rtcp_report *r, unsigned n,
    const char *cname);
/* seq: n of them, ascending (modulo 2^16); as many as fit. *taken: how many that are. */
size_t rtcp_write_nack(uint8_t *out, size_t size, uint32_t from, uint32_t media, const uint16_t *seq, unsigned n,
    unsigned *taken);
/* What may be sent of these (at most 255), in bits a second (draft-alvestrand-rmcat-remb-03 2.2). */
size_t rtcp_write_remb(uint8_t *out, size_t size, uint32_t from, uint64_t bps, const uint32_t *ssrc, unsigned n);
size_t rtcp_write_pli(uint8_t *out, size_t size, uint32_t from, uint32_t media);

/* NTP's time (seconds since 1900, 32.32 bits) of microseconds since 1970. */
uint64_t rtcp_ntp(int64_t wall_us);
#endif
