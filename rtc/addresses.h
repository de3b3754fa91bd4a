/*
 * addresses.h - which addresses an SDP of ours names (a=candidate): where the other end is to send
 * its ICE checks. We are ICE-lite: these are all it will ever hear of.
 */
#ifndef MILLRACE_RTC_ADDRESSES_H
#define MILLRACE_RTC_ADDRESSES_H

#include <jansson.h>

#include "rtc/sdp.h"

#define ADDRESSES_MAX 24

struct addresses_wish {
	const json_t *configured;	/* webrtc.addresses; NULL or empty: what there is */
	int udp_fd, tcp_fd;		/* bound sockets: their ports, and address if they have one; tcp -1: none */
	const char *local;		/* "IP:PORT" that the request came to; may be NULL or "" */
	const char *host;		/* its Host field: counts if it is an IP address. May be NULL */
};

/*
 * Configured ones, and no others. Else the one that the socket is bound to. Else, for a socket of all
 * interfaces: the address that the request came to, the one in its URL (behind a port mapping the only right
 * one), and those of all interfaces that are up, loopback and link-local ones left out. Returns how many.
 */
unsigned addresses_list(const struct addresses_wish *w, struct sdp_address out[ADDRESSES_MAX]);
#endif
