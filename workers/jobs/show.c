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

/* Handed back, or put off for another reason than a failure, it has come to nothing yet. */
void
show_event(const struct queue_job *q, enum run_end end, const char *text, const json_t *result)
{
	static const char *const states[] = { [END_DONE] = "done", [END_FAILED] = "retrying", [END_DEAD] = "failed",
		[END_LATER] = NULL, [END_PARK] = "parked", [END_BACK] = NULL };
	const char *stream = json_string_value(json_object_get(q->args, "stream"));
	const char *finished = json_string_value(json_object_get(result, "file")), *state = states[end];
	json_t *body;

	if (state == NULL || (!conf_event_wanted(jw.svc->conf, "job") && !conf_event_wanted(jw.svc->conf, "record")))
		return;
	if (end == END_FAILED && q->attempts + 1 >= conf_int(jw.svc->conf, "jobs.attempts"))
		state = "failed";
	body = json_pack("{s:s, s:s, s:s, s:s}", "event", "job", "job", q->id, "kind", q->kind, "state", state);
	json_object_set_new(body, "name", json_string(stream != NULL ? stream : ""));
	json_object_set_new(body, "file", json_string(file_of(q)));
	json_object_set_new(body, "error", msg_text(text, strlen(text)));
	if (end == END_DONE && strcmp(q->kind, "finalise") == 0 && finished != NULL)
		json_object_set_new(body, "finished", json_string(finished));
	svc_send(jw.svc, MSG_EVENT, 0, body);
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
