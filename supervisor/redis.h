/* redis.h - the pure parts of the embedded Redis, shared by redis.c, redis_files.c and tests. */
#ifndef MILLRACE_SUPERVISOR_REDIS_H
#define MILLRACE_SUPERVISOR_REDIS_H

#include <stdbool.h>

#include "log.h"

/* redis.conf for data in dir and the socket in run_dir; free(). NULL + ENAMETOOLONG. */
char *redis_conf_text(const char *dir, const char *run_dir);
/*
 * Level and text of one line of redis-server's log: it speaks at debug, and what it marks as a
 * warning is one. running = false: it greets or says goodbye, in which it marks everything, and
 * only what has gone wrong is a warning. A line of another shape is text as it is.
 */
const char *redis_log_line(const char *line, bool running, enum log_level *level);
/* Its words on vm.overcommit_memory, which it says at each start. */
bool redis_log_is_overcommit(const char *text);
/* "appendonlydir/x.aof (1234 bytes), ..." of what holds data in dir; "" if nothing; free(). */
char *redis_data_files(const char *dir);
#endif
