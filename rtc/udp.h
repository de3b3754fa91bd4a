/*
 * udp.h - one UDP socket of many peers: datagrams come and go in batches (recvmmsg, sendmmsg), and an
 * answer leaves from the address that was asked, which matters on a host with several.
 */
#ifndef MILLRACE_RTC_UDP_H
#define MILLRACE_RTC_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDP_PACKET 1456		/* bytes of room in the queue */
#define UDP_INPUT 2048		/* longest datagram taken */

struct event_base;
struct udp;

struct udp_addr {
	struct sockaddr_in6 peer;	/* IPv4 as ::ffff:a.b.c.d, whatever the socket is */
	struct in6_addr local;		/* ours, likewise; all zero: whatever the kernel takes */
};

/* Any address into udp_addr's form. */
void udp_canonical(struct sockaddr_in6 *out, const struct sockaddr *sa);

struct udp_ops {
	/* p is writable, aligned to 8 and gone after the call */
	void (*input)(void *ctx, const struct udp_addr *from, uint8_t *p, size_t n);
};

/* fd: bound, non-blocking; ours. slots: datagrams that may wait for it. NULL + errno. */
struct udp *udp_new(struct event_base *base, int fd, unsigned slots, const struct udp_ops *ops, void *ctx);
void udp_free(struct udp **u);
/*
 * Room of UDP_PACKET bytes, aligned to 8, for the next datagram: fill it and udp_commit, or leave it.
 * NULL: the socket takes nothing at present and the queue is full.
 */
uint8_t *udp_room(struct udp *u);
void udp_commit(struct udp *u, const struct udp_addr *to, size_t n);
void udp_flush(struct udp *u);
bool udp_blocked(const struct udp *u);	/* what is queued waits until the socket takes it */
/* Another number each time the queue has been emptied: for counting whose packets wait. */
unsigned udp_round(const struct udp *u);
uint64_t udp_dropped(const struct udp *u);	/* committed, but not taken: no route, a size */
#endif
