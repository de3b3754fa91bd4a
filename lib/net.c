/*
 * net.c - addresses and sockets (contract in net.h): parse, print, compare, bind, tune, and
 * the PROXY protocol's head.
 *
 * Numeric addresses only: nothing here resolves a name, so nothing blocks. IPv4 and its
 * v4-mapped form are the same host everywhere. The parsers see bytes and never a socket.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
parse_port(const char *s, in_port_t *port)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end != '\0' || n > 65535) {
		errno = EINVAL;
		return -1;
	}
	*port = htons((uint16_t)n);
	return 0;
}

/* host (no brackets) into a; empty = all interfaces of both families. */
static int
parse_host(const char *host, in_port_t port, struct net_addr *a)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->ss;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		a->len = sizeof(*v4);
		return 0;
	}
	memset(a, 0, sizeof(*a));
	if (*host != '\0' && inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	a->len = sizeof(*v6);
	return 0;
}

int
net_parse(const char *text, struct net_addr *out)
{
	const char *colon = strrchr(text, ':');
	char host[NET_TEXT];
	in_port_t port;
	size_t n;

	errno = EINVAL;
	if (colon == NULL || parse_port(colon + 1, &port) < 0)
		return -1;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (memchr(text, ':', n) != NULL)
		return -1;
	if (n >= sizeof(host))
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	return parse_host(host, port, out);
}

/* The IPv4 address of sa, v4-mapped ones included, or NULL. */
static const struct in_addr *
as_v4(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;

	if (sa->sa_family == AF_INET)
		return &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return (const struct in_addr *)(const void *)&v6->sin6_addr.s6_addr[12];
	return NULL;
}

const char *
net_format_host(const struct sockaddr *sa, char buf[NET_TEXT])
{
	const struct in_addr *v4 = as_v4(sa);

	if (v4 != NULL)
		inet_ntop(AF_INET, v4, buf, NET_TEXT);
	else if (sa->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, buf, NET_TEXT);
	else
		snprintf(buf, NET_TEXT, "local");
	return buf;
}

const char *
net_format(const struct sockaddr *sa, char buf[NET_TEXT])
{
	char host[NET_TEXT];
	bool v4 = as_v4(sa) != NULL;
	/* the port lies at the same place in both families */
	unsigned port = ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);

	net_format_host(sa, host);
	if (!v4 && sa->sa_family != AF_INET6)
		snprintf(buf, NET_TEXT, "%.50s", host);
	else
		snprintf(buf, NET_TEXT, v4 ? "%.50s:%u" : "[%.50s]:%u", host, port);
	return buf;
}

