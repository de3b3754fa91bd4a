/*
 * sink.h - what the ingest knows of an output. stream.c appends a tag to the ring and tells
 * every sink; nothing else in the ingest knows which output is which.
 */
#ifndef MILLRACE_SINK_H
#define MILLRACE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"
#include "svc.h"

struct sink;

struct sink_ops {
	const char *name;
	int budget_ms;			/* the tick it can live with */
	/* A tag was appended (it may set tag->cut). */
	void (*tag)(struct sink *s, struct tag *t);
	/* End of the session's tick: write what is due. */
	void (*tick)(struct sink *s, int64_t now);
	/* The oldest tag it still needs, NULL: none. */
	const struct tag *(*needs)(const struct sink *s);
	/* The ring drops what is before `first`: move on. */
	void (*overrun)(struct sink *s, struct tag *first);
	/* The video has ended: from `first` on (NULL: nothing yet) the ring's tags have a new generation. */
	void (*regen)(struct sink *s, struct tag *first);
	/* A SPAWNED or EXITED for this output. */
	void (*message)(struct sink *s, struct msg *m);
	/* No more tags: finish what is there, then call done() of sink_env. */
	void (*drain)(struct sink *s);
	void (*free)(struct sink **s);
};

/* What a sink gets from the session. */
struct sink_env {
	struct svc *svc;
	struct ring *ring;
	const char *name, *app, *dir;	/* stream, app, data_dir/hls/NAME */
	void (*done)(void *ctx);	/* drained */
	void *done_ctx;
	void (*warn)(void *ctx, const char *text);	/* a standing warning for the board, "" clears */
	void *warn_ctx;
};

struct sink {
	const struct sink_ops *ops;
	struct sink_env env;
};
#endif
