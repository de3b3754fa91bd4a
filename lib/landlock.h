/*
 * landlock.h - lock this process into a few folders (landlock(7)); used by an ingest after
 * GRANT and by millrace-exec. Files only: what connects to a UNIX socket is held by syscalls.h.
 * A kernel without landlock is no error here: millraced warns of it.
 */
#ifndef MILLRACE_LANDLOCK_H
#define MILLRACE_LANDLOCK_H

#include <stdbool.h>

struct landlock_rule { const char *path; bool write, exec; };	/* path NULL ends the list; absent paths are skipped */

int landlock_restrict(const struct landlock_rule *rules);	/* 0 or -1 + errno */
int landlock_abi(void);		/* 0: this kernel has none, or it is switched off */
#endif
