/*
 * feed.h - what the supervisor brokered for a room (FEED of lib/proto.h): a descriptor with FLV of
 * an ingest or of an ffmpeg that makes H.264, or with Ogg of one that makes Opus. Read as it
 * comes; it is the sender that never waits for us for long.
 */
#ifndef MILLRACE_WEBRTC_FEED_H
#define MILLRACE_WEBRTC_FEED_H

#include "svc.h"

struct feed;

void feed_take(struct svc *s, struct msg *m);	/* MSG_FEED */
void feed_free(struct feed **f);		/* closes it; sets *f NULL; NULL is fine */
#endif
