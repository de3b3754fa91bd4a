/*
 * private.c - public addresses and others (contract in private.h). Pure.
 */
#include "private.h"

#include <netinet/in.h>
#include <string.h>

#include "net.h"

static const char *const ranges4[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", NULL,
};
static const char *const ranges6[] = {
	"::/127", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
	"fec0::/10", "ff00::/8", NULL,
};

/* The IPv4 address that an IPv6 one stands for. */
static bool
inner4(const struct in6_addr *a, struct sockaddr_in *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, compatible[12];
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b }, nat64_local[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 };
	const uint8_t *at = NULL;

	if (memcmp(a->s6_addr, mapped, 12) == 0 || memcmp(a->s6_addr, nat64, 12) == 0 ||
	    memcmp(a->s6_addr, nat64_local, 6) == 0)
		at = a->s6_addr + 12;
	else if (memcmp(a->s6_addr, compatible, 12) == 0 && (a->s6_addr[12] != 0 || a->s6_addr[15] > 1))
		at = a->s6_addr + 12;
	else if (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x02)
		at = a->s6_addr + 2;
	if (!at)
		return false;
	memset(out, 0, sizeof *out);
	out->sin_family = AF_INET;
	memcpy(&out->sin_addr, at, 4);
	return true;
}

static bool
in_ranges(const struct sockaddr *sa, const char *const *ranges)
{
	for (; *ranges; ranges++)
		if (net_in_cidr(sa, *ranges) == 1)
			return true;
	return false;
}

bool
private_is(const struct sockaddr *sa)
{
	struct sockaddr_in in;

	if (sa->sa_family == AF_INET)
		return in_ranges(sa, ranges4);
	if (sa->sa_family != AF_INET6)
		return true;		/* a socket file, or whatever else there may be */
	if (inner4(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, &in))
		return in_ranges((const struct sockaddr *)&in, ranges4);
	return in_ranges(sa, ranges6);
}

bool
private_allowed(const struct sockaddr *sa, const json_t *networks)
{
	const json_t *net;
	size_t i;

	if (!private_is(sa))
		return true;
	json_array_foreach(networks, i, net)
		if (net_in_cidr(sa, json_string_value(net)) == 1)
			return true;
	return false;
}
