/*
 * kinds.c - the table of all kinds of jobs, and which worker takes which. A new kind is one line
 * here and one file.
 *
 * Knows names only; run.c starts and stops what it finds here.
 */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "workers/jobs/convert.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/job.h"
#include "workers/jobs/push.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/workers.h"

static const struct job_kind *const kinds[] = {
	&finalise_kind, &frames_kind, &upload_kind, &convert_kind, &push_kind,
	NULL
};

const struct job_kind *
job_kind_find(const char *name)
{
	for (const struct job_kind *const *k = kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

static bool
may_take(const json_t *conf, int worker, enum job_pool pool)
{
	int n = workers_count(conf);

	if (worker < 0)
		return true;
	switch (pool) {
	case JOB_UPLOAD:
		return worker < n && worker < conf_int(conf, "jobs.uploads");
	case JOB_CONVERT:
		return worker < n && worker >= n - conf_int(conf, "jobs.converts");
	case JOB_PUSH:
		return worker >= n;
	default:
		return worker < n;
	}
}

void
job_kinds_list(const json_t *conf, int worker, char *out, size_t size)
{
	size_t used = 0;
	int n;

	out[0] = '\0';
	for (const struct job_kind *const *k = kinds; *k; k++) {
		if (!may_take(conf, worker, (*k)->pool))
			continue;
		n = snprintf(out + used, size - used, "%s%s", used ? " " : "", (*k)->name);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}
