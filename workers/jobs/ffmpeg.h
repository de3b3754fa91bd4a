/*
 * ffmpeg.h - the ffmpeg that a job has the supervisor start: asked for, its words read, its end
 * heard. One at a time. A kind hands its messages to ffmpeg_message(). Any of ops but exited
 * may be NULL.
 */
#ifndef MILLRACE_JOBS_FFMPEG_H
#define MILLRACE_JOBS_FFMPEG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lines.h"
#include "svc.h"

#define FFMPEG_WORDS 240

struct ffmpeg_ops {
	void (*line)(void *ctx, const char *line);	/* what it says, "[info] .." */
	/* of -progress: the time it has come to, or its last word (us -1) */
	void (*progress)(void *ctx, int64_t us);
	void (*frames)(void *ctx, int64_t n);		/* of -progress: video frames written */
	/* well: exit code 0. words: its last ones of an error, without secrets, or how it died; "": none. */
	void (*exited)(void *ctx, bool well, const char *words);
};

struct ffmpeg {
	struct svc *svc;
	const struct ffmpeg_ops *ops;
	void *ctx;
	const char *what;		/* for the log: "ffmpeg convert" */
	bool may_be_torn;		/* that its input ends in the middle of a frame is no error */
	bool secret;			/* its lines name what nobody shall read: they are not logged */
	int64_t task;			/* ours; another's messages are of a job before. 0: none */
	struct lines err, progress;
	char words[FFMPEG_WORDS];
};

void ffmpeg_init(struct ffmpeg *f, struct svc *svc, const char *what, const struct ffmpeg_ops *ops, void *ctx);
/* kind and params of MSG_SPAWN; params stolen. */
void ffmpeg_start(struct ffmpeg *f, const char *kind, json_t *params);
void ffmpeg_message(struct ffmpeg *f, struct msg *m);
/* Ends it, if it runs; exited() is not called. */
void ffmpeg_drop(struct ffmpeg *f, const char *why);
/* What a line of it says of a file's length, in ms; -1: nothing. Not for strangers' files. */
int64_t ffmpeg_duration_ms(const char *line);
#endif
