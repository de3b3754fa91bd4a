/*
 * finalise.c - a raw recording becomes a faststart MP4 (job kind "finalise" {file}).
 *
 *   lock the raw file, look how much of it is whole (finalise_look.c) -> ffmpeg copies that to
 *   .NAME.tmp beside the MP4 -> ffmpeg decodes its first and its last seconds; it is as long as
 *   the raw file, and has its tracks -> fsync, rename -> only now the raw file goes
 *
 * The lock is the ingest's own: while it is held by another nothing is touched. Done twice it
 * does no harm: what stands under the final name was checked. Whatever fails, the raw file
 * stays; so it does if it has more behind a hole that a crash left: then the job is dead, which
 * says so, and keeps the scan from beginning anew. The ffmpeg is the supervisor's (MSG_SPAWN); its
 * stderr is for the log, and what it says of the MP4.
 */
#include "workers/jobs/finalise_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "slow.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/upload_kind.h"

#define WORDS_BYTES 200
#define DURATION_SLACK_MS 1000		/* of a raw file's end and its MP4's: the last frame's own length */

const char *
finalise_path(const struct finalise *f, const char *relative, char buf[PATH_BYTES])
{
	snprintf(buf, PATH_BYTES, "%s/%s", conf_str(f->svc->conf, "data_dir"), relative);
	return buf;
}

void
finalise_free(struct finalise *f)
{
	char path[PATH_BYTES];

	ffmpeg_drop(&f->ff, "the job is over");
	if (f->tmp[0] != '\0')
		unlink(finalise_path(f, f->tmp, path));
	if (f->lock >= 0)
		close(f->lock);
	if (f->job->state == f)		/* else the next job of this worker has begun */
		f->job->state = NULL;
	free(f);
}

void
finalise_fail(struct finalise *f, enum job_verdict v, const char *why)
{
	struct job *job = f->job;
	char text[FILE_BYTES + 300];

	snprintf(text, sizeof(text), "%s: %.250s", f->file, why);
	finalise_free(f);
	job_fails(job, v, text);
}

/* --- ffmpeg --- */

static void
spawn(struct finalise *f, const char *kind, json_t *params)
{
	json_object_set_new(params, "input", json_string(f->step == REMUX ? f->file : f->tmp));
	json_object_set_new(params, "output", json_string(f->tmp));
	ffmpeg_start(&f->ff, kind, params);
}

static void
on_line(void *ctx, const char *line)
{
	struct finalise *f = ctx;
	int64_t ms = ffmpeg_duration_ms(line);

	if (f->step == REMUX)		/* what it reads then is the raw file */
		return;
	if (ms >= 0)
		f->mp4_ms = ms;
	if (strstr(line, "  Stream #0:") != NULL) {
		f->video = f->video || strstr(line, ": Video: ") != NULL;
		f->audio = f->audio || strstr(line, ": Audio: ") != NULL;
	}
}

static void
on_progress(void *ctx, int64_t us)
{
	struct finalise *f = ctx;

	if (f->raw.duration_ms > 0 && us > 0)
		job_progress(f->job, (int)(us / f->raw.duration_ms > 900 ? 900 : us / f->raw.duration_ms));
}

/* --- the end --- */

/* On a thread: nothing of the configuration is touched. 0 or an errno. */
static int
sync_file(void *ctx)
{
	const struct finalise *f = ctx;

	return fs_sync_rename(open(f->tmp_path, O_RDWR | O_CLOEXEC), f->tmp_path, f->mp4_path);
}

static void
tell_ledger(struct finalise *f, const struct stat *st)
{
	char path[PATH_BYTES], id[LEDGER_ID], words[WORDS_BYTES];
	json_t *o;

	finalise_path(f, f->mp4, path);
	ledger_id(f->job->ledger, path, id);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:I}", "path", path, "stream", f->raw.stream, "kind",
	    "recording", "state", "local", "note", raw_left_out(&f->raw, words, sizeof(words)), "size",
	    (json_int_t)st->st_size, "mtime_ns", (json_int_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    "duration_ms", (json_int_t)f->mp4_ms);
	ledger_put(f->job->ledger, id, o, NULL, NULL);
	json_decref(o);
}

/* The MP4 stands under its name and is on the disk. */
static void
over(struct finalise *f)
{
	struct job *job = f->job;
	char path[PATH_BYTES], words[WORDS_BYTES];
	const char *left_out = raw_left_out(&f->raw, words, sizeof(words));
	struct stat st;
	json_t *result;

	if (stat(finalise_path(f, f->mp4, path), &st) == -1 ||
	    (!f->raw.more_behind && replace_raw(f->svc, job->ledger, f->file, f->mp4) == -1)) {
		finalise_fail(f, JOB_AGAIN, strerror(errno));
		return;
	}
	tell_ledger(f, &st);
	upload_recording(job->svc, job->queue, job->ledger, f->mp4);
	f->tmp[0] = '\0';
	if (f->raw.more_behind) {
		finalise_fail(f, JOB_DEAD, left_out);
		return;
	}
	if (left_out != NULL)
		log_warnx("recording %s: %s", f->file, left_out);
	log_info("recording %s is complete: %s, %.1f s, %lld bytes", f->file, f->mp4, (double)f->mp4_ms / 1000,
	    (long long)st.st_size);
	result = json_pack("{s:s, s:I, s:I}", "file", f->mp4, "bytes", (json_int_t)st.st_size, "duration_ms",
	    (json_int_t)f->mp4_ms);
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
		finalise_fail(f, job_verdict_of(rc), strerror(rc));
}

