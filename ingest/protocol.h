/*
 * protocol.h - a way to publish a live stream, as session.c knows it: a row of functions. What
 * the publisher says comes back through events; the order of things, every time limit, the
 * stream and the socket are session.c's.
 */
#ifndef MILLRACE_PROTOCOL_H
#define MILLRACE_PROTOCOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "flv.h"
#include "publish_url.h"
#include "svc.h"

struct protocol;	/* each way its own */

struct protocol_events {
	/* It wants to be this stream; accept() or refuse() follows. query: as CLAIM has it. */
	void (*publish)(void *ctx, const struct publish_match *match, const char *query);
	/* It was told that it may not; code as the event "refused" has it, said: for the log. */
	void (*denied)(void *ctx, const char *code, const char *said, const char *why);
	/* As rtmp_ops of rtmp_session.h have them. Media counts once accept() was called. */
	void (*media)(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
	void (*metadata)(void *ctx, json_t *data);
	/* So much came, not by conn: it is counted. */
	void (*bytes)(void *ctx, size_t n);
	/* Nothing more will come of it: it said so, or it was told (fault: text is why; else NULL). */
	void (*ended)(void *ctx, const char *how, const char *fault);
	void (*drained)(void *ctx);		/* see drain() */
};

struct protocol_env {
	struct svc *svc;
	struct conn *conn;			/* replies go into its out */
	int fd;					/* CONN's third descriptor, the row's from new() on; -1: none */
	const struct protocol_events *ev;
	void *ctx;
};

struct protocol_ops {
	const char *route, *name;		/* CONN's; CLAIM's, in status */
	/* Keys of its limits: connection to publish, to first media, between pings, no byte at all. */
	const char *handshake, *first_media, *ping_interval, *ping_timeout;
	bool by_tick;				/* live, its socket is read on the stream's tick; else at once */
	bool lets_go;				/* live, it is no publisher any more who closes the connection */
	struct protocol *(*new)(const struct protocol_env *env);
	void (*free)(struct protocol **p);
	/* 0, or -1: a fault, which error() names; it was told if that is possible. */
	int (*input)(struct protocol *p, const uint8_t *in, size_t n);
	const char *(*error)(const struct protocol *p);
	void (*accept)(struct protocol *p, const char *name);
	/* code: REFUSE's, or "place", or (it was live) "media", which it need not send again, or "timeout". */
	void (*refuse)(struct protocol *p, const char *code, const char *text);
	void (*unpublish)(struct protocol *p, const char *text);	/* the server ends it */
	void (*ping)(struct protocol *p, int64_t now);
	/* Once a tick, live or draining. NULL, or why it can't go on. May be NULL. */
	const char *(*tick)(struct protocol *p, int64_t now);
	void (*message)(struct protocol *p, struct msg *m);	/* SPAWNED, EXITED of "intake", CALL; may be NULL */
	/* The publisher is gone. true: all that it sent was delivered; false: drained() follows. May be NULL. */
	bool (*drain)(struct protocol *p);
	size_t (*undrained)(const struct protocol *p);	/* bytes that wait for that; with drain() */
};

extern const struct protocol_ops rtmp_publish_ops;	/* rtmp_publish.c */
extern const struct protocol_ops ws_publish_ops;	/* ws_publish.c */
extern const struct protocol_ops whip_publish_ops;	/* whip_publish.c, in millrace-whip only */
#endif
