/* redis.h - the pure parts of the embedded Redis, shared by redis.c, redis_files.c and tests. */
#ifndef MILLRACE_SUPERVISOR_REDIS_H
#define MILLRACE_SUPERVISOR_REDIS_H

#include "log.h"

/* redis.conf for data in dir and the socket in run_dir; free(). NULL + ENAMETOOLONG. */
char *redis_conf_text(const char *dir, const char *run_dir);
/* Level and text of one line of redis-server's log; a line of another shape is text as it is. */
const char *redis_log_line(const char *line, enum log_level *level);
/* "appendonlydir/x.aof (1234 bytes), ..." of what holds data in dir; "" if nothing; free(). */
char *redis_data_files(const char *dir);
#endif
