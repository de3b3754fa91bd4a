/*
 * landlock.h - lock this process into a few folders (landlock(7)); used by an ingest after
 * GRANT and by millrace-exec. A kernel without landlock is no error: 0 with *locked false.
 */
#ifndef MILLRACE_LANDLOCK_H
#define MILLRACE_LANDLOCK_H

#include <stdbool.h>

struct landlock_rule { const char *path; bool write, exec; };	/* path NULL ends the list; absent paths are skipped */

int landlock_restrict(const struct landlock_rule *rules, bool *locked);	/* 0 or -1 + errno */
#endif
