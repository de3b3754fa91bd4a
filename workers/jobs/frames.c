/*
 * frames.c - what a frames session sent becomes an MP4 and a WAV (job kind "frames" {file}).
 *
 *   lock its file -> a thread reads it and writes the WAV -> ffmpeg encodes the frames to
 *   .NAME.mp4.tmp -> ffmpeg decodes its first and last seconds -> fsync, rename -> only now the file goes
 *
 * The lock is the ingest's own: while it is held by another nothing is touched. Done twice it does
 * no harm. Whatever fails, the file stays; for good with the reason beside it, NAME.txt, which the
 * session tells its client. Frames that ffmpeg cannot decode are counted and said; the MP4 has the
 * others, and of many the file stays, too. The ffmpeg is the supervisor's (MSG_SPAWN kind "frames").
 */
#include "workers/jobs/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "slow.h"
#include "workers/jobs/ffmpeg.h"
#include "workers/jobs/frames_raw.h"

#define PATH_BYTES 1024
#define FILE_BYTES (FRAMES_NAME_BYTES + 32)	/* relative to data_dir */
#define SLACK_MS 1000
#define CHECKED_MS 2500		/* what one check decodes, and less */
#define LOST_PERCENT 5		/* of its frames, and one: of more the file is kept */

enum step { READ, ENCODE, CHECK_HEAD, CHECK_TAIL, SYNC };

struct frames {
	struct job *job;		/* not once it is forgotten, and a thread still has us */
	enum step step;
	struct frames_raw raw;
	int lock;			/* its file, locked */
	char file[FILE_BYTES], mp4[FILE_BYTES], tmp[FILE_BYTES];
	char file_path[PATH_BYTES], mp4_path[PATH_BYTES], tmp_path[PATH_BYTES];	/* the same, absolute */
	char wav_path[PATH_BYTES], wav_tmp_path[PATH_BYTES], why_path[PATH_BYTES];
	struct ffmpeg ff;
	bool timed;			/* frames get the times of the file, not so many a second */
	int64_t encoded, mp4_ms;	/* frames in the MP4, and how long it says it is */
	bool no_memory, no_picture;	/* ffmpeg's words: it wants more; not one can be decoded */
	struct slow *slow;
};

static void
frames_free(struct frames *f)
{
	ffmpeg_drop(&f->ff, "the job is over");
	if (f->lock >= 0) {		/* else they are of one who has it */
		unlink(f->tmp_path);
		unlink(f->wav_tmp_path);
		close(f->lock);
	}
	if (f->job->state == f)		/* else the next job of this worker has begun */
		f->job->state = NULL;
	free(f);
}

static void
write_why(const struct frames *f, const char *why)
{
	int fd = open(f->why_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0 || write(fd, why, strlen(why)) < 0)
		log_warn("cannot write %s", f->why_path);
	if (fd >= 0)
		close(fd);
}

static void
fail(struct frames *f, enum job_verdict v, const char *why)
{
	struct job *job = f->job;
	char text[FILE_BYTES + 300];

	if (f->lock >= 0 && v == JOB_REFUSED)
		write_why(f, why);
	snprintf(text, sizeof(text), "%s: %.250s", f->file, why);
	frames_free(f);
	job_fails(job, v, text);
}

static enum job_verdict
verdict_of(int error)
{
	return error == EBADMSG || error == ENODATA ? JOB_DEAD : job_verdict_of(error);
}

/* --- ffmpeg --- */

static void
spawn(struct frames *f, const char *kind, json_t *params)
{
	json_object_set_new(params, "input", json_string(f->step == ENCODE ? f->file : f->tmp));
	json_object_set_new(params, "output", json_string(f->tmp));
	ffmpeg_start(&f->ff, kind, params);
}

static void
encode(struct frames *f)
{
	const struct frames_raw *r = &f->raw;
	bool sound = r->mux && r->samples > 0;
	int64_t first = sound && r->audio_ms < r->video_ms ? r->audio_ms : r->video_ms;

	f->timed = frames_raw_timed(r);
	log_info("making %s of %lld frames", f->mp4, (long long)r->frames);
	spawn(f, "frames", json_pack("{s:i, s:i, s:i, s:b, s:b, s:I, s:I}", "width", r->width, "height", r->height,
	    "fps", r->fps, "timed", f->timed, "sound", sound, "video_ms", (json_int_t)(r->video_ms - first),
	    "audio_ms", sound ? (json_int_t)(r->audio_ms - first) : (json_int_t)0));
}

