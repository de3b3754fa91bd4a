/*
 * addresses.c - see addresses.h. The interfaces are asked for at every SDP: that takes less time than
 * the answer's certificate lines do, and an address that came or went a second ago is right.
 */
#include "rtc/addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lib/net.h"
#include "util.h"

struct list {
	struct sdp_address *out;
	unsigned n;
	uint16_t udp, tcp;
	bool only4;		/* the socket is of IPv4 */
};

static uint16_t
port_of(int fd, struct sockaddr_storage *ss)
{
	socklen_t len = sizeof(*ss);

	memset(ss, 0, sizeof(*ss));
	if (fd < 0 || getsockname(fd, (struct sockaddr *)ss, &len) < 0)
		return 0;
	return ntohs(ss->ss_family == AF_INET ? ((struct sockaddr_in *)(void *)ss)->sin_port :
	    ((struct sockaddr_in6 *)(void *)ss)->sin6_port);
}

static void
add(struct list *l, const struct sockaddr *sa)
{
	char ip[NET_TEXT];

	if (l->n == ADDRESSES_MAX || net_is_any(sa))
		return;
	net_format_host(sa, ip);
	if ((l->only4 && strchr(ip, ':') != NULL) || strlen(ip) >= sizeof(l->out->ip))
		return;
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->out[i].ip, ip) == 0)
			return;
	str_copy(l->out[l->n].ip, ip, sizeof(l->out->ip));
	l->out[l->n].udp = l->udp;
	l->out[l->n++].tcp = l->tcp;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"; a name is none. */
static void
add_text(struct list *l, const char *text)
{
	const char *colon = text != NULL ? strchr(text, ':') : NULL;
	bool bare6 = colon != NULL && text[0] != '[' && strchr(colon + 1, ':') != NULL;
	char whole[NET_TEXT + 8];
	struct net_addr a;

	if (text == NULL || text[0] == '\0' || text[0] == ':' || strlen(text) > NET_TEXT)
		return;
	if (bare6)
		snprintf(whole, sizeof(whole), "[%s]:1", text);
	else
		snprintf(whole, sizeof(whole), "%s%s", text,
		    colon == NULL || text[strlen(text) - 1] == ']' ? ":1" : "");
	if (net_parse(whole, &a) == 0)
		add(l, (struct sockaddr *)&a.ss);
}

static bool
is_for_others(const struct ifaddrs *i)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)i->ifa_addr;

	if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0)
		return false;
	if (i->ifa_addr->sa_family == AF_INET)
		return net_in_cidr(i->ifa_addr, "169.254.0.0/16") != 1;
	return i->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static void
add_interfaces(struct list *l)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (is_for_others(i))
			add(l, i->ifa_addr);
	freeifaddrs(all);
}

unsigned
addresses_list(const struct addresses_wish *w, struct sdp_address out[ADDRESSES_MAX])
{
	struct sockaddr_storage bound, ignored;
	struct list l = { .out = out };
	const json_t *one;
	size_t i;

	l.udp = port_of(w->udp_fd, &bound);
	l.tcp = port_of(w->tcp_fd, &ignored);
	if (json_array_size(w->configured) > 0) {
		json_array_foreach(w->configured, i, one)
			add_text(&l, json_string_value(one));
		return l.n;
	}
	if (l.udp == 0 || !net_is_any((struct sockaddr *)&bound)) {
		if (l.udp != 0)
			add(&l, (struct sockaddr *)&bound);
		return l.n;
	}
	l.only4 = bound.ss_family == AF_INET;
	add_text(&l, w->local);
	add_text(&l, w->host);
	add_interfaces(&l);
	return l.n;
}
