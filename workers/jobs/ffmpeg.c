/*
 * ffmpeg.c - an ffmpeg of a job (contract in ffmpeg.h). It is the supervisor's child: here are
 * only the ends of its stderr and its -progress, both always read. Called by convert.c, finalise.c,
 * frames.c and push.c.
 */
#include "workers/jobs/ffmpeg.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "util.h"

static int64_t last_task;

/* "[mov @ 0x55] [error] moov atom not found" */
static const char *
error_in(const char *line)
{
	const char *p = strstr(line, "[error] ");

	if (p == NULL)
		p = strstr(line, "[fatal] ");
	return p != NULL ? p + 8 : NULL;
}

/* What ffmpeg adds to an error: the reason was in a line before. */
static bool
says_nothing(const char *error)
{
	return error[0] == '\0' || strncmp(error, "Error initializing output stream", 32) == 0 ||
	    strncmp(error, "Task finished with error", 24) == 0 || strncmp(error, "Terminating thread", 18) == 0;
}

static void
err_line(void *ctx, const char *line)
{
	struct ffmpeg *f = ctx;
	const char *error = error_in(line);

	if (error != NULL && !says_nothing(error) &&
	    !(f->may_be_torn && strstr(error, "File ended prematurely") != NULL)) {
		if (strstr(f->words, "No space left") == NULL)	/* all that follows comes of it */
			str_copy(f->words, error, sizeof(f->words));
		log_redact(f->words);
		if (!f->secret)
			log_foreign(LOG_LEVEL_WARN, f->what, line, (int)strlen(line));
	}
	if (f->ops->line != NULL)
		f->ops->line(f->ctx, line);
}

static void
progress_line(void *ctx, const char *line)
{
	struct ffmpeg *f = ctx;
	long long n;

	if (f->ops->frames != NULL && sscanf(line, "frame=%lld", &n) == 1)
		f->ops->frames(f->ctx, n);
	else if (f->ops->progress == NULL)
		return;
	else if (sscanf(line, "out_time_us=%lld", &n) == 1 && n >= 0)
		f->ops->progress(f->ctx, n);
	else if (strcmp(line, "progress=end") == 0)
		f->ops->progress(f->ctx, -1);
}

void
ffmpeg_init(struct ffmpeg *f, struct svc *svc, const char *what, const struct ffmpeg_ops *ops, void *ctx)
{
	memset(f, 0, sizeof(*f));
	f->svc = svc;
	f->what = what;
	f->ops = ops;
	f->ctx = ctx;
	f->err = (struct lines){ .fd = -1, .line = err_line, .ctx = f };
	f->progress = (struct lines){ .fd = -1, .line = progress_line, .ctx = f };
}

void
ffmpeg_start(struct ffmpeg *f, const char *kind, json_t *params)
{
	f->words[0] = '\0';
	f->task = ++last_task;
	svc_send(f->svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:I, s:o}", "output", "job", "kind", kind, "task",
	    (json_int_t)f->task, "params", params));
}

static void
close_lines(struct ffmpeg *f)
{
	lines_close(&f->err);
	lines_close(&f->progress);
}

static void
on_exited(struct ffmpeg *f, struct msg *m)
{
	bool well = msg_int_or(m, "code", -1) == 0;

	if (f->err.fd != -1)
		lines_drain(&f->err);
	if (f->progress.fd != -1)
		lines_drain(&f->progress);
	close_lines(f);
	f->task = 0;
	f->ops->exited(f->ctx, well, f->words[0] != '\0' ? f->words : well ? "" :
	    msg_str_or(m, "reason", "ffmpeg failed"));
}

void
ffmpeg_message(struct ffmpeg *f, struct msg *m)
{
	if (f->task == 0 || msg_int_or(m, "task", 0) != f->task)
		return;
	if (m->type == MSG_SPAWNED) {
		lines_open(&f->err, f->svc->base, msg_take_fd(m, 0));
		lines_open(&f->progress, f->svc->base, msg_take_fd(m, 1));
	} else if (m->type == MSG_EXITED)
		on_exited(f, m);
}

void
ffmpeg_drop(struct ffmpeg *f, const char *why)
{
	if (f->task != 0)
		svc_send(f->svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", "job", "reason", why,
		    "action", "stop"));
	f->task = 0;
	close_lines(f);
}

int64_t
ffmpeg_duration_ms(const char *line)
{
	const char *p = strstr(line, "Duration: ");
	int h, m;
	double s;

	if (p == NULL || sscanf(p, "Duration: %d:%d:%lf", &h, &m, &s) != 3)
		return -1;
	return (int64_t)(((h * 60 + m) * 60 + s) * 1000);
}