static void
on_line(void *ctx, const char *line)
{
	struct frames *f = ctx;
	int64_t ms = f->step != ENCODE ? ffmpeg_duration_ms(line) : -1;

	if (ms >= 0)
		f->mp4_ms = ms;
	if (strstr(line, "get_buffer") != NULL || strstr(line, "Cannot allocate memory") != NULL)
		f->no_memory = true;
	if (strstr(line, "Cannot determine format of input") != NULL)
		f->no_picture = true;
}

static void
on_frames(void *ctx, int64_t n)
{
	struct frames *f = ctx;

	if (f->step != ENCODE)
		return;
	f->encoded = n;
	job_progress(f->job, n >= f->raw.frames ? 900 : (int)(n * 900 / f->raw.frames));
}

/* --- the end --- */

static void
over(struct frames *f)
{
	const struct frames_raw *r = &f->raw;
	struct job *job = f->job;
	json_t *result = json_object();

	if (unlink(f->file_path) == -1 && errno != ENOENT)
		log_warn("cannot remove %s", f->file_path);
	unlink(f->why_path);
	if (r->frames > 0) {
		json_object_set_new(result, "video", json_sprintf("%s.mp4", r->name));
		if (f->encoded > 0)	/* else the run before knew */
			json_object_set_new(result, "frames", json_integer((json_int_t)f->encoded));
	}
	if (r->samples > 0) {
		json_object_set_new(result, "audio", json_sprintf("%s.wav", r->name));
		json_object_set_new(result, "samples", json_integer((json_int_t)r->samples));
	}
	log_info("frames session %s is complete: %lld frames, %.1f s of sound%s", r->name,
	    (long long)(f->encoded > 0 ? f->encoded : r->frames), (double)r->samples / 44100,
	    r->torn_bytes > 0 ? "; its last chunk was torn by a crash" : "");
	frames_free(f);
	job_done(job, result);
}

/* On a thread: nothing but f is touched. 0 or an errno. */
static int
sync_mp4(void *ctx)
{
	struct frames *f = ctx;

	return fs_sync_rename(open(f->tmp_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), f->tmp_path, f->mp4_path);
}

static void
synced_cb(int rc, void *ctx)
{
	struct frames *f = ctx;
	int64_t lost = f->raw.frames - f->encoded;
	char text[160];

	f->slow = NULL;
	snprintf(text, sizeof(text), "%lld of %lld frames could not be decoded, its MP4 has the others; it is kept",
	    (long long)lost, (long long)f->raw.frames);
	if (rc != 0)
		fail(f, verdict_of(rc), strerror(rc));
	else if (lost > 1 && lost * 100 > f->raw.frames * LOST_PERCENT)
		fail(f, JOB_REFUSED, text);
	else
		over(f);
}

/* --- the steps --- */

/* What it should be long, by what is in it; -1: not to be told. */
static int64_t
expected_ms(const struct frames *f)
{
	const struct frames_raw *r = &f->raw;

	if (!f->timed)
		return f->encoded * 1000 / r->fps;
	return f->encoded == r->frames ? r->video_end_ms - r->video_ms : -1;
}

/* Are frames in the MP4, all but those that can't be decoded? If not, it has failed: false. */
static bool
has_frames(struct frames *f)
{
	int64_t lost = f->raw.frames - f->encoded;

	if (lost > 0 && f->no_memory)
		fail(f, JOB_AGAIN, "its frames want more memory than frames.ffmpeg_memory; it is kept");
	else if (f->encoded == 0)
		fail(f, JOB_REFUSED, "not one of its frames can be decoded; it is kept");
	else {
		if (lost > 0)
			log_warnx("%s: %lld frames could not be decoded", f->file, (long long)lost);
		return true;
	}
	return false;
}

static void
next_step(struct frames *f)
{
	switch (++f->step) {
	case CHECK_HEAD:
		if (has_frames(f))
			spawn(f, "check", json_object());
		break;
	case CHECK_TAIL:
		if (f->mp4_ms + SLACK_MS < expected_ms(f)) {
			fail(f, JOB_AGAIN, "its MP4 is too short");
			break;
		}
		if (f->mp4_ms > CHECKED_MS) {
			spawn(f, "check", json_pack("{s:b}", "tail", true));
			break;
		}
		f->step = SYNC;
		/* fall through */
	default:
		f->slow = slow_run(f->job->svc->base, sync_mp4, synced_cb, f);
		if (f->slow == NULL)
			fail(f, JOB_AGAIN, "no thread to bring it to the disk");
	}
}

static void
on_exited(void *ctx, bool well, const char *words)
{
	struct frames *f = ctx;

	if (strstr(words, "No space left") != NULL)
		fail(f, JOB_LATER, "no space left on the disk");
	else if ((well && words[0] == '\0') || (f->step == ENCODE && (well || f->no_picture)))
		next_step(f);
	else
		fail(f, JOB_AGAIN, words[0] != '\0' ? words : "ffmpeg failed");
}

