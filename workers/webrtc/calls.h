/*
 * calls.h - verbs of CALL to "webrtc" (lib/proto.h): WHEP's sessions, as the http workers ask for
 * them. main.c hands messages over.
 */
#ifndef MILLRACE_WEBRTC_CALLS_H
#define MILLRACE_WEBRTC_CALLS_H

#include "svc.h"

void calls_take(struct svc *s, struct msg *m);	/* MSG_CALL */
void calls_free(void);				/* ends all its sessions */
#endif
