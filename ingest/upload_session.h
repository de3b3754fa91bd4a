/* upload_session.h - a connection that sends a file: the row "upload" of routes.h. */
#ifndef MILLRACE_UPLOAD_SESSION_H
#define MILLRACE_UPLOAD_SESSION_H

#include "svc.h"

void upload_session_new(struct svc *s);
void upload_session_free(struct svc *s);
void upload_session_conn(struct svc *s, struct msg *m);
void upload_session_grant(struct svc *s, struct msg *m);
void upload_session_refuse(struct svc *s, struct msg *m);
void upload_session_output(struct svc *s, struct msg *m);
void upload_session_yield(struct svc *s, struct msg *m);
void upload_session_stop_message(struct svc *s, struct msg *m);
void upload_session_stop(struct svc *s, const char *reason, int64_t grace_ms);
#endif
