/*
 * ice_server.h - an entry of webrtc.ice_servers: "stun:HOST:PORT", or "turn:HOST?transport=udp USER
 * PASSWORD", and the Link field that tells it to players and publishers (RFC 9725 section 4.6). Pure.
 */
#ifndef MILLRACE_ICE_SERVER_H
#define MILLRACE_ICE_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define ICE_SERVER_MAX 200	/* bytes of one entry */
#define ICE_SERVERS_MAX 4
#define ICE_SERVER_LINKS (ICE_SERVERS_MAX * (ICE_SERVER_MAX + 100))

/* NULL, or what is wrong with it: the end of a sentence. */
const char *ice_server_check(const char *text);
/* Complete lines "Link: <..>; rel=\"ice-server\"..\r\n" of checked entries; "" if there are none. */
void ice_server_links(const json_t *list, char out[ICE_SERVER_LINKS]);
#endif
