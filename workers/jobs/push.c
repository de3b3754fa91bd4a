/*
 * push.c - a converted file goes to its RTMP target at its own pace (job kind "push" {upload}).
 *
 *   lock ID.part -> where in ID.flv to begin -> ffmpeg sends it -> ID.json says done, its files go
 *
 * How far it came is kept in ID.pos: after a broken connection, or a kill of anybody, it goes on at
 * the last key frame before that, so viewers see a second or two again, and nothing is missing.
 * A target that is away is tried again for upload.retry, then the job is dead; the files stay
 * for upload.keep. Pushes to one target wait for each other in the queue (its lane).
 */
#include "workers/jobs/push.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "push_scrub.h"
#include "push_words.h"
#include "target.h"
#include "util.h"
#include "slow.h"
#include "workers/jobs/ffmpeg.h"
#include "workers/jobs/flv_walk.h"

#define BACK_MS 2000		/* what may have been on its way when it broke */
#define END_MS 3000		/* so near to the end it has come to the end */
#define SAVE_MS 1000		/* between two looks, and two writes of ID.pos */
#define STUCK_MS 30000		/* ffmpeg's own limits should have ended it by then */
#define MOVED_MS 10000		/* a try that came so far was none in vain */

struct push {
	struct job *job;
	struct svc *svc;
	struct intake in;
	int lock;
	char data_dir[INTAKE_PATH];	/* for threads */
	struct ffmpeg ff;
	char url[TARGET_URL];		/* of this try: what is in it is in no word of it */
	struct push_words words;
	struct flv_walk walk;
	int64_t pos_ms, saved_ms;	/* now, and as ID.pos has it */
	int64_t moved_at;		/* when pos_ms last grew */
	bool ended;			/* ffmpeg says so */
	char failed[300];		/* why this try came to nothing, for what follows a thread */
	struct slow *slow;
	struct event *tick;
};

static void
push_free(struct push *p)
{
	ffmpeg_drop(&p->ff, "the job is over");
	if (p->tick != NULL)
		event_free(p->tick);
	if (p->lock >= 0)
		close(p->lock);
	if (p->job->state == p)
		p->job->state = NULL;
	free(p);
}

static const char *
name_of(const struct intake *in, char buf[INTAKE_NAME])
{
	str_copy(buf, in->name[0] != '\0' ? in->name : in->id, INTAKE_NAME);
	return buf;
}

static void
fail(struct push *p, enum job_verdict v, const char *why)
{
	struct job *job = p->job;
	char text[640];

	snprintf(text, sizeof(text), "%s%s%.300s", p->in.file, p->in.file[0] != '\0' ? ": " : "", why);
	push_free(p);
	job_fails(job, v, text);
}

static void
save_pos(struct push *p)
{
	if (p->pos_ms == p->saved_ms)
		return;
	p->saved_ms = p->pos_ms;
	intake_set_pos(p->data_dir, p->in.id, p->pos_ms);
}

/* --- it has come to nothing --- */

static void
given_up(struct push *p)
{
	if (wall_ms() - p->in.tried_ms < conf_int(p->svc->conf, "upload.retry"))
		fail(p, JOB_LATER, p->failed);
	else
		fail(p, JOB_DEAD, p->failed);
}

/* On a thread: since when it is tried in vain. */
static int
note_try(void *ctx)
{
	struct push *p = ctx;

	return intake_write(p->data_dir, &p->in) == 0 ? 0 : errno;
}

static void
noted_cb(int rc, void *ctx)
{
	struct push *p = ctx;

	p->slow = NULL;
	given_up(p);
}

static void
broken(struct push *p, const char *why)
{
	bool moved = p->pos_ms > p->walk.begin_ms + MOVED_MS;
	int64_t tried = moved || p->in.tried_ms == 0 ? wall_ms() : p->in.tried_ms;

	ffmpeg_drop(&p->ff, why);
	event_del(p->tick);
	save_pos(p);
	snprintf(p->failed, sizeof(p->failed), "the push %s at %.1f of %.1f s: %.200s", moved ? "broke" : "fails",
	    (double)p->pos_ms / 1000, (double)p->in.duration_ms / 1000, why);
	if (tried == p->in.tried_ms) {
		given_up(p);
		return;
	}
	p->in.tried_ms = tried;
	p->slow = slow_run(p->svc->base, note_try, noted_cb, p);
	if (p->slow == NULL)
		given_up(p);
}

