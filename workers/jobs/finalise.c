/*
 * finalise.c - a raw recording becomes a faststart MP4 (job kind "finalise" {file}).
 *
 *   lock the raw file -> ffmpeg copies it to .NAME.tmp beside the MP4 -> ffmpeg decodes its
 *   first and its last seconds -> fsync, rename -> only now the raw file goes
 *
 * The lock is the ingest's own: while it is held by another nothing is touched. Done twice it
 * does no harm: what stands under the final name was checked. Whatever fails, the raw file
 * stays. The ffmpeg is the supervisor's (MSG_SPAWN); its stderr is for the log, and describes the MP4.
 */
#include "workers/jobs/finalise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "lines.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/raw.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/upload_kind.h"
#include "slow.h"

#define PATH_BYTES 1024
#define FILE_BYTES 320		/* relative to data_dir */
#define DURATION_SLACK_MS 1000		/* of a raw file's end and its MP4's: the last frame's own length */

enum step { REMUX, CHECK_HEAD, CHECK_TAIL, SYNC };

struct finalise {
	struct job *job;		/* not once it is forgotten, and a thread still has us */
	struct svc *svc;
	enum step step;
	struct raw raw;
	int lock;			/* the raw file, locked */
	char file[FILE_BYTES];		/* rec/NAME/START.flv */
	char mp4[FILE_BYTES], tmp[FILE_BYTES + 8];	/* relative to data_dir, too */
	char mp4_path[PATH_BYTES], tmp_path[PATH_BYTES];	/* absolute, for the thread */
	struct lines err, progress;
	int64_t mp4_ms;			/* as ffmpeg says of it; -1: nothing */
	bool streams;			/* it found one in it */
	char last[200];			/* ffmpeg's last words */
	struct slow *slow;
	int64_t task;			/* the ffmpeg that works for us; another's messages are of a job before */
};

static int64_t last_task;

static const char *
path_of(const struct finalise *f, const char *relative, char buf[PATH_BYTES])
{
	snprintf(buf, PATH_BYTES, "%s/%s", conf_str(f->svc->conf, "data_dir"), relative);
	return buf;
}

static void
finalise_free(struct finalise *f)
{
	char path[PATH_BYTES];

	lines_close(&f->err);
	lines_close(&f->progress);
	if (f->tmp[0] != '\0')
		unlink(path_of(f, f->tmp, path));
	if (f->lock >= 0)
		close(f->lock);
	if (f->job->state == f)		/* else the next job of this worker has begun */
		f->job->state = NULL;
	free(f);
}

enum verdict { AGAIN, LATER, DEAD };

static void
fail(struct finalise *f, enum verdict v, const char *why)
{
	struct job *job = f->job;
	char text[FILE_BYTES + 300];

	snprintf(text, sizeof(text), "%s: %.250s", f->file, why);
	finalise_free(f);
	if (v == LATER)
		job_later(job, text);
	else
		job_failed(job, text, v == AGAIN);
}

/* --- ffmpeg --- */

static void
spawn(struct finalise *f, const char *kind, json_t *params)
{
	json_object_set_new(params, "input", json_string(f->step == REMUX ? f->file : f->tmp));
	json_object_set_new(params, "output", json_string(f->tmp));
	f->last[0] = '\0';
	svc_send(f->job->svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:I, s:o}", "output", "job", "kind", kind,
	    "task", (json_int_t)++last_task, "params", params));
	f->task = last_task;
}

static void
err_line(void *ctx, const char *line)
{
	struct finalise *f = ctx;
	const char *p = strstr(line, "Duration: ");
	int h, m;
	double s;

	if (p != NULL && sscanf(p, "Duration: %d:%d:%lf", &h, &m, &s) == 3)
		f->mp4_ms = (int64_t)(((h * 60 + m) * 60 + s) * 1000);
	if (strstr(line, "Stream #0:0") != NULL)
		f->streams = true;
	if (strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL) {
		/* a crash tore its last frame: the others are all there */
		if (f->step != REMUX || strstr(line, "File ended prematurely") == NULL)
			str_copy(f->last, line, sizeof(f->last));
		log_foreign(LOG_LEVEL_WARN, "ffmpeg finalise", line, (int)strlen(line));
	}
}

static void
progress_line(void *ctx, const char *line)
{
	struct finalise *f = ctx;
	long long us;

	if (sscanf(line, "out_time_us=%lld", &us) == 1 && f->raw.duration_ms > 0 && us > 0)
		job_progress(f->job, (int)(us / f->raw.duration_ms > 900 ? 900 : us / f->raw.duration_ms));
}

