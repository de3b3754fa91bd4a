/*
 * svc.h - the skeleton of every child: ingest, finish, http, registry.
 *
 * svc_run() takes the descriptors of lib/proto.h, sends HELLO, starts the
 * heartbeat on the board page, dispatches messages by table and runs the loop
 * until svc_exit(). A child's main() is this call and its table.
 * EOF on fd 3 (the supervisor died) calls ops->stop with reason "supervisor gone".
 */
#ifndef MILLRACE_SVC_H
#define MILLRACE_SVC_H

#include <event2/event.h>
#include <jansson.h>

#include "board.h"
#include "msg.h"

struct svc {
	const char *kind;
	struct event_base *base;
	struct msg_chan *control;	/* NULL once the supervisor is gone */
	struct board_page *page;	/* own page, writable; use board_begin/board_end */
	json_t *conf;			/* the kind's config, replaced by CONFIG (lib/conf.h reads it) */
	int nlisteners;			/* descriptors from PROTO_FD_LISTEN on */
	const struct svc_ops *ops;
	void *ctx;			/* the program's own state */
	int exit_code;
};

struct svc_handler {
	uint16_t type;
	void (*handle)(struct svc *s, struct msg *m);
};

struct svc_ops {
	const char *kind;			/* "ingest" "finish" "http" "registry" "jobs" "watch" */
	int (*start)(struct svc *s, int argc, char **argv); /* 0, or -1: exit 1 */
	const struct svc_handler *handlers;	/* ends with type 0 */
	void (*config)(struct svc *s);		/* after s->conf was replaced; may be NULL */
	void (*stop)(struct svc *s, const char *reason, int64_t grace_ms); /* end in bounded time by svc_exit */
	void (*cleanup)(struct svc *s);		/* after the loop: free everything (ASan sees leaks) */
};

int svc_run(int argc, char **argv, const struct svc_ops *ops);
/* READY; call it once able to work. */
void svc_ready(struct svc *s);
/* Sends to the supervisor; body stolen, fds closed. Does nothing without one. */
int svc_send(struct svc *s, uint16_t type, uint32_t id, json_t *body);
int svc_send_fds(struct svc *s, uint16_t type, uint32_t id, json_t *body, const int *fds, int nfds);
/*
 * CALL to another kind; cb once, with rc (ETIMEDOUT after deadline_ms, EPIPE if
 * the supervisor is gone) and body (borrowed, may be NULL).
 */
typedef void (*svc_reply_cb)(struct svc *s, int rc, json_t *body, void *ctx);
void svc_call(struct svc *s, const char *to, const char *verb, json_t *args, int deadline_ms,
    svc_reply_cb cb, void *ctx);
/* Answers a CALL. body stolen, NULL = {}. */
void svc_reply(struct svc *s, const struct msg *call, int rc, json_t *body);
/* Leaves the loop after this turn; BYE{reason} is sent and flushed by svc_run. */
void svc_exit(struct svc *s, int code, const char *reason);
/* The same with code 0 in so long, if nothing ends it before. reason is not copied. */
void svc_exit_after(struct svc *s, int ms, const char *reason);
/* argv[0] and /proc/self/comm become "millrace-KIND NAME". */
void svc_title(struct svc *s, const char *name);
#endif
