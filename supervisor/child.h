/*
 * child.h - what child.c, child_foreign.c, child_stop.c, child_work.c, child_config.c and
 * redis.c share. Everybody else sees processes through supervisor.h only.
 */
#ifndef MILLRACE_CHILD_H
#define MILLRACE_CHILD_H

#include "supervisor/supervisor.h"

#define CHILD_NO_SLOT BOARD_PROCS	/* more processes than run/board can show */

/* --- child.c --- */
extern struct child *child_list;
struct child *child_new(enum child_kind kind, const char *name);	/* NULL: EMFILE, no slot */
int child_launch(struct child *c);		/* one of our programs; 0 or -1 + errno */
void child_started(struct child *c, pid_t pid);	/* bookkeeping common to all launches */
void child_free(struct child *c);
/* A new descriptor of /dev/null, opened once. */
int child_null_fd(void);

/* --- child_foreign.c --- */
int child_launch_foreign(struct child *c, char *const argv[], const int fds[4], const struct child_box *box);

/* --- child_config.c --- */
int child_config_fd(enum child_kind kind);	/* a new descriptor for a child, or -1 + errno */
void child_config_reset(void);			/* after a reload: build them anew, with its log level */
void child_limits(const struct child *c);	/* prlimit: descriptors, memory */

/* --- child_stop.c --- */
void child_stop_timer(struct child *c);		/* the next rung */

/* --- child_work.c --- */
/* A wanted process ended (or could not be started): when again. Says so in `next`. */
void child_again(struct child *c, char *next, size_t size);
void child_relaunch(struct child *c);		/* its backoff is over */

/* --- child_obituary.c --- */
void child_obituary(const struct child *c, const char *next, bool quiet);

/* --- redis.c --- */
int redis_launch(struct child *c);		/* starts or takes over; 0, or -1 and c->reason */
#endif
