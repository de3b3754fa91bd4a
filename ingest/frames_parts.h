/*
 * frames_parts.h - what frames_session.c (the order, the supervisor), frames_begin.c, frames_tick.c (time)
 * and frames_events.c (what the client says) share; others see frames_session.h only.
 */
#ifndef MILLRACE_FRAMES_PARTS_H
#define MILLRACE_FRAMES_PARTS_H

#include "conn.h"
#include "frames_clock.h"
#include "frames_file.h"
#include "frames_live.h"
#include "frames_play.h"
#include "frames_proto.h"
#include "svc.h"
#include "ws.h"

enum frames_phase { FR_HEAD, FR_NEW, FR_CLAIMED, FR_OPEN, FR_FINISHING, FR_LINGER };

struct frames_session {
	struct svc *svc;
	enum frames_phase phase;
	struct event *tick;
	struct conn conn;
	struct ws *ws;
	struct frames_proto proto;
	struct frames_clock clock;
	struct frames_file file;
	struct frames_play play;
	struct frames_live live;
	struct rec_sync *sync;
	struct evbuffer *held;		/* messages that came before the GRANT */
	bool hold;			/* the message being taken has to be taken again after the GRANT */
	char name[256], query[512];	/* of the request: a client that does not say its id has this one */
	char client[FRAMES_CLIENT_MAX + 1];
	bool mux, extended, disk_low;
	bool want_live;			/* it asks for its stream, too */
	int64_t born_ms, synced_ms, pinged_ms, deadline_ms;
	int sync_errno;			/* what was told of last */
	int64_t lost;			/* frames that could not be decoded */
	unsigned end_code;		/* it has ended before the GRANT: is carried out behind what is held */
	char how[160];
};

#define FRAMES_TICK_MS 250
#define FRAMES_LIVE_TICK_MS 100
#define FRAMES_FINISHING_TICK_MS 50

/* --- frames_session.c --- */
void frames_tick_in(struct frames_session *s, int64_t ms);
/* The session is over, for this reason: the file is let go, the connection closed with this code. Once. */
void frames_end(struct frames_session *s, unsigned code, const char *how);
/* The end that waits for a GRANT waits no longer: what is held is lost. */
void frames_end_waiting(struct frames_session *s);
/* CLOSED, and the end. state: "done", "queued" (files come later) or "failed", for the reason why, else NULL. */
void frames_say_closed(struct frames_session *s, const char *state, const char *why);
/* CLOSE, or a limit that has the same effect: once. */
void frames_finish(struct frames_session *s, const char *how);
/* The supervisor is asked whether it may be this client; "": the request's, else any. */
void frames_claim(struct frames_session *s, const char *id, size_t len);

/* --- frames_begin.c --- */
/* The request at *p, which is moved on; it is answered. 0, or -1: it was refused. */
int frames_take_head(struct frames_session *s, const uint8_t **p, size_t *n, const struct ws_ops *ops);
/* From here on it can open nothing but what frames sessions have, and its stream's folders. 0, or -1. */
int frames_move_in(struct frames_session *s);

/* --- frames_tick.c --- */
void frames_tick_cb(evutil_socket_t fd, short what, void *ctx);
void frames_look_at_disk(struct frames_session *s);

/* --- frames_events.c --- */
extern const struct frames_ops frames_events;
/* A whole message of the WebSocket (ws.h). */
void frames_message(void *ctx, bool text, const uint8_t *p, size_t len);
/* Those that came before it was known who this is. */
void frames_replay(struct frames_session *s);
/* Finishes the session that has reached one. */
void frames_judge_limits(struct frames_session *s, int64_t now);
#endif
