/*
 * convert.c - a file that somebody sent becomes an FLV that can be pushed (job kind "convert" {upload}).
 *
 *   lock ID.part -> ffmpeg says what is in it -> ffmpeg copies or encodes it to ID.tmp, in a box
 *   without network that sees nothing but this file -> its tags are looked at -> fsync, ID.flv,
 *   ID.json says so -> the push is queued
 *
 * The file is a stranger's: all that is believed of it was found by looking at the result. What can't
 * be copied well (no key frames, a broken index) is encoded in a second try. Done twice it does no
 * harm; ID.part stays until the push is done. Whatever fails, ID.tmp goes at once; below disk.reserve
 * none is made.
 */
#include "workers/jobs/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "slow.h"
#include "workers/jobs/convert_judge.h"
#include "workers/jobs/ffmpeg.h"
#include "workers/jobs/flv_walk.h"
#include "workers/jobs/push.h"

#define TICK_MS 1000		/* between two looks at the clock and the disk */
#define NO_ROOM "less than disk.reserve is free"

enum step { PROBE, CONVERT, LOOK, KEEP };

struct convert {
	struct job *job;
	struct svc *svc;
	enum step step;
	struct intake in;
	int lock;
	char data_dir[INTAKE_PATH];	/* for threads */
	struct ffmpeg ff;
	struct convert_probe probe;
	bool copies;			/* this try copies a track: there is another one */
	struct flv_walk walk;
	struct slow *slow;
	struct event *tick;
	int64_t deadline_ms;
};

static void spawn_convert(struct convert *c);

static void
convert_free(struct convert *c)
{
	char tmp[INTAKE_PATH];

	ffmpeg_drop(&c->ff, "the job is over");
	if (c->tick != NULL)
		event_free(c->tick);
	if (c->lock >= 0) {		/* else it is of one who has it */
		unlink(intake_path(c->data_dir, c->in.id, "tmp", tmp));
		close(c->lock);
	}
	if (c->job->state == c)		/* else the next job of this worker has begun */
		c->job->state = NULL;
	free(c);
}

static void
fail(struct convert *c, enum job_verdict v, const char *why)
{
	struct job *job = c->job;
	char text[640];

	snprintf(text, sizeof(text), "%s%s%.250s", c->in.file, c->in.file[0] != '\0' ? ": " : "", why);
	convert_free(c);
	job_fails(job, v, text);
}

static const char *
path_of(const struct convert *c, const char *ext, char buf[INTAKE_PATH])
{
	return intake_path(c->data_dir, c->in.id, ext, buf);
}

/* --- the end --- */

static void
over(struct convert *c)
{
	struct job *job = c->job;
	json_t *result = json_pack("{s:s, s:I}", "upload", c->in.id, "duration_ms", (json_int_t)c->in.duration_ms);

	log_info("upload %s is converted: %.1f s (video: %s, audio: %s)", c->in.id, (double)c->in.duration_ms / 1000,
	    convert_track_word(c->probe.video), convert_track_word(c->probe.audio));
	push_queue(job->svc, job->queue, &c->in, NULL, NULL);	/* lost: the scan finds it */
	convert_free(c);
	job_done(job, result);
}

