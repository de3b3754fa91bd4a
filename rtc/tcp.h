/*
 * tcp.h - ICE-TCP, passive (RFC 6544): for browsers behind firewalls that let no UDP out. Packets are
 * framed as frame.h has them. A connection is nobody's until its first valid check; such strangers are
 * few, and the oldest goes when one more comes.
 */
#ifndef MILLRACE_RTC_TCP_H
#define MILLRACE_RTC_TCP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct tcp;
struct tcp_conn;

struct tcp_ops {
	/* p is writable, aligned to 8 and gone after the call; the connection may be closed in it */
	void (*input)(void *ctx, struct tcp_conn *c, uint8_t *p, size_t n);
	void (*closed)(void *ctx, struct tcp_conn *c);	/* by itself, not by tcp_close; it is freed then */
};

struct tcp_limits {
	unsigned max_strangers;
	int stranger_ms;	/* a stranger may stay so long */
	size_t max_queued;	/* bytes waiting in one connection */
};

/* fd: listening, non-blocking; ours. NULL + errno. */
struct tcp *tcp_new(struct event_base *base, int fd, const struct tcp_limits *limits, const struct tcp_ops *ops,
    void *ctx);
void tcp_free(struct tcp **t);	/* closes all connections, without closed() */
void tcp_set_limits(struct tcp *t, const struct tcp_limits *limits);
unsigned tcp_count(const struct tcp *t);

const struct sockaddr_in6 *tcp_address(const struct tcp_conn *c);	/* of the other end, IPv4 as mapped */
void tcp_admit(struct tcp_conn *c, void *owner);	/* a valid check has come: no stranger any more */
void *tcp_owner(const struct tcp_conn *c);	/* NULL: a stranger */
/* Queued until tcp_flush; false: full, dropped whole. */
bool tcp_send(struct tcp_conn *c, const uint8_t *p, size_t n);
/* What was queued a second ago (or two) still waits: media would only come later and later, and fill memory. */
bool tcp_is_late(struct tcp_conn *c);
void tcp_flush(struct tcp *t);
void tcp_close(struct tcp_conn **c);	/* what is queued is tried once */
#endif
