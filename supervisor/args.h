/*
 * args.h - an argv as it is put together, of copies; output_argv_free() of output_argv.h
 * frees it. What is beyond ARGS_MAX is left out: nobody comes near.
 */
#ifndef MILLRACE_SUPERVISOR_ARGS_H
#define MILLRACE_SUPERVISOR_ARGS_H

#include "util.h"

#define ARGS_MAX 80

struct args { char **v; int n; };

/* The caller's: v, with room for ARGS_MAX. */
static inline struct args
args_new(void)
{
	return (struct args){ xcalloc(ARGS_MAX, sizeof(char *)), 0 };
}

static inline void
args_add(struct args *a, const char *const *list)
{
	for (; *list != NULL && a->n < ARGS_MAX - 1; list++)
		a->v[a->n++] = xstrdup(*list);
}
#define ADD(a, ...) args_add(a, (const char *const[]){ __VA_ARGS__, NULL })
#endif
