/*
 * upload_parts.h - what upload_session.c (connection, claim, limits), upload_ws.c and upload_tus.c (two
 * ways to say the same) share; others see upload_session.h only.
 */
#ifndef MILLRACE_UPLOAD_PARTS_H
#define MILLRACE_UPLOAD_PARTS_H

#include "conn.h"
#include "request.h"
#include "svc.h"
#include "tus_head.h"
#include "upload_store.h"
#include "ws.h"

enum upload_phase {
	UP_HEAD,	/* its head has not been looked at */
	UP_CLAIMED,	/* the supervisor is asked whether it may */
	UP_OPENING,	/* the disk is asked */
	UP_RECEIVING,
	UP_FINISHING,	/* all has come, and is brought to the disk */
	UP_WATCHING,	/* it is a job's; its sender hears of it */
	UP_LINGER,
};

struct upload_session;

struct upload_face {
	/* The head is read: upload_begin_*(), or a refusal. */
	void (*head)(struct upload_session *s);
	void (*opened)(struct upload_session *s, enum upload_fault fault, const char *why);
	/* What comes behind the head, once it was opened. */
	void (*input)(struct upload_session *s, const uint8_t *p, size_t n);
	void (*acked)(struct upload_session *s, int64_t offset);
	void (*complete)(struct upload_session *s);
	/* Whatever was wrong: say it, and end. */
	void (*failed)(struct upload_session *s, enum upload_fault fault, const char *why);
	void (*job)(struct upload_session *s, const json_t *job);	/* what has become of it; may be NULL */
	void (*ping)(struct upload_session *s);				/* may be NULL */
	/* The connection broke: what came is kept, or not. May be NULL. */
	void (*gone)(struct upload_session *s);
};
extern const struct upload_face upload_ws, upload_tus;

struct upload_session {
	struct svc *svc;
	enum upload_phase phase;
	const struct upload_face *face;
	struct conn conn;
	struct request req;
	bool has_req;
	struct event *tick;
	struct upload_store store;
	bool has_store, find;		/* find: a complete one will do */
	struct intake in;		/* what is to be made; its id if it is there already */
	struct ws *ws;
	struct tus_head tus;
	bool stopping;			/* the server, not the sender, ends it */
	int64_t begun;			/* offset at which this connection began */
	bool asking;			/* for its job */
	char state[24];			/* as last told */
	int percent;
	int64_t data_ms, pinged_ms, asked_ms;
	char how[160];
};

/* --- upload_tick.c --- */
void upload_tick_cb(evutil_socket_t fd, short what, void *ctx);

/* --- upload_end.c --- */
/* The last words are in conn.out: nothing more is read. how: for the log. */
void upload_end(struct upload_session *s, const char *how);
void upload_broken(void *ctx, const char *why);		/* the connection is gone; ctx: the session */
void upload_tell_refused(struct upload_session *s, enum upload_fault fault, const char *why);
int upload_status(enum upload_fault fault);		/* of HTTP */

/* --- upload_session.c --- */
/* A new one, if NAME (s->in.name, or "upload") and the key of the query may. */
void upload_begin_create(struct upload_session *s);
/* That of s->in.id; who knows its id may. find: also if it is complete. */
void upload_begin_open(struct upload_session *s, bool find);
/* Bytes of the file. 0, or -1: failed() was called. */
int upload_data(struct upload_session *s, const uint8_t *p, size_t n);
/* All has come. */
void upload_finish(struct upload_session *s);
/* It is with the jobs now; sender wants to hear of it. */
void upload_watch(struct upload_session *s);
#endif
