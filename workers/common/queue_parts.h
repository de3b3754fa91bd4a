/* queue_parts.h - what queue.c, queue_batch.c, queue_tend.c and queue_list.c share; others see queue.h only. */
#ifndef MILLRACE_QUEUE_PARTS_H
#define MILLRACE_QUEUE_PARTS_H

#include "workers/common/keys.h"
#include "workers/common/queue.h"

#define QUEUE_NUMBER 24		/* bytes of an int64_t as text */

enum queue_verb { QUEUE_ADD, QUEUE_RENEW, QUEUE_END, QUEUE_TAKE, QUEUE_VERBS };

struct queue {
	struct redis *r;
	char *prefix, *host_id, *host_name, *worker;
	char keys[KEY_BYTES];
	struct queue_limits limits;
	struct queue_stats stats;
	struct queue_batch *open[QUEUE_VERBS];	/* what was asked in this turn of the loop */
	struct event *turn_over;
};

/* A question about one job, and who gets the answer. */
struct queue_ask {
	queue_cb cb;
	queue_added_cb added_cb;
	queue_taken_cb taken_cb;
	void *ctx;
};

/* --- queue_batch.c --- */
/*
 * Goes to Redis with others of its verb when the loop's turn is over, or once they fill a call;
 * argv: its own arguments as queue_scripts.h has them. Of QUEUE_TAKE: the kinds.
 */
void queue_batch(struct queue *q, enum queue_verb verb, int argc, const char *const *argv, const struct queue_ask *ask);
/* Nothing waits any more. */
void queue_batch_send(struct queue *q);
/* What has not gone out is answered with EHOSTDOWN. */
void queue_batch_free(struct queue *q);

/* --- queue.c --- */
/* The answer about one: reply is NULL unless rc is 0, or if there is none for it. */
void queue_answer(enum queue_verb verb, const struct queue_ask *ask, int rc, json_t *reply, const char *error);

const char *queue_number(int64_t n, char buf[QUEUE_NUMBER]);
/* 0..1000, for the jitter. */
const char *queue_random(char buf[QUEUE_NUMBER]);
/* Of an answer, whatever Redis made of it: a string or a number; 0 or "" if neither. */
int64_t queue_int(const json_t *reply, size_t i);
const char *queue_str(const json_t *reply, size_t i);
#endif
