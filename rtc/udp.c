/*
 * udp.c - see udp.h. Called by net.c. Packets lie in slots until sendmmsg takes them; when the socket's
 * buffer is full the rest waits for it to drain and the slots fill up. Memory of a slot is not touched
 * before it is needed.
 * Each event reads a bounded number of batches, so that a flood leaves the loop its other work.
 */
#include "rtc/udp.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net.h"
#include "util.h"

#define BATCH 64
#define READ_BATCH 32
#define READ_BATCHES 8		/* of one event */
#define SOCKET_BYTES (4 << 20)	/* wished for; the kernel's limit is net.core.wmem_max */
#define CONTROL CMSG_SPACE(sizeof(struct in6_pktinfo))

struct slot {
	_Alignas(8) uint8_t p[UDP_PACKET];
	struct udp_addr to;
	size_t n;
};

struct udp {
	int fd, family;
	bool any;		/* bound to all addresses: ours has to be told and is said */
	bool blocked;
	unsigned first, n;	/* slots in use */
	unsigned round;
	uint64_t dropped;
	const struct udp_ops *ops;
	void *ctx;
	struct event *readable, *writable;
	struct slot *slots;
	unsigned slots_n;
	uint8_t *in;		/* READ_BATCH times UDP_INPUT */
};

void
udp_canonical(struct sockaddr_in6 *out, const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

	if (sa->sa_family == AF_INET6) {
		memcpy(out, sa, sizeof(*out));
		out->sin6_flowinfo = 0;
		return;
	}
	memset(out, 0, sizeof(*out));
	out->sin6_family = AF_INET6;
	out->sin6_port = in->sin_port;
	out->sin6_addr.s6_addr[10] = out->sin6_addr.s6_addr[11] = 0xff;
	memcpy(out->sin6_addr.s6_addr + 12, &in->sin_addr, 4);
}

/* --- in --- */

static void
read_local(struct msghdr *m, struct in6_addr *local)
{
	struct in6_pktinfo six;
	struct in_pktinfo four;

	memset(local, 0, sizeof(*local));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&six, CMSG_DATA(c), sizeof(six));
			*local = six.ipi6_addr;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&four, CMSG_DATA(c), sizeof(four));
			local->s6_addr[10] = local->s6_addr[11] = 0xff;
			memcpy(local->s6_addr + 12, &four.ipi_addr, 4);
		}
	}
}

static int
read_batch(struct udp *u)
{
	struct sockaddr_storage from[READ_BATCH];
	_Alignas(8) uint8_t control[READ_BATCH][CONTROL];
	struct iovec iov[READ_BATCH];
	struct mmsghdr m[READ_BATCH];
	struct udp_addr addr;
	struct msghdr *h;
	int n;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < READ_BATCH; i++) {
		iov[i] = (struct iovec){ u->in + (size_t)i * UDP_INPUT, UDP_INPUT };
		h = &m[i].msg_hdr;
		*h = (struct msghdr){ .msg_name = &from[i], .msg_iov = &iov[i], .msg_iovlen = 1 };
		h->msg_control = control[i];
		h->msg_namelen = sizeof(from[i]);
		h->msg_controllen = u->any ? CONTROL : 0;
	}
	n = recvmmsg(u->fd, m, READ_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (m[i].msg_hdr.msg_flags & MSG_TRUNC || m[i].msg_len == 0)
			continue;
		udp_canonical(&addr.peer, (struct sockaddr *)&from[i]);
		read_local(&m[i].msg_hdr, &addr.local);
		u->ops->input(u->ctx, &addr, iov[i].iov_base, m[i].msg_len);
	}
	return n;
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;

	for (int i = 0; i < READ_BATCHES; i++)
		if (read_batch(u) < READ_BATCH)
			break;
}

/* --- out --- */

static size_t
put_name(const struct udp *u, struct sockaddr_storage *out, const struct sockaddr_in6 *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	if (u->family == AF_INET6) {
		memcpy(out, to, sizeof(*to));
		return sizeof(*to);
	}
	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_port = to->sin6_port;
	memcpy(&in->sin_addr, to->sin6_addr.s6_addr + 12, 4);
	return sizeof(*in);
}

