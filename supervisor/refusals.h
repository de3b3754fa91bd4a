/* refusals.h - refused publishers: counted for status and metrics, and said, but not endlessly. */
#ifndef MILLRACE_REFUSALS_H
#define MILLRACE_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

/* For the board only: who calls this logs by itself. code: board_refusal_name(); name may be "". */
void refusals_count(const char *code, const char *peer, const char *name, const char *text);
/* The same, and a line at level info, unless the same was said of late. */
void refusals_say(const char *code, const char *peer, const char *name, const char *text);
/* What is only counted so far is said, once its time has come or at the end (all). */
void refusals_flush(int64_t now, bool all);
#endif
