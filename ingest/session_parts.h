/*
 * session_parts.h - what session.c (order, events, messages) and session_tick.c (time limits) share;
 * others see session.h only.
 */
#ifndef MILLRACE_SESSION_PARTS_H
#define MILLRACE_SESSION_PARTS_H

#include "conn.h"
#include "proto.h"
#include "protocol.h"
#include "session.h"
#include "stream.h"

/* To end, when somebody waits for the name, or the server stops. What is left until SIGKILL is for the last words. */
#define SESSION_HURRY_MS (PROTO_YIELD_MS - 500)
#define SESSION_CLOSE_MS 20000	/* else: for the last segment, also if ffmpeg has to be started again */

enum phase { SES_PROTOCOL, SES_CLAIMED, SES_LIVE, SES_DRAINING, SES_CLOSING, SES_LINGER };

struct session {
	struct svc *svc;
	enum phase phase;
	struct event *tick;
	struct conn conn;
	const struct protocol_ops *ops;
	struct protocol *proto;		/* NULL: no connection yet */
	struct publish_match match;
	struct stream stream;
	bool endlist, hurry;
	bool only_busy;			/* CLOSING: all is through but what pushes have not been handed yet */
	char how[160], why[96];
	int64_t born_ms, live_ms, pinged_ms, deadline_ms;
	size_t left_bytes;		/* DRAINING: the fewest that waited, and when the last media */
	int64_t left_ms;		/* had come of it */
};

/* --- session.c --- */
/* The publisher is gone or has to go: once. */
void session_finish(struct session *s, const char *how);
void session_leave(void *ctx);	/* all is through, or has had its time */
/*
 * The supervisor counts it; before the stream is live it also says it, now and then: anybody can
 * be refused a thousand times a second. `code` is a word for counters.
 */
void session_say_refused(struct session *s, const char *code, const char *text);

/* --- session_tick.c --- */
void session_tick_cb(evutil_socket_t fd, short what, void *ctx);
void session_tick_in(struct session *s, int64_t ms);
#endif
