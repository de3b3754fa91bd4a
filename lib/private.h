/*
 * private.h - may a hook's URL lead to this address? Who can register a URL must not reach what only this
 * host can: itself, its neighbours, a cloud's metadata. Asked with the very address that is
 * connected to, whatever a name resolved to before. Pure.
 *
 * Private is all that is not of the public internet: RFC 6890 and its successors in IANA's
 * special-purpose registries, multicast, and IPv6 forms with such an IPv4 address in them (mapped,
 * 6to4, NAT64).
 */
#ifndef MILLRACE_PRIVATE_H
#define MILLRACE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

bool private_is(const struct sockaddr *sa);
/* networks: list of CIDRs (hooks.networks) in which private ones are fine. */
bool private_allowed(const struct sockaddr *sa, const json_t *networks);
#endif
