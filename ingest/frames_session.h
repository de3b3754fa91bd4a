/*
 * frames_session.h - one client that sends single frames (frames_proto.h) over a WebSocket: from the
 * handed-over request to its files. A row of routes.h; main.c calls it.
 */
#ifndef MILLRACE_FRAMES_SESSION_H
#define MILLRACE_FRAMES_SESSION_H

#include "svc.h"

void frames_session_new(struct svc *svc);
void frames_session_free(struct svc *svc);
void frames_session_conn(struct svc *svc, struct msg *m);
void frames_session_grant(struct svc *svc, struct msg *m);
void frames_session_refuse(struct svc *svc, struct msg *m);
void frames_session_output(struct svc *svc, struct msg *m);
void frames_session_yield(struct svc *svc, struct msg *m);
void frames_session_stop_message(struct svc *svc, struct msg *m);
void frames_session_stop(struct svc *svc, const char *reason, int64_t grace_ms);
#endif
