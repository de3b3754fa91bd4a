/*
 * intake_tell.c - answers what has become of an upload: the disk says how far it came, the queue whether it
 * is being worked on (contract in intake_tell.h). Called by calls.c in the host's first worker.
 */
#include "workers/jobs/intake_tell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "intake.h"
#include "util.h"

#define SENT_AS_MAX 80		/* bytes: a page of jobs must fit into a packet */

struct question {
	struct intake in;
	queue_list_cb cb;
	void *ctx;
};

/* One word for people, over both of its jobs. */
static const char *
state_word(const struct intake *in, const char *state)
{
	if (strcmp(state, "running") == 0)
		return in->state == INTAKE_RECEIVED ? "converting" : "pushing";
	if (strcmp(state, "dead") == 0 || strcmp(state, "parked") == 0)
		return "failed";
	if (strcmp(state, "delayed") == 0)
		return "retrying";
	return strcmp(state, "cancelled") == 0 ? state : "queued";
}

static void
tell(struct question *a, const char *state, int percent, const json_t *job)
{
	json_t *body = json_pack("{s:s, s:s, s:i, s:s, s:s}", "id", a->in.id, "state", state, "percent", percent,
	    "name", a->in.name, "file", a->in.file);
	static const char *const more[] = { "error", "due", "attempts" };
	json_t *v;

	if (a->in.duration_ms > 0)
		json_object_set_new(body, "duration_ms", json_integer(a->in.duration_ms));
	if (json_object_get(job, "id") != NULL)
		json_object_set(body, "job", json_object_get(job, "id"));
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		v = json_object_get(job, more[i]);
		if (json_string_length(v) > 0 || json_integer_value(v) != 0)
			json_object_set(body, more[i], v);
	}
	a->cb(0, body, a->ctx);
	json_decref(body);
	free(a);
}

static void
job_cb(int rc, json_t *job, void *ctx)
{
	struct question *a = ctx;
	const char *state = json_string_value(json_object_get(job, "state"));

	if (rc == ENOENT)	/* the next scan adds it */
		tell(a, "queued", 0, NULL);
	else if (rc == 0 && state != NULL)
		tell(a, state_word(&a->in, state), (int)json_integer_value(json_object_get(job, "progress")) / 10, job);
	else {
		a->cb(rc, NULL, a->ctx);
		free(a);
	}
}

void
intake_job(struct svc *svc, struct queue *q, const char *id, queue_list_cb cb, void *ctx)
{
	struct question *a;
	char key[128];

	if (!intake_id_ok(id)) {
		queue_find(q, id, cb, ctx);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->cb = cb;
	a->ctx = ctx;
	if (intake_read(conf_str(svc->conf, "data_dir"), id, &a->in) == -1) {
		cb(errno, NULL, ctx);
		free(a);
	} else if (a->in.state == INTAKE_RECEIVING || a->in.state == INTAKE_DONE)
		tell(a, intake_state_name(a->in.state), a->in.state == INTAKE_DONE ? 100 : 0, NULL);
	else {
		snprintf(key, sizeof(key), "%s:%.60s:%s", a->in.state == INTAKE_RECEIVED ? "convert" : "push",
		    conf_str(svc->conf, "host_id"), id);
		queue_find(q, key, job_cb, a);
	}
}

void
intake_describe(struct svc *svc, json_t *job)
{
	const char *file = json_string_value(json_object_get(job, "file"));
	const char *host = json_string_value(json_object_get(job, "host"));
	struct intake in;
	char id[INTAKE_ID];

	if (file == NULL || strncmp(file, INTAKE_DIR "/", sizeof(INTAKE_DIR)) != 0 || host == NULL ||
	    strcmp(host, conf_str(svc->conf, "host_id")) != 0)
		return;
	snprintf(id, sizeof(id), "%.32s", file + sizeof(INTAKE_DIR));
	if (!intake_id_ok(id))
		return;
	json_object_set_new(job, "upload", json_string(id));
	if (intake_read(conf_str(svc->conf, "data_dir"), id, &in) == 0 && in.file[0] != '\0')
		json_object_set_new(job, "sent_as", msg_text(in.file, strnlen(in.file, SENT_AS_MAX)));
}
