/*
 * routes.h - what a connection may be for: one row for each way in. main.c picks the row by
 * CONN's route; from then on everything that the supervisor says goes to it. Nothing of a row
 * exists before, so a spare ingest can become any of them.
 *
 * A row's files keep to themselves: session.c (a live stream: rtmp, ws), frames_session.c,
 * upload_session.c. A new way in: its functions, and its row in main.c.
 */
#ifndef MILLRACE_ROUTES_H
#define MILLRACE_ROUTES_H

#include "svc.h"

struct route_ops {
	const char *route;			/* CONN's; handed over by http under this name */
	void (*new)(struct svc *s);		/* makes svc->ctx; conn() follows at once */
	void (*free)(struct svc *s);		/* of svc->ctx; also without any conn() */
	void (*conn)(struct svc *s, struct msg *m);	/* MSG_CONN: conn_take() of conn.h */
	void (*grant)(struct svc *s, struct msg *m);
	void (*refuse)(struct svc *s, struct msg *m);
	void (*output)(struct svc *s, struct msg *m);	/* SPAWNED, EXITED */
	void (*yield)(struct svc *s, struct msg *m);
	void (*stop_message)(struct svc *s, struct msg *m);	/* MSG_STOP */
	void (*stop)(struct svc *s, const char *reason, int64_t grace_ms);	/* the supervisor is gone */
};
#endif
