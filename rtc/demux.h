/*
 * demux.h - what a datagram on the one port is: by its first byte (RFC 7983), RTCP by its second
 * (RFC 5761 section 4). Too short for its kind is nothing.
 */
#ifndef MILLRACE_RTC_DEMUX_H
#define MILLRACE_RTC_DEMUX_H

#include <stddef.h>
#include <stdint.h>

enum demux { DEMUX_NOTHING, DEMUX_STUN, DEMUX_DTLS, DEMUX_RTP, DEMUX_RTCP };

#define DEMUX_RTP_MIN 12
#define DEMUX_RTCP_MIN 8
#define DEMUX_DTLS_MIN 13	/* a record's head */
#define DEMUX_STUN_MIN 20

static inline enum demux
demux(const uint8_t *p, size_t n)
{
	if (n < DEMUX_RTCP_MIN)
		return DEMUX_NOTHING;
	if (p[0] < 4)
		return n >= DEMUX_STUN_MIN ? DEMUX_STUN : DEMUX_NOTHING;
	if (p[0] >= 20 && p[0] < 64)
		return n >= DEMUX_DTLS_MIN ? DEMUX_DTLS : DEMUX_NOTHING;
	if (p[0] < 128 || p[0] > 191)
		return DEMUX_NOTHING;
	if (p[1] >= 192 && p[1] <= 223)
		return DEMUX_RTCP;
	return n >= DEMUX_RTP_MIN ? DEMUX_RTP : DEMUX_NOTHING;
}
#endif
