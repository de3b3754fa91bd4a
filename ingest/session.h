/*
 * session.h - one publisher from its connection to its end: the only file that knows the
 * order (connection, handshake, publish, CLAIM, GRANT, media, end), by any protocol of
 * protocol.h. Rows "rtmp" and "ws" of main.c's table.
 */
#ifndef MILLRACE_SESSION_H
#define MILLRACE_SESSION_H

#include "svc.h"

/* A row that is not linked into every ingest: before session_new. */
struct protocol_ops;
void session_protocol(const struct protocol_ops *ops);
void session_new(struct svc *s);		/* s->ctx */
void session_free(struct svc *s);
void session_conn(struct svc *s, struct msg *m);	/* MSG_CONN */
void session_grant(struct svc *s, struct msg *m);
void session_refuse(struct svc *s, struct msg *m);
void session_output(struct svc *s, struct msg *m);	/* SPAWNED, EXITED, PUSH, FEED, CALL */
void session_yield(struct svc *s, struct msg *m);
void session_stop_message(struct svc *s, struct msg *m);
void session_stop(struct svc *s, const char *reason, int64_t grace_ms);
#endif