static size_t
put_local(const struct udp *u, uint8_t control[CONTROL], const struct in6_addr *local)
{
	struct msghdr m = { .msg_control = control, .msg_controllen = CONTROL };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct in6_pktinfo six = { .ipi6_addr = *local };
	struct in_pktinfo four = { 0 };

	if (!u->any || IN6_IS_ADDR_UNSPECIFIED(local))
		return 0;
	memset(control, 0, CONTROL);
	c->cmsg_level = u->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = u->family == AF_INET6 ? IPV6_PKTINFO : IP_PKTINFO;
	if (u->family == AF_INET6) {
		c->cmsg_len = CMSG_LEN(sizeof(six));
		memcpy(CMSG_DATA(c), &six, sizeof(six));
		return CMSG_SPACE(sizeof(six));
	}
	memcpy(&four.ipi_spec_dst, local->s6_addr + 12, 4);
	c->cmsg_len = CMSG_LEN(sizeof(four));
	memcpy(CMSG_DATA(c), &four, sizeof(four));
	return CMSG_SPACE(sizeof(four));
}

/* How many of the first slots the socket took; -1 + errno for the first of them. */
static int
write_batch(struct udp *u)
{
	struct sockaddr_storage to[BATCH];
	_Alignas(8) uint8_t control[BATCH][CONTROL];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	unsigned n = u->n < BATCH ? u->n : BATCH;

	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &u->slots[(u->first + i) % u->slots_n];
		struct msghdr *h = &m[i].msg_hdr;

		iov[i] = (struct iovec){ s->p, s->n };
		*h = (struct msghdr){ .msg_name = &to[i], .msg_iov = &iov[i], .msg_iovlen = 1 };
		h->msg_control = control[i];
		h->msg_namelen = (socklen_t)put_name(u, &to[i], &s->to.peer);
		h->msg_controllen = put_local(u, control[i], &s->to.local);
	}
	return sendmmsg(u->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
take(struct udp *u, unsigned n)
{
	u->n -= n;
	u->first = u->n == 0 ? 0 : (u->first + n) % u->slots_n;
	if (u->n == 0)
		u->round++;
}

static void
block(struct udp *u, bool on)
{
	if (u->blocked == on)
		return;
	u->blocked = on;
	if (on)
		event_add(u->writable, NULL);
	else
		event_del(u->writable);
}

void
udp_flush(struct udp *u)
{
	int n;

	while (u->n > 0) {
		n = write_batch(u);
		if (n > 0) {
			take(u, (unsigned)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			block(u, true);
			return;
		}
		u->dropped++;	/* the first of them cannot be sent at all; the others may */
		take(u, 1);
	}
	block(u, false);
}

static void
writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;

	u->blocked = false;
	event_del(u->writable);
	udp_flush(u);
}

uint8_t *
udp_room(struct udp *u)
{
	if (u->n >= BATCH && !u->blocked)
		udp_flush(u);
	return u->n < u->slots_n ? u->slots[(u->first + u->n) % u->slots_n].p : NULL;
}

void
udp_commit(struct udp *u, const struct udp_addr *to, size_t n)
{
	struct slot *s = &u->slots[(u->first + u->n) % u->slots_n];

	s->to = *to;
	s->n = n;
	u->n++;
}

bool
udp_blocked(const struct udp *u)
{
	return u->blocked;
}

unsigned
udp_round(const struct udp *u)
{
	return u->round;
}

uint64_t
udp_dropped(const struct udp *u)
{
	return u->dropped;
}

/* --- life --- */

/* Bound to one address there is nothing to be told: the kernel answers from it. */
static int
look_at_socket(struct udp *u)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int on = 1, bytes = SOCKET_BYTES;

	if (getsockname(u->fd, (struct sockaddr *)&ss, &len) == -1)
		return -1;
	u->family = ss.ss_family;
	setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	u->any = net_is_any((struct sockaddr *)&ss);
	if (!u->any)
		return 0;
	return u->family == AF_INET6 ? setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) :
	    setsockopt(u->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
}

struct udp *
udp_new(struct event_base *base, int fd, unsigned slots, const struct udp_ops *ops, void *ctx)
{
	struct udp *u = xcalloc(1, sizeof(*u));

	u->fd = fd;
	u->ops = ops;
	u->ctx = ctx;
	u->slots_n = slots;
	u->slots = xcalloc(slots, sizeof(*u->slots));
	u->in = xmalloc((size_t)READ_BATCH * UDP_INPUT);
	u->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, u);
	u->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, writable_cb, u);
	errno = ENOMEM;
	if (u->readable == NULL || u->writable == NULL || look_at_socket(u) == -1 || event_add(u->readable, NULL) == -1)
		udp_free(&u);
	return u;
}

void
udp_free(struct udp **up)
{
	struct udp *u = *up;
	int saved = errno;

	*up = NULL;
	if (u == NULL)
		return;
	if (u->readable != NULL)
		event_free(u->readable);
	if (u->writable != NULL)
		event_free(u->writable);
	close(u->fd);
	free(u->slots);
	free(u->in);
	free(u);
	errno = saved;
}
