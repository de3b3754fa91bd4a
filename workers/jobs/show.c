/*
 * show.c - what this worker shows of its job: on its board page, and in the log: begun, done,
 * failed and what happens next, each with the job's id, kind and file; the stream's name is
 * the logger's.
 *
 * Decides nothing. Called by run.c.
 */
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/jobs.h"

static const char *
file_of(const struct queue_job *q)
{
	const char *file = json_string_value(json_object_get(q->args, "file"));

	if (!file)
		file = json_string_value(json_object_get(q->args, "path"));
	return file ? file : q->key;
}

void
show_job(const struct queue_job *q)
{
	struct board_page *p = jw.svc->page;

	board_begin(&p->seq);
	str_copy(p->jobs.id, q ? q->id : "", sizeof p->jobs.id);
	str_copy(p->jobs.kind, q ? q->kind : "", sizeof p->jobs.kind);
	str_copy(p->jobs.file, q ? file_of(q) : "", sizeof p->jobs.file);
	p->jobs.progress = 0;
	p->jobs.since_ms = q ? now_ms() : 0;
	board_end(&p->seq);
	log_set_stream(q ? json_string_value(json_object_get(q->args, "stream")) : NULL);
	log_set_job(q ? q->id : NULL, q ? file_of(q) : NULL);
	if (q)
		log_info("job %s (%s of %s) is begun%s", q->id, q->kind, file_of(q),
		    q->attempts + q->crashes > 0 ? ", not for the first time" : "");
}

void
show_progress(int permille)
{
	struct board_page *p = jw.svc->page;

	board_begin(&p->seq);
	p->jobs.progress = permille;
	board_end(&p->seq);
}

void
show_s3(const struct board_s3 *s3)
{
	struct board_page *p = jw.svc->page;

	board_begin(&p->seq);
	p->jobs.s3 = *s3;
	board_end(&p->seq);
}

static void
count(uint64_t *figure)
{
	board_begin(&jw.svc->page->seq);
	++*figure;
	board_end(&jw.svc->page->seq);
}

void
show_end(const struct queue_job *q, enum run_end end, const char *text)
{
	const char *file = file_of(q);
	struct board_jobs *b = &jw.svc->page->jobs;

	switch (end) {
	case END_DONE:
		count(&b->done);
		log_info("job %s (%s of %s) is done", q->id, q->kind, file);
		break;
	case END_FAILED:
		count(&b->failed);
		log_warnx("job %s (%s of %s) failed: %s; %s", q->id, q->kind, file, text,
		    q->attempts + 1 >= conf_int(jw.svc->conf, "jobs.attempts") ?
		    "given up until `millrace jobs retry`" : "tried again after a while");
		break;
	case END_DEAD:
		count(&b->failed);
		log_warnx("job %s (%s of %s) failed: %s; given up", q->id, q->kind, file, text);
		break;
	case END_REFUSED:
		count(&b->failed);
		log_info("job %s (%s of %s) is refused: %s", q->id, q->kind, file, text);
		break;
	case END_LATER:
		count(&b->later);
		log_warnx("job %s (%s of %s) waits: %s; tried again after a while", q->id, q->kind, file, text);
		break;
	case END_PARK:
		count(&b->parked);
		log_warnx("job %s (%s of %s) is parked: %s; tried again after a reload or `millrace jobs retry %s`,"
		    " or when another one is let through", q->id, q->kind, file, text, q->id);
		break;
	case END_BACK:
		log_info("job %s (%s of %s) is handed back: %s", q->id, q->kind, file, text);
		break;
	}
}

void
show_lost(const struct queue_job *q, bool taken_over)
{
	if (taken_over)
		count(&jw.svc->page->jobs.taken_over);
	log_warnx("job %s (%s of %s) was %s: stopped here", q->id, q->kind, file_of(q),
	    taken_over ? "taken over by another worker" : "cancelled");
}

void
show_upload(const char *waits_for)
{
	struct board_page *p = jw.svc->page;

	board_begin(&p->seq);
	if (waits_for[0] == '\0')
		p->jobs.sent_ms = now_ms();
	else {
		p->jobs.waits_ms = now_ms();
		str_copy(p->jobs.waits_for, waits_for, sizeof p->jobs.waits_for);
	}
	board_end(&p->seq);
}
