/*
 * workers.c - how many workers there are (contract in workers.h), as child_work.c of the
 * supervisor counts them: no process is asked. Called by kinds.c and upload_conn.c.
 */
#include "workers/jobs/workers.h"

#include <unistd.h>

#include "conf.h"

#define WORKERS_MAX 64

int
workers_count(const json_t *conf)
{
	int64_t n = conf_int(conf, "jobs.workers");

	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (int)n;
}
