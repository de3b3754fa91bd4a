/* pushes.h - all pushes of a stream: a set of sinks that the supervisor's PUSH changes while live. */
#ifndef MILLRACE_PUSHES_H
#define MILLRACE_PUSHES_H

#include <jansson.h>

#include "board.h"
#include "sink.h"

struct pushes {
	struct sink *sink[BOARD_PUSHES];
	unsigned n;
	bool draining;
	int64_t batch_ms;
};

/* PUSH: begins what is new, ends what is gone, leaves the rest alone. */
void pushes_set(struct pushes *p, const struct sink_env *env, const json_t *targets);
void pushes_free(struct pushes *p);
/* As sink_ops, for each. */
void pushes_tag(struct pushes *p, struct tag *t);
void pushes_tick(struct pushes *p, int64_t now);
/* What they need in the ring; how many of out are filled. */
unsigned pushes_needs(const struct pushes *p, const struct tag *out[BOARD_PUSHES]);
void pushes_overrun(struct pushes *p, struct tag *first);
void pushes_regen(struct pushes *p, struct tag *first);
void pushes_drain(struct pushes *p);
bool pushes_busy(const struct pushes *p);	/* not all is handed over yet */
/* SPAWNED or EXITED. false: it is of no push. */
bool pushes_message(struct pushes *p, struct msg *m);
/* How long the publisher's socket may wait: `longest`, or less with a push. */
int64_t pushes_budget_ms(const struct pushes *p, int64_t longest);
void pushes_board(const struct pushes *p, struct board_media *m);
#endif
