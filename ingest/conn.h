/*
 * conn.h - the publisher's socket: reads, writes, PROXY protocol. Bytes go to its owner; it
 * knows nothing of RTMP.
 */
#ifndef MILLRACE_CONN_H
#define MILLRACE_CONN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net.h"

struct evbuffer;

struct conn_ops {
	/* Bytes came; -1: stop reading, the owner has a reason. */
	int (*input)(void *ctx, const uint8_t *p, size_t n);
	/* The connection is over, or has to be closed: why. */
	void (*over)(void *ctx, const char *why);
};

struct conn {
	const struct conn_ops *ops;
	void *ctx;
	int fd;				/* -1: closed */
	struct event *rd;		/* NULL: the owner calls conn_read() by itself */
	struct evbuffer *out;		/* replies; conn_write() sends what is there */
	struct evbuffer *proxy;		/* of an unfinished PROXY head */
	uint8_t *buf;
	size_t max_unread;		/* of replies that wait for the peer */
	bool want_proxy, closing;	/* closing: what still comes is not for the owner */
	char peer[NET_TEXT], local[NET_TEXT];
	int64_t last_byte_ms;
};

void conn_init(struct conn *c, const struct conn_ops *ops, void *ctx);
void conn_free(struct conn *c);
/* Takes fd; peer, local, max_unread and want_proxy are set. Reads at once until conn_by_tick(). */
void conn_open(struct conn *c, struct event_base *base, int fd, int user_timeout_ms);
void conn_by_tick(struct conn *c);
void conn_read(struct conn *c);		/* what the socket has, at most 2 MiB */
void conn_write(struct conn *c);	/* what does not fit goes with the next call */
void conn_half_close(struct conn *c);	/* last words were written; over() once the peer has closed, too */
void conn_close(struct conn *c);
#endif
