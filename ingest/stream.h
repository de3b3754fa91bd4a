/*
 * stream.h - the media of a live publisher: messages in, tags with normal times and known
 * tracks into the ring, to the sinks, and figures onto the board.
 */
#ifndef MILLRACE_STREAM_H
#define MILLRACE_STREAM_H

#include <jansson.h>

#include "browsers.h"
#include "flv.h"
#include "meter.h"
#include "pushes.h"
#include "ring.h"
#include "sink.h"
#include "timeline.h"
#include "tracks.h"

struct stream {
	struct svc *svc;
	char dir[512], rec_dir[512];	/* data_dir/hls/NAME; data_dir/rec/NAME, "": not recorded */
	int rec_hold;			/* rec_dir, locked: it stays though it be empty */
	struct ring ring;
	struct timeline timeline;
	struct tracks tracks;
	struct meter meter;
	struct sink *hls;		/* NULL: not open */
	struct sink *rec;		/* NULL: it is not recorded */
	struct pushes pushes;
	struct sink_env push_env;
	struct browsers browsers;
	bool resumed, said_live;	/* resumed: the playlist goes on */
	char encoder[64], sink_warning[160], rec_warning[160];
	char said_media[160], said_rec[160];	/* the warnings the supervisor was told of last */
};

void stream_init(struct stream *s, struct svc *svc);
void stream_free(struct stream *s);
/* dir and rec_dir are there. 0, or -1 + errno. */
int stream_make_dirs(struct stream *s, const char *name);
/* The stream's folder; from here on this process can open nothing else. -1: it was said why. */
int stream_move_in(struct stream *s, const char *name);
/* GRANT: name and app stay the caller's; done: what stream_end() began is through. */
void stream_open(struct stream *s, const char *name, const char *app,
    void (*done)(void *ctx), void *ctx);
void stream_metadata(struct stream *s, json_t *data);	/* may come before it is open */
void stream_media(struct stream *s, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
/* After the socket was read. NULL, or why this stream can't be taken. */
const char *stream_tick(struct stream *s, int64_t now);
/* Its publisher has left: the supervisor is told. */
void stream_gone(struct stream *s);
/* ... and no media will come any more: the sinks drain; done() follows, perhaps before this returns. */
void stream_end(struct stream *s);
/* After that: some output has not been handed all of it yet. */
bool stream_busy(const struct stream *s);
/* SPAWNED, EXITED, PUSH, FEED. */
void stream_message(struct stream *s, struct msg *m);
/* How long the publisher's socket may wait: `longest`, or what an output wants. */
int64_t stream_budget_ms(const struct stream *s, int64_t longest);
/* While it drains: the sinks go on. */
void stream_tick_draining(struct stream *s, int64_t now);
void stream_board(struct stream *s, const char *state, int64_t now);
#endif
