/* queue_parts.h - what queue.c, queue_tend.c and queue_list.c share; others see queue.h only. */
#ifndef MILLRACE_QUEUE_PARTS_H
#define MILLRACE_QUEUE_PARTS_H

#include "workers/common/keys.h"
#include "workers/common/queue.h"

#define QUEUE_NUMBER 24		/* bytes of an int64_t as text */

struct queue {
	struct redis *r;
	char *prefix, *host_id, *host_name, *worker;
	char keys[KEY_BYTES];
	struct queue_limits limits;
	struct queue_stats stats;
};

const char *queue_number(int64_t n, char buf[QUEUE_NUMBER]);
/* 0..1000, for the jitter. */
const char *queue_random(char buf[QUEUE_NUMBER]);
/* Of an answer, whatever Redis made of it: a string or a number; 0 or "" if neither. */
int64_t queue_int(const json_t *reply, size_t i);
const char *queue_str(const json_t *reply, size_t i);
#endif
