/* workers.h - how many jobs workers this host has, besides those that only push. */
#ifndef MILLRACE_WORKERS_H
#define MILLRACE_WORKERS_H

#include <jansson.h>

/* jobs.workers, or as many as there are CPUs. */
int workers_count(const json_t *conf);
#endif