static void
frames_message(struct job *job, struct msg *m)
{
	ffmpeg_message(&((struct frames *)job->state)->ff, m);
}

/* --- the file --- */

/* On a thread. The WAV stands under its name when this is through, if there is any sound. */
static int
read_file(void *ctx)
{
	struct frames *f = ctx;
	int wav = open(f->wav_tmp_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int rc = wav < 0 || frames_raw_read(f->lock, wav, &f->raw) == -1 ? errno != 0 ? errno : EIO : 0;

	if (rc == 0 && f->raw.samples > 0)
		return fs_sync_rename(wav, f->wav_tmp_path, f->wav_path);
	if (wav >= 0)
		close(wav);
	return rc;
}

/* A run of before died after the rename. */
static bool
mp4_stands(const struct frames *f)
{
	struct stat mp4, raw;

	return stat(f->mp4_path, &mp4) == 0 && fstat(f->lock, &raw) == 0 && mp4.st_mtime >= raw.st_mtime;
}

static void
read_cb(int rc, void *ctx)
{
	struct frames *f = ctx;

	f->slow = NULL;
	if (rc != 0)
		fail(f, verdict_of(rc), rc == EBADMSG || rc == ENODATA ? "it is no frames session's file; it is kept" :
		    strerror(rc));
	else if (f->raw.frames == 0 || mp4_stands(f))
		over(f);
	else {
		f->step = ENCODE;
		encode(f);
	}
}

static void
make_paths(struct frames *f)
{
	const char *data_dir = conf_str(f->job->svc->conf, "data_dir"), *name = f->raw.name;

	snprintf(f->mp4, sizeof(f->mp4), FRAMES_VIDEO_DIR "/%s.mp4", name);
	snprintf(f->tmp, sizeof(f->tmp), FRAMES_VIDEO_DIR "/.%s.mp4.tmp", name);
	snprintf(f->file_path, PATH_BYTES, "%s/%s", data_dir, f->file);
	snprintf(f->why_path, PATH_BYTES, "%s/" FRAMES_RAW_DIR "/%s.txt", data_dir, name);
	snprintf(f->mp4_path, PATH_BYTES, "%s/%s", data_dir, f->mp4);
	snprintf(f->tmp_path, PATH_BYTES, "%s/%s", data_dir, f->tmp);
	snprintf(f->wav_path, PATH_BYTES, "%s/" FRAMES_AUDIO_DIR "/%s.wav", data_dir, name);
	snprintf(f->wav_tmp_path, PATH_BYTES, "%s/" FRAMES_AUDIO_DIR "/.%s.wav.tmp", data_dir, name);
}

static struct frames *
frames_new(struct job *job, const char *file)
{
	static const struct ffmpeg_ops ops = { .line = on_line, .frames = on_frames, .exited = on_exited };
	struct frames *f = xcalloc(1, sizeof(*f));

	f->job = job;
	f->lock = -1;
	ffmpeg_init(&f->ff, job->svc, "ffmpeg frames", &ops, f);
	f->ff.may_be_torn = true;
	str_copy(f->file, file, sizeof(f->file));
	return f;
}

static void
frames_start(struct job *job)
{
	const char *file = json_string_value(json_object_get(job->q->args, "file"));
	struct frames *f;

	if (file == NULL || strlen(file) >= FILE_BYTES) {
		job_failed(job, "the job names no file", false);
		return;
	}
	f = job->state = frames_new(job, file);
	if (frames_raw_parse_path(file, &f->raw) == -1) {
		fail(f, JOB_DEAD, "it is no frames session's name");
		return;
	}
	make_paths(f);
	f->lock = open(f->file_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->lock < 0 && errno == ENOENT) {		/* it was done before */
		frames_free(f);
		job_done(job, NULL);
	} else if (f->lock < 0)
		fail(f, JOB_AGAIN, strerror(errno));
	else if (flock(f->lock, LOCK_EX | LOCK_NB) == -1) {
		close(f->lock);
		f->lock = -1;
		fail(f, JOB_LATER, "somebody still writes or finishes it");
	} else if ((f->slow = slow_run(job->svc->base, read_file, read_cb, f)) == NULL)
		fail(f, JOB_AGAIN, "no thread to read it");
}

static void
free_cb(void *ctx)
{
	frames_free(ctx);
}

static void
frames_stop(struct job *job, enum job_stop why)
{
	struct frames *f = job->state;

	if (f->slow != NULL) {		/* a thread has it */
		slow_forget(&f->slow, free_cb);
		return;
	}
	frames_free(f);
}

const struct job_kind frames_kind = {
	.name = "frames", .start = frames_start, .stop = frames_stop, .message = frames_message,
};
