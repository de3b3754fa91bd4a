/*
 * finalise_scan.c - a raw recording that nobody writes any more gets its job: its ingest said so,
 * or it was found on the disk after a crash, a lost message, or a Redis that forgot. A job that is
 * queued already stays the one it is. Called by main.c and found.c.
 */
#include <stdio.h>

#include "conf.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/raw.h"

void
finalise_add(struct svc *svc, struct queue *q, const char *file, queue_added_cb cb, void *ctx)
{
	const char *host = conf_str(svc->conf, "host_id");
	struct raw raw;
	char key[700];
	json_t *args;

	raw_parse_path(file, &raw);
	snprintf(key, sizeof(key), "finalise:%s:%s", host, file);
	args = json_pack("{s:s, s:s}", "file", file, "stream", raw.stream);
	queue_add(q, "finalise", key, host, 0, args, cb, ctx);
	json_decref(args);
}

void
finalise_recorded(struct svc *svc, struct queue *q, const char *file)
{
	struct raw raw;

	if (raw_parse_path(file, &raw) == 0)
		finalise_add(svc, q, file, NULL, NULL);
}