/* --- the steps --- */

/* What keeps the MP4 from taking the raw file's place; NULL: nothing. */
static const char *
fault(const struct finalise *f)
{
	if (!f->video && !f->audio)
		return "its MP4 has no stream";
	if (f->raw.video && !f->video)
		return "its MP4 lacks the video";
	if (f->raw.audio && !f->audio)
		return "its MP4 lacks the sound";
	if (f->raw.duration_ms > 0 && f->mp4_ms + DURATION_SLACK_MS < f->raw.duration_ms)
		return "its MP4 is too short";
	return NULL;
}

static void
next_step(struct finalise *f)
{
	const char *why;

	switch (++f->step) {
	case CHECK_HEAD:
		spawn(f, "check", json_object());
		break;
	case CHECK_TAIL:
		why = fault(f);
		if (why != NULL) {
			finalise_fail(f, JOB_AGAIN, why);
			break;
		}
		spawn(f, "check", json_pack("{s:b}", "tail", true));
		break;
	default:
		finalise_path(f, f->tmp, f->tmp_path);
		finalise_path(f, f->mp4, f->mp4_path);
		f->slow = slow_run(f->job->svc->base, sync_file, synced_cb, f);
		if (f->slow == NULL)
			finalise_fail(f, JOB_AGAIN, "no thread to bring it to the disk");
	}
}

static void
on_exited(void *ctx, bool well, const char *words)
{
	struct finalise *f = ctx;

	if (well && words[0] == '\0')
		next_step(f);
	else if (strstr(words, "No space left") != NULL)
		finalise_fail(f, JOB_LATER, "no space left on the disk");
	else
		finalise_fail(f, JOB_AGAIN, words);
}

static void
finalise_message(struct job *job, struct msg *m)
{
	ffmpeg_message(&((struct finalise *)job->state)->ff, m);
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
	finalise_path(f, f->mp4, path);
	*strrchr(path, '/') = '\0';
	return fs_make_dirs(path, 0750);
}

/* Its MP4 stands already: a run of before died after the rename. */
static void
renamed_before(struct finalise *f, const struct stat *mp4, const char *path)
{
	struct stat raw;

	if (fstat(f->lock, &raw) == -1 || mp4->st_mtime < raw.st_mtime)
		finalise_fail(f, JOB_DEAD, "the name of its MP4 is taken by an older file; it is kept");
	else if (fs_sync_dir_of(path) == -1)
		finalise_fail(f, JOB_AGAIN, strerror(errno));
	else {
		f->mp4_ms = f->raw.duration_ms;
		over(f);
	}
}

void
finalise_make(struct finalise *f)
{
	char path[PATH_BYTES];
	struct stat st;
	json_t *params;

	if (prepare(f) == -1) {
		finalise_fail(f, job_verdict_of(errno), strerror(errno));
		return;
	}
	if (stat(finalise_path(f, f->mp4, path), &st) == 0) {
		renamed_before(f, &st, path);
		return;
	}
	/* an ffmpeg of before, if one still runs, keeps a file without a name */
	if (unlink(finalise_path(f, f->tmp, path)) == -1 && errno != ENOENT) {
		finalise_fail(f, JOB_AGAIN, strerror(errno));
		return;
	}
	log_info("finishing %s: to %s", f->file, f->mp4);
	params = json_pack("{s:b, s:b, s:b, s:b}", "matroska", f->raw.matroska, "transcode_audio",
	    f->raw.transcode_audio, "hvc1", f->raw.hvc1, "sound_only", f->raw.sound_only);
	if (f->raw.behind > 0)
		json_object_set_new(params, "bytes", json_integer(f->raw.whole));
	spawn(f, "remux", params);
}

static void
finalise_start(struct job *job)
{
	static const struct ffmpeg_ops ops = { .line = on_line, .progress = on_progress, .exited = on_exited };
	const char *file = json_string_value(json_object_get(job->q->args, "file"));
	struct finalise *f;

	if (file == NULL || strlen(file) >= FILE_BYTES) {
		job_failed(job, "the job names no file", false);
		return;
	}
	f = job->state = xcalloc(1, sizeof(*f));
	f->job = job;
	f->svc = job->svc;
	f->lock = -1;
	ffmpeg_init(&f->ff, job->svc, "ffmpeg finalise", &ops, f);
	f->mp4_ms = -1;
	str_copy(f->file, file, sizeof(f->file));
	if (raw_parse_path(file, &f->raw) == -1) {
		finalise_fail(f, JOB_DEAD, "it is no raw recording's name");
		return;
	}
	finalise_look(f);
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
	finalise_free(f);
}

const struct job_kind finalise_kind = {
	.name = "finalise", .start = finalise_start, .stop = finalise_stop, .message = finalise_message,
};
