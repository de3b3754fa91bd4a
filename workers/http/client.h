/*
 * client.h - who is asking, behind proxies: X-Forwarded-For and Forwarded (RFC 7239) count
 * only as far as `http.trusted_proxies` wrote them. Pure: strings and addresses.
 */
#ifndef MILLRACE_HTTP_CLIENT_H
#define MILLRACE_HTTP_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/net.h"

/* Is the address in the list (a JSON array of CIDR strings, may be NULL)? */
bool client_trusted(const struct net_addr *a, const json_t *proxies);
/*
 * Walks the hops from the last to the first while they are trusted; *out is the first one
 * that is not. peer is the connection's own end. xff and forwarded may be NULL; xff wins.
 * -1: a hop that is no address (*out is then the last good one: the proxy itself).
 */
int client_address(const struct net_addr *peer, const json_t *proxies, const char *xff,
    const char *forwarded, struct net_addr *out);
#endif
