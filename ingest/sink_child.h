/*
 * sink_child.h - a sink (sink.h) that is an ffmpeg fed from the ring: the life that pushes and what
 * is made for webrtc have in common. What it is to do, and what its stderr means, is its kind's.
 */
#ifndef MILLRACE_SINK_CHILD_H
#define MILLRACE_SINK_CHILD_H

#include <jansson.h>

#include "lines.h"
#include "ring_cursor.h"
#include "sink.h"

enum sink_child_phase {
	CHILD_IDLE,
	CHILD_ASKED,	/* SPAWN was sent; the supervisor holds it back while it waits */
	CHILD_UP,	/* fed */
	CHILD_ENDING,	/* judged dead: EXITED follows */
};

struct sink_child;

struct sink_child_kind {
	const char *name;		/* SPAWN's kind */
	const char *mute;		/* what is said of one that takes nothing: "its target took nothing" */
	bool replays;			/* after a failure soon mended it goes on where that happened, else live */
	json_t *(*params)(const struct sink_child *c, const struct ring_gen *g);	/* that SPAWNED has to repeat */
	void (*asking)(struct sink_child *c, json_t *spawn);	/* what else SPAWN has; may be NULL */
	bool (*refuse)(struct sink_child *c, const struct ring_gen *g);	/* none for these tracks; may be NULL */
	void (*begins)(struct sink_child *c);	/* a new one is up, or there is nothing to say of the old; or NULL */
	void (*line)(struct sink_child *c, const char *line);	/* of its stderr */
};

/* The first member of the sink's own struct, which sink_ops' free gives to free(). */
struct sink_child {
	struct sink sink;
	const struct sink_child_kind *kind;
	char output[48];		/* its name to the supervisor */
	enum sink_child_phase phase;
	bool draining;
	struct ring_cursor at;
	struct lines err;
	int unread;			/* what it had not taken at the last look */
	int64_t up_ms, moved_ms;	/* moved: it took something */
	int64_t stuck_ms;		/* judged dead when it has not for so long */
	uint64_t frames, bytes;		/* handed to those before it */
};

/* at.batch_ms, at.lag_ms, at.feed.tracks and stuck_ms are the caller's to set after it. */
void sink_child_init(struct sink_child *c, const struct sink_child_kind *kind, const struct sink_env *env,
    const char *output);
/* It is not wanted any more: its ffmpeg is to end. Then sink_ops' free. */
void sink_child_end(struct sink_child *c, const char *why);
bool sink_child_busy(const struct sink_child *c);	/* draining, and not all is handed over */
static inline struct sink_child *
sink_child_of(struct sink *s)
{
	return (struct sink_child *)(void *)s;
}
static inline const struct sink_child *
sink_child_const(const struct sink *s)
{
	return (const struct sink_child *)(const void *)s;
}
#endif