/* --- it is through --- */

/* On a thread. First the word, then the files: a kill in between leaves nothing to do again. */
static int
finish(void *ctx)
{
	struct push *p = ctx;

	if (intake_write(p->data_dir, &p->in) == -1 || intake_drop_files(p->data_dir, p->in.id) == -1)
		return errno;
	return 0;
}

static void
finished_cb(int rc, void *ctx)
{
	struct push *p = ctx;
	struct job *job = p->job;
	json_t *result;

	p->slow = NULL;
	if (rc != 0) {
		fail(p, JOB_AGAIN, strerror(rc));
		return;
	}
	log_info("upload %s is pushed: %.1f s", p->in.id, (double)p->in.duration_ms / 1000);
	result = json_pack("{s:s, s:I}", "upload", p->in.id, "duration_ms", (json_int_t)p->in.duration_ms);
	push_free(p);
	job_done(job, result);
}

static void
pushed(struct push *p)
{
	event_del(p->tick);
	p->in.state = INTAKE_DONE;
	p->in.changed_ms = wall_ms();
	p->slow = slow_run(p->svc->base, finish, finished_cb, p);
	if (p->slow == NULL)
		fail(p, JOB_AGAIN, "no thread to finish it");
}

/* --- ffmpeg --- */

static void
on_progress(void *ctx, int64_t us)
{
	struct push *p = ctx;
	int64_t ms = p->walk.begin_ms + us / 1000, permille;

	if (us < 0)
		p->ended = true;
	else if (ms > p->pos_ms) {
		p->pos_ms = ms;
		p->moved_at = now_ms();
		permille = p->in.duration_ms > 0 ? ms * 1000 / p->in.duration_ms : 0;
		job_progress(p->job, permille > 999 ? 999 : (int)permille);
	}
}

static void
on_line(void *ctx, const char *line)
{
	push_words_line(&((struct push *)ctx)->words, line);
}

static void
on_exited(void *ctx, bool well, const char *words)
{
	struct push *p = ctx;
	char why[FFMPEG_WORDS];

	if (well && p->ended && p->pos_ms + END_MS >= p->in.duration_ms) {
		pushed(p);
		return;
	}
	if (p->words.text[0] != '\0')
		words = p->words.text;
	str_copy(why, words[0] != '\0' ? words : "ffmpeg ended before its end", sizeof(why));
	push_scrub(p->url, why);
	broken(p, why);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct push *p = ctx;

	save_pos(p);
	if (now_ms() - p->moved_at > STUCK_MS)
		broken(p, "the target takes nothing");
}

static void
begin(struct push *p)
{
	static const struct timeval tv = { SAVE_MS / 1000, SAVE_MS % 1000 * 1000 };
	char input[64], name[INTAKE_NAME];

	p->pos_ms = p->walk.begin_ms;
	p->moved_at = now_ms();
	p->ended = false;
	push_words_clear(&p->words);
	target_expand(p->svc->conf, name_of(&p->in, name), p->url, sizeof(p->url));
	snprintf(input, sizeof(input), INTAKE_DIR "/%s.flv", p->in.id);
	if (p->walk.begin_ms > 0)
		log_info("upload %s is pushed from %.1f s on", p->in.id, (double)p->walk.begin_ms / 1000);
	ffmpeg_start(&p->ff, "push", json_pack("{s:s, s:s, s:I}", "input", input, "name", name,
	    "start_ms", (json_int_t)p->walk.begin_ms));
	event_add(p->tick, &tv);
}

/* --- the job --- */

