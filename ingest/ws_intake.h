/*
 * ws_intake.h - from a container's bytes to a stream's media: sniffs it, and feeds an ffmpeg of
 * the supervisor's (SPAWN kind "intake") that turns it into FLV with H.264 and AAC; FLV needs no
 * ffmpeg. Nothing is dropped: who sends faster than it is taken is asked to wait.
 *
 * If that ffmpeg dies, another one gets the container's beginning, kept here, and what comes from
 * the next point on at which one can begin; where there is none, ops->restart() asks the sender.
 */
#ifndef MILLRACE_WS_INTAKE_H
#define MILLRACE_WS_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flv_read.h"
#include "svc.h"

#define INTAKE_OUTPUT "intake"	/* the output's name to the supervisor */

struct ws_intake;

struct ws_intake_ops {
	void (*media)(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
	void (*metadata)(void *ctx, json_t *data);	/* onMetaData's object; borrowed */
	void (*room)(void *ctx);	/* after _full(): send again */
	/* The sender has to begin a new file; what it sends before is for nobody. -1: it can't. */
	int (*restart)(void *ctx, const char *why);
	void (*drained)(void *ctx);	/* after _end(), once: all media was delivered */
};

struct ws_intake *ws_intake_new(struct svc *svc, const struct ws_intake_ops *ops, void *ctx);
void ws_intake_free(struct ws_intake **i);
/* first: p is where a message of the sender's begins. NULL, or why it can't be taken: a sentence. */
const char *ws_intake_feed(struct ws_intake *i, const uint8_t *p, size_t n, bool first);
bool ws_intake_full(struct ws_intake *i);	/* until room() */
size_t ws_intake_queued(const struct ws_intake *i);
void ws_intake_message(struct ws_intake *i, struct msg *m);	/* SPAWNED, EXITED */
/* Delivers what there is. NULL, or why it is over for good. */
const char *ws_intake_tick(struct ws_intake *i, int64_t now);
/* The sender is gone. true: all is delivered already; false: drained() follows. */
bool ws_intake_end(struct ws_intake *i);
#endif
