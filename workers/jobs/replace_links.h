/* replace_links.h - all links of raw recordings, read on a thread, and whose turn has come. */
#ifndef MILLRACE_REPLACE_LINKS_H
#define MILLRACE_REPLACE_LINKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "workers/common/ledger.h"

struct replace_link {
	char id[LEDGER_ID];		/* of the raw file */
	bool due;			/* something can be done about it now, so it seems */
	json_t *mark;			/* if marks: the raw file's, with "local"; NULL: none */
};

struct replace_links {
	char *data_dir, *host_id, *bucket;
	bool marks;			/* wanted of each */
	struct replace_link *list;	/* by id */
	size_t n;
};

struct replace_links *replace_links_new(const char *data_dir, const char *host_id, const char *bucket);
int replace_links_read(void *links);	/* for slow_run() */
void replace_links_free(void *links);

/* data_dir/uploads/ID.SUFFIX, if it is small JSON; new reference or NULL. */
json_t *replace_small(const char *data_dir, const char *id, const char *suffix);
#endif
