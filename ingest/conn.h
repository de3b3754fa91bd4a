/*
 * conn.h - the publisher's socket: reads, writes, PROXY protocol. Bytes go to its owner; it
 * knows nothing of RTMP or WebSockets.
 */
#ifndef MILLRACE_CONN_H
#define MILLRACE_CONN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"
#include "net.h"

struct evbuffer;

struct conn_ops {
	/* Bytes came; -1: stop reading, the owner has a reason. */
	int (*input)(void *ctx, const uint8_t *p, size_t n);
	/* The connection is closed, or has to be (conn_linger()): why. */
	void (*over)(void *ctx, const char *why);
};

struct conn {
	const struct conn_ops *ops;
	void *ctx;
	int fd;				/* -1: closed */
	struct event_base *base;
	struct event *rd;		/* NULL: the owner calls conn_read() by itself */
	struct event *linger;		/* runs out: closed */
	struct evbuffer *out;		/* replies; conn_write() sends what is there */
	struct evbuffer *proxy;		/* of an unfinished PROXY head */
	uint8_t *buf;
	size_t max_unread;		/* of replies that wait for the peer */
	const char *unread_key;		/* which is in the config */
	char why[96];
	uint8_t *early;			/* what was read of it before it came here; NULL: nothing */
	size_t early_len;
	bool paused;
	bool want_proxy, closing;	/* closing: what still comes is not for the owner */
	char peer[NET_TEXT], local[NET_TEXT];
	int64_t last_byte_ms, linger_ms; /* linger_ms: until then, while closing */
};

void conn_init(struct conn *c, const struct conn_ops *ops, void *ctx);
void conn_free(struct conn *c);
/*
 * A CONN's. Reads at once until conn_by_tick(). -1: the message has none, or there is one already.
 * Replies that it leaves unread are bounded by rtmp.max_unread or ws.max_unread.
 */
int conn_take(struct conn *c, struct event_base *base, struct msg *m, const json_t *conf);
/* Last in a row's conn(): input() gets what was read before by http, if it came from there. */
void conn_early(struct conn *c);
/* Nothing is read, so the sender has to wait; or it goes on. */
void conn_pause(struct conn *c, bool pause);
void conn_by_tick(struct conn *c);
void conn_read(struct conn *c);		/* what the socket has, at most 2 MiB */
void conn_write(struct conn *c);	/* what does not fit goes with the next call */
/*
 * Last words were written: sends them, says that no more will come, and drops what still comes
 * in until the peer has closed, too, or ms are over; then closes, and calls over(). Again: no
 * longer than this. Does nothing once it is closed.
 */
void conn_linger(struct conn *c, int64_t ms);
void conn_close(struct conn *c);
#endif
