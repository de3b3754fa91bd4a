/*
 * frames_live.h - a frames session as a live stream ("live": true): its JPEGs and PCM go as Matroska through
 * the ffmpeg that WebSocket publishers have (ws_intake.h), and are a stream like any other from there on.
 * What becomes of it is nothing to the session's file.
 */
#ifndef MILLRACE_FRAMES_LIVE_H
#define MILLRACE_FRAMES_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

struct ws_intake;

struct frames_live_ops {
	void (*room)(void *ctx);	/* after frames_live_full(): send again */
	void (*over)(void *ctx);	/* after frames_live_end(): all of it is out */
};

struct frames_live {
	struct svc *svc;
	const struct frames_live_ops *ops;
	void *ctx;
	enum { LIVE_OFF, LIVE_ON, LIVE_DRAINING, LIVE_CLOSING, LIVE_OVER } state;
	struct stream stream;
	struct ws_intake *intake;
	bool video, sound;		/* came */
	bool has_video, has_sound;	/* are in the container */
	bool done;			/* CLOSING: all is through but what pushes have not been handed yet */
	int64_t first_ms, deadline_ms;
	int64_t sound_ms, samples;	/* when its sound began, and how much there was since */
};

void frames_live_init(struct frames_live *l, struct svc *svc, const struct frames_live_ops *ops, void *ctx);
void frames_live_free(struct frames_live *l);
/* GRANT; the stream's folders are there and may be used. name stays the caller's. */
void frames_live_open(struct frames_live *l, const char *name);
/* One JPEG, or whole samples; ms as in the session's file. */
void frames_live_media(struct frames_live *l, bool video, const uint8_t *p, size_t len, int64_t ms);
bool frames_live_full(struct frames_live *l);	/* until room() */
/* NULL, or why this can't be a live stream (any more): then frames_live_end(). */
const char *frames_live_tick(struct frames_live *l, int64_t now);
void frames_live_message(struct frames_live *l, struct msg *m);	/* SPAWNED, EXITED, PUSH */
/* No more will come; hurry: it may take two seconds. Again: only a hurry counts. */
void frames_live_end(struct frames_live *l, bool hurry);
/* Between frames_live_open() and over(). */
bool frames_live_busy(const struct frames_live *l);
#endif