/* On a thread. */
static int
find(void *ctx)
{
	struct push *p = ctx;
	char path[INTAKE_PATH];
	int fd = open(intake_path(p->data_dir, p->in.id, "flv", path), O_RDONLY | O_CLOEXEC), rc;
	int64_t pos = intake_pos(p->data_dir, p->in.id);

	rc = fd < 0 || flv_walk(fd, pos > BACK_MS ? pos - BACK_MS : 0, &p->walk) == -1 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static void
found_cb(int rc, void *ctx)
{
	struct push *p = ctx;

	p->slow = NULL;
	if (rc == 0) {
		p->in.duration_ms = p->walk.duration_ms;
		begin(p);
	} else
		fail(p, JOB_AGAIN, strerror(rc));
}

/* 0: go on; else the job has ended. */
static int
open_upload(struct push *p, const char *id)
{
	struct job *job = p->job;

	if (intake_read(p->data_dir, id, &p->in) == -1 && errno != ENOENT) {
		fail(p, JOB_AGAIN, strerror(errno));
		return -1;
	}
	if (p->in.id[0] == '\0' || p->in.state != INTAKE_CONVERTED) {	/* it was done, or deleted, before */
		if (p->in.state == INTAKE_DONE && p->in.id[0] != '\0')
			intake_drop_files(p->data_dir, id);
		push_free(p);
		job_done(job, NULL);
		return -1;
	}
	p->lock = intake_lock(p->data_dir, id, true);
	if (p->lock < 0) {
		fail(p, errno == EWOULDBLOCK ? JOB_LATER : JOB_AGAIN, errno == EWOULDBLOCK ?
		    "another process works on it" : strerror(errno));
		return -1;
	}
	return 0;
}

static void
push_start(struct job *job)
{
	static const struct ffmpeg_ops ops = { .line = on_line, .progress = on_progress, .exited = on_exited };
	const char *id = json_string_value(json_object_get(job->q->args, "upload"));
	struct push *p;

	if (id == NULL || !intake_id_ok(id)) {
		job_failed(job, "the job names no upload", false);
		return;
	}
	p = job->state = xcalloc(1, sizeof(*p));
	p->job = job;
	p->svc = job->svc;
	p->lock = -1;
	str_copy(p->data_dir, conf_str(job->svc->conf, "data_dir"), sizeof(p->data_dir));
	ffmpeg_init(&p->ff, job->svc, "ffmpeg push", &ops, p);
	p->ff.secret = true;
	if (open_upload(p, id) == -1)
		return;
	p->tick = event_new(job->svc->base, -1, EV_PERSIST, tick_cb, p);
	p->slow = slow_run(job->svc->base, find, found_cb, p);
	if (p->tick == NULL || p->slow == NULL)
		fatalx("out of memory");
}

static void
push_message(struct job *job, struct msg *m)
{
	ffmpeg_message(&((struct push *)job->state)->ff, m);
}

static void
free_cb(void *ctx)
{
	push_free(ctx);
}

static void
push_stop(struct job *job, enum job_stop why)
{
	struct push *p = job->state;

	event_del(p->tick);
	if (p->slow != NULL) {		/* a thread has it */
		slow_forget(&p->slow, free_cb);
		return;
	}
	if (why == JOB_STOP_BACK)
		save_pos(p);
	push_free(p);
}

void
push_queue(struct svc *svc, struct queue *q, const struct intake *in, queue_added_cb cb, void *ctx)
{
	const char *host = conf_str(svc->conf, "host_id");
	char key[128], file[64], lane[TARGET_LANE], name[INTAKE_NAME];
	json_t *args;

	snprintf(key, sizeof(key), "push:%.60s:%s", host, in->id);
	snprintf(file, sizeof(file), INTAKE_DIR "/%s.flv", in->id);
	target_lane(svc->conf, name_of(in, name), host, lane);
	args = json_pack("{s:s, s:s, s:s}", "file", file, "upload", in->id, "lane", lane);
	if (in->name[0] != '\0')
		json_object_set_new(args, "stream", json_string(in->name));
	queue_add(q, "push", key, host, 1, args, cb, ctx);
	json_decref(args);
}

const struct job_kind push_kind = {
	.name = "push", .pool = JOB_PUSH, .start = push_start, .stop = push_stop, .message = push_message,
};
