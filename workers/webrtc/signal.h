/*
 * signal.h - rooms: the WebSocket of GET /v1/ws?clientID=..&roomID=..&clientName=.., over which a
 * page gets our offer, says its answer, and chats. main.c hands connections over.
 */
#ifndef MILLRACE_WEBRTC_SIGNAL_H
#define MILLRACE_WEBRTC_SIGNAL_H

#include "svc.h"

void signal_take(struct svc *s, struct msg *m);	/* MSG_CONN of route "room" */
void signal_stop(void);				/* closes all (1001); takes no more */
void signal_free(void);
#endif
