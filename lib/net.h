/* net.h - addresses and sockets: parse, print, bind. Everything CLOEXEC and non-blocking. */
#ifndef MILLRACE_NET_H
#define MILLRACE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* "127.0.0.1:1935" "[::1]:80" ":1935" (all interfaces, both families). Numeric only. 0 or -1 EINVAL. */
int net_parse(const char *text, struct net_addr *out);
/* "1.2.3.4:5", "[::1]:5"; v4-mapped addresses print as IPv4. buf of NET_TEXT bytes. */
#define NET_TEXT 64
const char *net_format(const struct sockaddr *sa, char buf[NET_TEXT]);
const char *net_format_host(const struct sockaddr *sa, char buf[NET_TEXT]);	/* without the port */
bool net_is_loopback(const struct sockaddr *sa);
bool net_is_any(const struct sockaddr *sa);		/* 0.0.0.0 or :: */
/* Who it belongs to: an IPv4 address (as ::ffff:a.b.c.d), the /64 of an IPv6 one. */
struct in6_addr net_customer(const struct sockaddr *sa);
bool net_same_host(const struct sockaddr *a, const struct sockaddr *b);
/* Only one of the two can be listened at: :: is of both families. Port 0 is whichever is free. */
bool net_collide(const struct net_addr *a, const struct net_addr *b);
/* CIDR list member test: cidr "10.0.0.0/8", "::1", "127.0.0.1". -1 EINVAL for bad text. */
int net_in_cidr(const struct sockaddr *sa, const char *cidr);
/* A listening TCP socket (SO_REUSEADDR, backlog, V6ONLY off for ":port"), or -1 + errno. */
int net_listen(const struct net_addr *addr, int backlog);
/* A UDP socket bound to addr, which nobody shares (":port": both families), or -1 + errno. */
int net_udp(const struct net_addr *addr);
unsigned net_port(const struct sockaddr *sa);
void net_set_port(struct net_addr *addr, unsigned port);
/* TCP_NODELAY, TCP_USER_TIMEOUT user_timeout_ms (0 = leave), keepalive. */
void net_tune(int fd, int user_timeout_ms);
/*
 * PROXY protocol v1 and v2 (haproxy.org proxy-protocol.txt) at the head of a connection:
 * bytes consumed (> 0, *src filled; LOCAL/UNKNOWN leave it empty: len 0), 0 = need more, -1 = not one.
 */
int net_proxy_parse(const uint8_t *in, size_t len, struct net_addr *src);
#endif
