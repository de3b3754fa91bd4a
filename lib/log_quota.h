/* log_quota.h - how many lines of other programs (ffmpeg, redis-server) a process writes: log_foreign()'s own. */
#ifndef MILLRACE_LOG_QUOTA_H
#define MILLRACE_LOG_QUOTA_H

#include <stdbool.h>

void log_quota_set(unsigned lines);	/* log.foreign_lines: in LOG_QUOTA_MS */
/* Another one may be written. Where they begin and cease to be left out, the log is told. */
bool log_quota_take(void);
#define LOG_QUOTA_MS 10000
#endif