/* --- the end --- */

/* On a thread: nothing of the configuration is touched. 0 or an errno. */
static int
sync_file(void *ctx)
{
	const struct finalise *f = ctx;
	int fd = open(f->tmp_path, O_RDWR | O_CLOEXEC), rc;

	rc = fd < 0 ? -1 : fsync(fd);
	if (rc == 0)
		rc = rename(f->tmp_path, f->mp4_path);
	if (rc == 0)
		rc = fs_sync_dir_of(f->mp4_path);
	rc = rc == 0 ? 0 : errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static void
tell_ledger(struct finalise *f, const struct stat *st)
{
	char path[PATH_BYTES], id[LEDGER_ID];
	json_t *o;

	path_of(f, f->mp4, path);
	ledger_id(f->job->ledger, path, id);
	o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "path", path, "stream", f->raw.stream, "kind", "recording",
	    "state", "local", "size", (json_int_t)st->st_size, "mtime_ns",
	    (json_int_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec, "duration_ms", (json_int_t)f->mp4_ms);
	ledger_put(f->job->ledger, id, o, NULL, NULL);
	json_decref(o);
}

/* The MP4 stands under its name and is on the disk. */
static void
over(struct finalise *f)
{
	struct job *job = f->job;
	char path[PATH_BYTES];
	struct stat st;
	json_t *result;

	if (stat(path_of(f, f->mp4, path), &st) == -1 ||
	    replace_raw(f->svc, job->ledger, f->file, f->mp4) == -1) {
		fail(f, AGAIN, strerror(errno));
		return;
	}
	tell_ledger(f, &st);
	log_info("recording %s is complete: %s, %.1f s, %lld bytes", f->file, f->mp4, (double)f->mp4_ms / 1000,
	    (long long)st.st_size);
	result = json_pack("{s:s, s:I, s:I}", "file", f->mp4, "bytes", (json_int_t)st.st_size, "duration_ms",
	    (json_int_t)f->mp4_ms);
	upload_recording(job->svc, job->queue, job->ledger, f->mp4);
	f->tmp[0] = '\0';
	finalise_free(f);
	job_done(job, result);
}

static void
synced_cb(int rc, void *ctx)
{
	struct finalise *f = ctx;

	f->slow = NULL;
	if (rc == 0)
		over(f);
	else
		fail(f, rc == ENOSPC || rc == EDQUOT ? LATER : AGAIN, strerror(rc));
}

/* --- the steps --- */

static void
next_step(struct finalise *f)
{
	bool short_of = f->raw.duration_ms > 0 && f->mp4_ms + DURATION_SLACK_MS < f->raw.duration_ms;

	switch (++f->step) {
	case CHECK_HEAD:
		spawn(f, "check", json_object());
		break;
	case CHECK_TAIL:
		if (!f->streams || short_of) {
			fail(f, AGAIN, f->streams ? "its MP4 is too short" : "its MP4 has no stream");
			break;
		}
		spawn(f, "check", json_pack("{s:b}", "tail", true));
		break;
	default:
		path_of(f, f->tmp, f->tmp_path);
		path_of(f, f->mp4, f->mp4_path);
		f->slow = slow_run(f->job->svc->base, sync_file, synced_cb, f);
		if (f->slow == NULL)
			fail(f, AGAIN, "no thread to bring it to the disk");
	}
}

static void
on_exited(struct finalise *f, struct msg *m)
{
	lines_drain(&f->err);
	lines_close(&f->err);
	lines_close(&f->progress);
	if (msg_int_or(m, "code", -1) == 0 && f->last[0] == '\0')
		next_step(f);
	else if (strstr(f->last, "No space left") != NULL)
		fail(f, LATER, "no space left on the disk");
	else
		fail(f, AGAIN, f->last[0] != '\0' ? f->last : msg_str_or(m, "reason", "ffmpeg failed"));
}

static void
finalise_message(struct job *job, struct msg *m)
{
	struct finalise *f = job->state;

	if (msg_int_or(m, "task", 0) != f->task)
		return;
	if (m->type == MSG_SPAWNED) {
		lines_open(&f->err, job->svc->base, msg_take_fd(m, 0));
		lines_open(&f->progress, job->svc->base, msg_take_fd(m, 1));
	} else if (m->type == MSG_EXITED)
		on_exited(f, m);
}

/* "recordings/alice/x.mp4" -> "recordings/alice/.x.mp4.tmp", and its folder is there. */
static int
prepare(struct finalise *f)
{
	const char *pattern = conf_str(f->job->svc->conf, "streams.record.path"), *slash;
	char path[PATH_BYTES];

	if (raw_mp4_path(&f->raw, pattern, f->mp4, sizeof(f->mp4)) == -1 || (slash = strrchr(f->mp4, '/')) == NULL) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(f->tmp, sizeof(f->tmp), "%.*s.%s.tmp", (int)(slash + 1 - f->mp4), f->mp4, slash + 1);
	path_of(f, f->mp4, path);
	*strrchr(path, '/') = '\0';
	return fs_make_dirs(path, 0750);
}

/* 1: go on; 0: the job has ended. */
static int
open_raw(struct finalise *f)
{
	char path[PATH_BYTES];
	struct job *job = f->job;

	f->lock = open(path_of(f, f->file, path), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->lock < 0 && errno == ENOENT) {		/* it was done before */
		finalise_free(f);
		job_done(job, NULL);
		return 0;
	}
	if (f->lock >= 0 && flock(f->lock, LOCK_EX | LOCK_NB) == -1) {
		fail(f, LATER, "somebody still writes or finishes it");
		return 0;
	}
	if (f->lock < 0 || raw_read(f->lock, &f->raw) == -1) {
		fail(f, errno == EBADMSG ? DEAD : AGAIN, errno == EBADMSG ?
		    "it is neither FLV nor Matroska; it is kept" : strerror(errno));
		return 0;
	}
	if (f->raw.empty) {
		log_info("recording %s has not one frame: removed", f->file);
		if (replace_raw(f->svc, job->ledger, f->file, "") == -1)
			log_warn("cannot remove %s", path);
		finalise_free(f);
		job_done(job, NULL);
		return 0;
	}
	return 1;
}

/* Its MP4 stands already: a run of before died after the rename. */
static void
renamed_before(struct finalise *f, const struct stat *mp4, const char *path)
{
	struct stat raw;

	if (fstat(f->lock, &raw) == -1 || mp4->st_mtime < raw.st_mtime)
		fail(f, DEAD, "the name of its MP4 is taken by an older file; it is kept");
	else if (fs_sync_dir_of(path) == -1)
		fail(f, AGAIN, strerror(errno));
	else {
		f->mp4_ms = f->raw.duration_ms;
		over(f);
	}
}

static void
finalise_start(struct job *job)
{
	const char *file = json_string_value(json_object_get(job->q->args, "file"));
	struct finalise *f;
	char path[PATH_BYTES];
	struct stat st;

	if (file == NULL || strlen(file) >= FILE_BYTES) {
		job_failed(job, "the job names no file", false);
		return;
	}
	f = job->state = xcalloc(1, sizeof(*f));
	f->job = job;
	f->svc = job->svc;
	f->lock = -1;
	f->err = (struct lines){ .fd = -1, .line = err_line, .ctx = f };
	f->progress = (struct lines){ .fd = -1, .line = progress_line, .ctx = f };
	f->mp4_ms = -1;
	str_copy(f->file, file, sizeof(f->file));
	if (raw_parse_path(file, &f->raw) == -1) {
		fail(f, DEAD, "it is no raw recording's name");
		return;
	}
	if (open_raw(f) == 0)
		return;
	if (prepare(f) == -1) {
		fail(f, errno == ENOSPC ? LATER : AGAIN, strerror(errno));
		return;
	}
	if (stat(path_of(f, f->mp4, path), &st) == 0) {
		renamed_before(f, &st, path);
		return;
	}
	/* an ffmpeg of before, if one still runs, keeps a file without a name */
	if (unlink(path_of(f, f->tmp, path)) == -1 && errno != ENOENT) {
		fail(f, AGAIN, strerror(errno));
		return;
	}
	log_info("finishing %s: to %s", f->file, f->mp4);
	spawn(f, "remux", json_pack("{s:b, s:b, s:b, s:b}", "matroska", f->raw.matroska, "transcode_audio",
	    f->raw.transcode_audio, "hvc1", f->raw.hvc1, "sound_only", f->raw.sound_only));
}

static void
free_cb(void *ctx)
{
	finalise_free(ctx);
}

static void
finalise_stop(struct job *job, enum job_stop why)
{
	struct finalise *f = job->state;

	if (f->slow != NULL) {		/* a thread has it */
		slow_forget(&f->slow, free_cb);
		return;
	}
	svc_send(job->svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", "job", "reason",
	    why == JOB_STOP_TAKEN ? "the job is another worker's now" : "the job stops", "action", "stop"));
	finalise_free(f);
}

const struct job_kind finalise_kind = {
	.name = "finalise", .start = finalise_start, .stop = finalise_stop, .message = finalise_message,
};
