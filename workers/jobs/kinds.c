/*
 * kinds.c - the table of all kinds of jobs. A new kind is one line here and one file.
 *
 * Knows names only; run.c starts and stops what it finds here.
 */
#include <stdio.h>
#include <string.h>

#include "workers/jobs/finalise.h"
#include "workers/jobs/job.h"
#include "workers/jobs/upload_kind.h"

static const struct job_kind *const kinds[] = {
	&finalise_kind, &upload_kind,
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

void
job_kinds_list(bool uploads, char *out, size_t size)
{
	size_t used = 0;
	int n;

	out[0] = '\0';
	for (const struct job_kind *const *k = kinds; *k; k++) {
		if ((*k)->upload && !uploads)
			continue;
		n = snprintf(out + used, size - used, "%s%s", used ? " " : "", (*k)->name);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}
