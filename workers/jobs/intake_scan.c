/*
 * intake_scan.c - looks through data_dir/upload: what was received or converted has a job, after a
 * crash or a lost message, too; what its sender left unfinished, what is done, and what is dead goes
 * after its time. Answers what has become of an upload.
 *
 * The disk says what there is to do, the queue whether it is being done: a job that is dead or
 * cancelled is not added again (it keeps its key), and after upload.keep its files go.
 * Called by house.c, main.c and calls.c in the host's first worker.
 */
#include "workers/jobs/intake_scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "intake.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/convert.h"
#include "workers/jobs/push.h"

#define SENT_AS_MAX 80		/* bytes: a page of jobs must fit into a packet */
#define ORPHAN_MS 3600000	/* a file without its ID.json, which is written before it */

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
		drop(v->svc, v->id, strcmp(state, "dead") == 0 ? "its job is dead since upload.keep" :
		    "its job was cancelled upload.keep ago");
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

static void
queue_work(struct svc *svc, struct queue *q, const struct intake *in)
{
	struct visit *v = xcalloc(1, sizeof(*v));

	v->svc = svc;
	v->q = q;
	str_copy(v->id, in->id, sizeof(v->id));
	(in->state == INTAKE_RECEIVED ? convert_queue : push_queue)(svc, q, in, added_cb, v);
}

/* The last byte came then. */
static int64_t
part_age_ms(const char *dir, const char *id)
{
	char path[INTAKE_PATH];
	struct stat st;

	return stat(intake_path(dir, id, "part", path), &st) == 0 ? wall_ms() - (int64_t)st.st_mtime * 1000 : 0;
}

static void
look_at(struct svc *svc, struct queue *q, const char *id)
{
	struct intake in;
	int fd;

	if (intake_read(data_dir(svc), id, &in) == -1) {
		log_warn("upload %s: its ID.json can't be read; left alone", id);
		return;
	}
	if (in.state == INTAKE_RECEIVED || in.state == INTAKE_CONVERTED)
		queue_work(svc, q, &in);
	else if (in.state == INTAKE_DONE && wall_ms() - in.changed_ms > conf_int(svc->conf, "upload.keep"))
		drop(svc, id, "it was done upload.keep ago");
	else if (in.state == INTAKE_RECEIVING && wall_ms() - in.created_ms > conf_int(svc->conf, "upload.expire") &&
	    part_age_ms(data_dir(svc), id) > conf_int(svc->conf, "upload.expire")) {
		fd = intake_lock(data_dir(svc), id, false);
		if (fd >= 0 || errno == ENOENT)
			drop(svc, id, "nothing came for upload.expire");
		if (fd >= 0)
			close(fd);
	}
}

/* What was made by a process that was killed before it could say what it is. */
static void
look_at_orphan(const char *dir, const char *name)
{
	char path[INTAKE_PATH], id[INTAKE_ID], json[INTAKE_PATH];
	struct stat st;

	snprintf(id, sizeof(id), "%.32s", name);
	snprintf(path, sizeof(path), "%s/" INTAKE_DIR "/%.64s", dir, name);
	if (!intake_id_ok(id) || access(intake_path(dir, id, "json", json), F_OK) == 0 || stat(path, &st) == -1 ||
	    wall_ms() - (int64_t)st.st_mtime * 1000 < ORPHAN_MS)
		return;
	if (unlink(path) == 0)
		log_info("removed %s, of which nothing is known", path);
}

void
intake_scan(struct svc *svc, struct queue *q)
{
	char path[INTAKE_PATH], id[INTAKE_ID];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/" INTAKE_DIR, data_dir(svc));
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) < INTAKE_ID)
			continue;
		snprintf(id, sizeof(id), "%.32s", e->d_name);
		if (strcmp(e->d_name + INTAKE_ID - 1, ".json") == 0 && intake_id_ok(id))
			look_at(svc, q, id);
		else
			look_at_orphan(data_dir(svc), e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

void
intake_uploaded(struct svc *svc, struct queue *q, const char *id)
{
	struct intake in;

	if (intake_read(data_dir(svc), id, &in) == 0 && in.state == INTAKE_RECEIVED)
		convert_queue(svc, q, &in, NULL, NULL);
}

/* --- what has become of it --- */

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
	if (intake_read(data_dir(svc), id, &a->in) == -1) {
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
	if (intake_read(data_dir(svc), id, &in) == 0 && in.file[0] != '\0')
		json_object_set_new(job, "sent_as", msg_text(in.file, strnlen(in.file, SENT_AS_MAX)));
}