/* On a thread. 0 or an errno. */
static int
keep(void *ctx)
{
	struct convert *c = ctx;
	char tmp[INTAKE_PATH], flv[INTAKE_PATH];
	int fd = open(path_of(c, "tmp", tmp), O_RDWR | O_CLOEXEC), rc;

	rc = fd < 0 ? -1 : fsync(fd);
	if (rc == 0)
		rc = rename(tmp, path_of(c, "flv", flv));
	if (rc == 0)
		rc = fs_sync_dir_of(flv);
	if (rc == 0)
		rc = intake_write(c->data_dir, &c->in);
	rc = rc == 0 ? 0 : errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static void
kept_cb(int rc, void *ctx)
{
	struct convert *c = ctx;

	c->slow = NULL;
	if (rc == 0)
		over(c);
	else
		fail(c, job_verdict_of(rc), strerror(rc));
}

/* On a thread. */
static int
look(void *ctx)
{
	struct convert *c = ctx;
	char path[INTAKE_PATH];
	int fd = open(path_of(c, "tmp", path), O_RDONLY | O_CLOEXEC), rc;

	rc = fd < 0 || flv_walk(fd, 0, &c->walk) == -1 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A second try, without what could not be copied well; false: there is none. */
static bool
encode_instead(struct convert *c, const char *why)
{
	if (!c->copies)
		return false;
	log_info("upload %s can't be copied (%s): encoding it", c->in.id, why);
	if (c->probe.video == CONVERT_COPY)
		c->probe.video = CONVERT_ENCODE;
	if (c->probe.audio == CONVERT_COPY)
		c->probe.audio = CONVERT_ENCODE;
	spawn_convert(c);
	return true;
}

static void
looked_cb(int rc, void *ctx)
{
	struct convert *c = ctx;
	const char *why = rc != 0 ? strerror(rc) : convert_wrong(&c->probe, &c->walk, c->copies);

	c->slow = NULL;
	if (why != NULL) {
		if (!encode_instead(c, why))
			fail(c, JOB_REFUSED, why);
		return;
	}
	c->step = KEEP;
	c->in.state = INTAKE_CONVERTED;
	c->in.changed_ms = wall_ms();
	c->in.duration_ms = c->walk.duration_ms;
	c->slow = slow_run(c->svc->base, keep, kept_cb, c);
	if (c->slow == NULL)
		fail(c, JOB_AGAIN, "no thread to bring it to the disk");
}

/* --- ffmpeg --- */

static void
on_line(void *ctx, const char *line)
{
	struct convert *c = ctx;

	if (c->step == PROBE)
		convert_probe_line(&c->probe, line);
}

static void
on_progress(void *ctx, int64_t us)
{
	struct convert *c = ctx;

	if (us >= 0 && c->probe.duration_ms > 0)
		job_progress(c->job, (int)(us / c->probe.duration_ms > 990 ? 990 : us / c->probe.duration_ms));
}

/* Redis, recordings and what is received need the rest of it more. */
static bool
disk_is_low(const struct convert *c)
{
	int64_t left = disk_free_bytes(c->data_dir);

	return left >= 0 && left < conf_int(c->svc->conf, "disk.reserve");
}

static void
spawn_convert(struct convert *c)
{
	char path[INTAKE_PATH], input[64], output[64];

	if (disk_is_low(c)) {
		fail(c, JOB_LATER, NO_ROOM);
		return;
	}
	c->step = CONVERT;
	c->copies = c->probe.video == CONVERT_COPY || c->probe.audio == CONVERT_COPY;
	/* an ffmpeg of before, if one still runs, keeps a file without a name */
	if (unlink(path_of(c, "tmp", path)) == -1 && errno != ENOENT) {
		fail(c, JOB_AGAIN, strerror(errno));
		return;
	}
	snprintf(input, sizeof(input), INTAKE_DIR "/%s.part", c->in.id);
	snprintf(output, sizeof(output), INTAKE_DIR "/%s.tmp", c->in.id);
	ffmpeg_start(&c->ff, "convert", json_pack("{s:s, s:s, s:s, s:s}", "input", input, "output", output, "video",
	    convert_track_word(c->probe.video), "audio", convert_track_word(c->probe.audio)));
}

static void
ffmpeg_failed(struct convert *c, const char *words)
{
	char why[FFMPEG_WORDS + 80];
	enum job_verdict v = convert_judge(&words);

	if (v != JOB_DEAD)
		fail(c, v, words);
	else if (c->step == PROBE || !encode_instead(c, words)) {
		snprintf(why, sizeof(why), "%s (%s)", c->step == PROBE ? "not a video or audio file that can be read" :
		    "it can't be converted", words);
		fail(c, JOB_REFUSED, why);
	}
}

static void
on_exited(void *ctx, bool well, const char *words)
{
	struct convert *c = ctx;

	if (!well)
		ffmpeg_failed(c, words);
	else if (c->step == PROBE && c->probe.video == CONVERT_NONE && c->probe.audio == CONVERT_NONE)
		fail(c, JOB_REFUSED, "there is neither video nor audio in it");
	else if (c->step == PROBE)
		spawn_convert(c);
	else {
		c->step = LOOK;
		c->slow = slow_run(c->svc->base, look, looked_cb, c);
		if (c->slow == NULL)
			fail(c, JOB_AGAIN, "no thread to look at it");
	}
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct convert *c = ctx;

	if (c->slow != NULL)		/* a thread has it; once it is through there is another tick */
		return;
	if (now_ms() >= c->deadline_ms)
		fail(c, JOB_REFUSED, "its conversion took longer than upload.convert_timeout");
	else if (c->step == CONVERT && disk_is_low(c))
		fail(c, JOB_LATER, NO_ROOM);
}

/* --- the job --- */

static void
convert_message(struct job *job, struct msg *m)
{
	ffmpeg_message(&((struct convert *)job->state)->ff, m);
}

/* 0: go on; else the job has ended. */
static int
open_upload(struct convert *c, const char *id)
{
	struct job *job = c->job;

	if (intake_read(c->data_dir, id, &c->in) == -1) {
		if (errno == ENOENT) {		/* it was done or deleted before */
			convert_free(c);
			job_done(job, NULL);
		} else
			fail(c, JOB_AGAIN, strerror(errno));
		return -1;
	}
	if (c->in.state != INTAKE_RECEIVED) {
		if (c->in.state == INTAKE_CONVERTED)
			push_queue(job->svc, job->queue, &c->in, NULL, NULL);
		convert_free(c);
		job_done(job, NULL);
		return -1;
	}
	c->lock = intake_lock(c->data_dir, id, false);
	if (c->lock < 0) {
		fail(c, errno == EWOULDBLOCK ? JOB_LATER : JOB_AGAIN, errno == EWOULDBLOCK ?
		    "another process works on it" : strerror(errno));
		return -1;
	}
	return 0;
}

static void
convert_start(struct job *job)
{
	static const struct ffmpeg_ops ops = { .line = on_line, .progress = on_progress, .exited = on_exited };
	const char *id = json_string_value(json_object_get(job->q->args, "upload"));
	static const struct timeval tv = { TICK_MS / 1000, TICK_MS % 1000 * 1000 };
	struct convert *c;
	char input[64];

	if (id == NULL || !intake_id_ok(id)) {
		job_failed(job, "the job names no upload", false);
		return;
	}
	c = job->state = xcalloc(1, sizeof(*c));
	c->job = job;
	c->svc = job->svc;
	c->lock = -1;
	str_copy(c->data_dir, conf_str(job->svc->conf, "data_dir"), sizeof(c->data_dir));
	ffmpeg_init(&c->ff, job->svc, "ffmpeg convert", &ops, c);
	convert_probe_init(&c->probe);
	if (open_upload(c, id) == -1)
		return;
	c->deadline_ms = now_ms() + conf_int(job->svc->conf, "upload.convert_timeout");
	c->tick = event_new(job->svc->base, -1, EV_PERSIST, tick_cb, c);
	event_add(c->tick, &tv);
	snprintf(input, sizeof(input), INTAKE_DIR "/%s.part", c->in.id);
	ffmpeg_start(&c->ff, "probe", json_pack("{s:s}", "input", input));
}

static void
free_cb(void *ctx)
{
	convert_free(ctx);
}

static void
convert_stop(struct job *job, enum job_stop why)
{
	struct convert *c = job->state;

	event_del(c->tick);
	if (c->slow != NULL)		/* a thread has it */
		slow_forget(&c->slow, free_cb);
	else
		convert_free(c);
}

void
convert_queue(struct svc *svc, struct queue *q, const struct intake *in, queue_added_cb cb, void *ctx)
{
	const char *host = conf_str(svc->conf, "host_id");
	char key[128], file[64];
	json_t *args;

	snprintf(key, sizeof(key), "convert:%.60s:%s", host, in->id);
	snprintf(file, sizeof(file), INTAKE_DIR "/%s.part", in->id);
	args = json_pack("{s:s, s:s}", "file", file, "upload", in->id);
	if (in->name[0] != '\0')
		json_object_set_new(args, "stream", json_string(in->name));
	queue_add(q, "convert", key, host, 1, args, cb, ctx);
	json_decref(args);
}

const struct job_kind convert_kind = {
	.name = "convert", .pool = JOB_CONVERT, .start = convert_start, .stop = convert_stop,
	.message = convert_message,
};
