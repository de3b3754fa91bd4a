/*
 * args.h - an argv as it is put together, of copies, until args_free(). What is beyond ARGS_MAX
 * is left out: nobody comes near.
 */
#ifndef MILLRACE_SUPERVISOR_ARGS_H
#define MILLRACE_SUPERVISOR_ARGS_H

#include <stdlib.h>

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

static inline void
args_free(char ***argv)
{
	for (char **p = *argv; p != NULL && *p != NULL; p++)
		free(*p);
	free(*argv);
	*argv = NULL;
}
#endif
