/*
 * intake_scan.c - what a look through data_dir/upload (intake_look.h) has found: what was received or converted
 * has a job, after a crash or a lost message, too; what is dead goes after its time.
 *
 * The disk says what there is to do, the queue whether it is being done: a job that is dead or
 * cancelled is not added again (it keeps its key), and after upload.keep it goes with its files.
 * Called by house.c and main.c in the host's first worker.
 */
#include "workers/jobs/intake_scan.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/convert.h"
#include "workers/jobs/push.h"

struct visit {
	struct svc *svc;
	struct queue *q;
	char id[INTAKE_ID];
};

static const char *
data_dir(const struct svc *svc)
{
	return conf_str(svc->conf, "data_dir");
}

static void
drop(const struct svc *svc, const char *id, const char *why)
{
	if (intake_drop(data_dir(svc), id) == 0)
		log_info("upload %s is deleted: %s", id, why);
	else
		log_warn("cannot delete upload %s (%s)", id, why);
}

/* --- what there is to do --- */

/* A kill between the two is no harm: without a job it is tried once more. The other way round the job would stay. */
static void
forgotten_cb(int rc, const char *error, void *ctx)
{
	struct visit *v = ctx;

	if (rc == 0)
		drop(v->svc, v->id, "its job is dead or cancelled since upload.keep");
	free(v);
}

static void
found_cb(int rc, json_t *job, void *ctx)
{
	struct visit *v = ctx;
	const char *state = json_string_value(json_object_get(job, "state"));
	int64_t ended = json_integer_value(json_object_get(job, "ended"));
	bool over = state != NULL && (strcmp(state, "dead") == 0 || strcmp(state, "cancelled") == 0);

	if (rc == 0 && state != NULL)
		intake_set_over(data_dir(v->svc), v->id, over);
	if (rc == 0 && over && wall_ms() - ended > conf_int(v->svc->conf, "upload.keep"))
		queue_forget(v->q, json_string_value(json_object_get(job, "id")), forgotten_cb, v);
	else
		free(v);
}

static void
added_cb(int rc, const char *id, bool existed, void *ctx)
{
	struct visit *v = ctx;

	if (rc == 0 && existed)
		queue_find(v->q, id, found_cb, v);
	else
		free(v);
}

/* It may be further by now: a job that comes too late finds nothing to do. */
static void
queue_work(struct svc *svc, struct queue *q, const struct intake_seen *s)
{
	struct visit *v = xcalloc(1, sizeof(*v));
	struct intake in = { .state = s->state };

	v->svc = svc;
	v->q = q;
	str_copy(v->id, s->id, sizeof(v->id));
	str_copy(in.id, s->id, sizeof(in.id));
	str_copy(in.name, s->name, sizeof(in.name));
	(in.state == INTAKE_RECEIVED ? convert_queue : push_queue)(svc, q, &in, added_cb, v);
}

void
intake_scan(struct svc *svc, struct queue *q, const struct intake_look *l)
{
	for (const struct intake_seen *s = l->list; s < l->list + l->n; s++)
		switch (s->what) {
		case INTAKE_SEEN_WORK:
			queue_work(svc, q, s);
			break;
		case INTAKE_SEEN_TORN:
			log_warnx("upload %s: its ID.json can't be read; left alone", s->id);
			break;
		case INTAKE_SEEN_DROPPED:
			log_info("upload %s is deleted: %s", s->id, s->why);
			break;
		case INTAKE_SEEN_STAYS:
			log_warnx("cannot delete upload %s (%s)", s->id, s->why);
			break;
		}
}

void
intake_uploaded(struct svc *svc, struct queue *q, const char *id)
{
	struct intake in;

	if (intake_read(data_dir(svc), id, &in) == 0 && in.state == INTAKE_RECEIVED)
		convert_queue(svc, q, &in, NULL, NULL);
}