bool
net_is_loopback(const struct sockaddr *sa)
{
	const struct in_addr *v4 = as_v4(sa);

	if (v4 != NULL)
		return ntohl(v4->s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* The address as 16 bytes, IPv4 mapped. -1 for other families. */
static int
as_bytes(const struct sockaddr *sa, uint8_t out[16])
{
	const struct in_addr *v4 = as_v4(sa);

	if (v4 != NULL) {
		memset(out, 0, 10);
		memset(out + 10, 0xff, 2);
		memcpy(out + 12, v4, 4);
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -1;
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return 0;
}

struct in6_addr
net_customer(const struct sockaddr *sa)
{
	struct in6_addr key = { { { 0 } } };

	if (as_bytes(sa, key.s6_addr) == 0 && !IN6_IS_ADDR_V4MAPPED(&key) && !IN6_IS_ADDR_LOOPBACK(&key))
		memset(&key.s6_addr[8], 0, 8);
	return key;
}

bool
net_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t x[16], y[16];

	return as_bytes(a, x) == 0 && as_bytes(b, y) == 0 && memcmp(x, y, 16) == 0;
}

bool
net_is_any(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr == INADDR_ANY;
	return sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

bool
net_collide(const struct net_addr *a, const struct net_addr *b)
{
	const struct sockaddr *sa = (const void *)&a->ss, *sb = (const void *)&b->ss;
	bool any_a = net_is_any(sa), any_b = net_is_any(sb);

	if (net_port(sa) == 0 || net_port(sa) != net_port(sb))
		return false;
	return (any_a && sa->sa_family == AF_INET6) || (any_b && sb->sa_family == AF_INET6) || net_same_host(sa, sb) ||
	    (sa->sa_family == sb->sa_family && (any_a || any_b));
}

int
net_in_cidr(const struct sockaddr *sa, const char *cidr)
{
	const char *slash = strchrnul(cidr, '/');
	uint8_t addr[16], net[16];
	struct net_addr a;
	char host[NET_TEXT];
	in_port_t bits_n;
	int bits, width;

	errno = EINVAL;
	if (slash == cidr || (size_t)(slash - cidr) >= sizeof(host))
		return -1;
	memcpy(host, cidr, (size_t)(slash - cidr));
	host[slash - cidr] = '\0';
	if (parse_host(host, 0, &a) < 0)
		return -1;
	width = a.ss.ss_family == AF_INET ? 32 : 128;
	bits = width;
	if (*slash == '/') {
		if (parse_port(slash + 1, &bits_n) < 0 || ntohs(bits_n) > width)
			return -1;
		bits = ntohs(bits_n);
	}
	bits += 128 - width;
	if (as_bytes((struct sockaddr *)&a.ss, net) < 0 || as_bytes(sa, addr) < 0)
		return 0;
	if (memcmp(addr, net, (size_t)bits / 8) != 0)
		return 0;
	return bits % 8 == 0 || (addr[bits / 8] ^ net[bits / 8]) >> (8 - bits % 8) == 0;
}

/* reuse: also while old connections of that port linger. */
static int
bind_socket(const struct net_addr *addr, int type, bool reuse)
{
	int on = 1, off = 0, saved;
	int fd = socket(addr->ss.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct net_addr v4;

	if (fd < 0 && errno == EAFNOSUPPORT && addr->ss.ss_family == AF_INET6 &&
	    parse_host("0.0.0.0", ((const struct sockaddr_in6 *)&addr->ss)->sin6_port, &v4) == 0)
		return bind_socket(&v4, type, reuse);	/* a host without IPv6 */
	if (fd < 0)
		return -1;
	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (addr->ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)&addr->ss, addr->len) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
net_listen(const struct net_addr *addr, int backlog)
{
	int fd = bind_socket(addr, SOCK_STREAM, true), saved;

	if (fd < 0 || listen(fd, backlog) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
net_udp(const struct net_addr *addr)
{
	return bind_socket(addr, SOCK_DGRAM, false);	/* there SO_REUSEADDR would let others in */
}

unsigned
net_port(const struct sockaddr *sa)
{
	return ntohs(sa->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port :
	    ((const struct sockaddr_in *)(const void *)sa)->sin_port);
}

void
net_set_port(struct net_addr *addr, unsigned port)
{
	if (addr->ss.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&addr->ss)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&addr->ss)->sin_port = htons((uint16_t)port);
}

void
net_tune(int fd, int user_timeout_ms)
{
	unsigned timeout = (unsigned)user_timeout_ms;
	int on = 1, idle = 15, interval = 5, count = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	if (user_timeout_ms > 0)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

/* "PROXY TCP4 1.2.3.4 5.6.7.8 1234 80\r\n", 107 bytes at most. */
static int
proxy_v1(const uint8_t *in, size_t len, struct net_addr *src)
{
	const uint8_t *nl = memchr(in, '\n', len < 107 ? len : 107);
	char line[108], from[64], to[64], family[16], port[8];
	in_port_t p;
	size_t n;

	if (nl == NULL)
		return len < 107 ? 0 : -1;
	n = (size_t)(nl - in) + 1;
	memcpy(line, in, n);
	line[n] = '\0';
	if (sscanf(line, "PROXY %15s", family) == 1 && strcmp(family, "UNKNOWN") == 0)
		return (int)n;
	if (sscanf(line, "PROXY %15s %63s %63s %7s", family, from, to, port) != 4)
		return -1;
	if ((strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0) ||
	    parse_port(port, &p) < 0 || parse_host(from, p, src) < 0)
		return -1;
	return (int)n;
}

static int
proxy_v2(const uint8_t *in, size_t len, struct net_addr *src)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&src->ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&src->ss;
	size_t size;

	if (len < 16)
		return 0;
	size = 16 + ((size_t)in[14] << 8 | in[15]);
	if (in[12] >> 4 != 2 || (in[12] & 15) > 1 || size > 16 + 2048)
		return -1;
	if (len < size)
		return 0;
	if ((in[12] & 15) == 1 && in[13] == 0x11 && size >= 28) {
		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, in + 16, 4);
		memcpy(&v4->sin_port, in + 24, 2);
		src->len = sizeof(*v4);
	} else if ((in[12] & 15) == 1 && in[13] == 0x21 && size >= 52) {
		v6->sin6_family = AF_INET6;
		memcpy(&v6->sin6_addr, in + 16, 16);
		memcpy(&v6->sin6_port, in + 48, 2);
		src->len = sizeof(*v6);
	}
	return (int)size;
}

int
net_proxy_parse(const uint8_t *in, size_t len, struct net_addr *src)
{
	static const uint8_t sig2[12] = "\r\n\r\n\0\r\nQUIT\n";
	size_t n = len < sizeof(sig2) ? len : sizeof(sig2);

	memset(src, 0, sizeof(*src));
	if (memcmp(in, sig2, n) == 0)
		return n < sizeof(sig2) ? 0 : proxy_v2(in, len, src);
	n = len < 6 ? len : 6;
	if (memcmp(in, "PROXY ", n) == 0)
		return n < 6 ? 0 : proxy_v1(in, len, src);
	return -1;
}
