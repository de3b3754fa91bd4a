/*
 * cli_work.c - what status says of recordings and of the job queue, for eyes and as JSON.
 *
 * Pure: the board's figures in, words out. A stream's recording stands among its outputs, though
 * no ffmpeg makes it. The queue is one for all hosts of a Redis; its figures are as old as the
 * last look of this host's first jobs worker. Called by cli_text.c and cli_json.c.
 */
#include <string.h>

#include "msg.h"
#include "supervisor/cli.h"

static json_t *
text(const char *s)
{
	return msg_text(s, strlen(s));
}

/* --- recordings --- */

const char *
cli_record_state(const struct board_media *m)
{
	static const char *const names[] = { [BOARD_RECORDING_OFF] = "", [BOARD_RECORDING_WAITS] = "waits",
		[BOARD_RECORDING] = "recording", [BOARD_RECORDING_PAUSED] = "paused" };

	return m != NULL && m->recording < sizeof(names) / sizeof(names[0]) ? names[m->recording] : "";
}

static const char *
record_reason(const struct board_media *m)
{
	return m->recording == BOARD_RECORDING_PAUSED ? board_pause_reason(m->recording_errno) : "";
}

json_t *
cli_json_record(const struct board_media *m)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:s, s:I, s:I, s:I}", "kind", "record", "state",
	    cli_record_state(m), "pid", 0, "restarts", 0, "reason", record_reason(m), "files",
	    (json_int_t)m->recorded_files, "bytes", (json_int_t)m->recorded_bytes, "lost_frames",
	    (json_int_t)m->recorded_lost);
}

/* The row of cli_text.c's table of outputs. */
void
cli_text_record(const struct board_stream *b, const struct board_media *m, struct cli_table *t)
{
	char bytes[CLI_FORMAT], lost[64] = "";

	if (m->recorded_lost > 0)
		snprintf(lost, sizeof(lost), ", %llu frames lost", (unsigned long long)m->recorded_lost);
	cli_table_cell(t, "%s record", b->name);
	cli_table_cell(t, "%s", m->recording == BOARD_RECORDING_PAUSED ? "PAUSED" : cli_record_state(m));
	cli_table_cell(t, "-");
	cli_table_cell(t, "-");
	cli_table_cell(t, "%s", "");
	cli_table_cell(t, "%s", "");
	cli_table_cell(t, "%s%s%llu file%s %s%s", record_reason(m), record_reason(m)[0] != '\0' ? "; " : "",
	    (unsigned long long)m->recorded_files, m->recorded_files == 1 ? "" : "s",
	    cli_bytes((int64_t)m->recorded_bytes, bytes), lost);
}

/* --- jobs --- */

/* With the queue's figures, or NULL. */
static const struct board_jobs *
queue_of(const struct cli_snap *s)
{
	unsigned i;

	for (i = 0; i < s->nprocs; i++)
		if (strcmp(s->procs[i].kind, "jobs") == 0 && s->procs[i].page.jobs.queue_ms > 0)
			return &s->procs[i].page.jobs;
	return NULL;
}

json_t *
cli_json_jobs(const struct cli_snap *s)
{
	const struct board_jobs *j = queue_of(s);

	if (j == NULL)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queued", (json_int_t)j->queued, "running",
	    (json_int_t)j->running, "delayed", (json_int_t)j->delayed, "dead", (json_int_t)j->dead, "refused",
	    (json_int_t)j->refused, "oldest_ms", (json_int_t)j->oldest_ms, "age_ms",
	    (json_int_t)(s->h.beat_ms > j->queue_ms ? s->h.beat_ms - j->queue_ms : 0));
}

json_t *
cli_json_job(const struct cli_snap *s, const struct board_proc *p)
{
	const struct board_jobs *j = &p->page.jobs;

	if (strcmp(p->kind, "jobs") != 0 || j->id[0] == '\0')
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:f, s:I}", "id", text(j->id), "kind", text(j->kind), "file",
	    text(j->file), "percent", (double)j->progress / 10, "since_ms",
	    (json_int_t)(s->h.beat_ms > j->since_ms ? s->h.beat_ms - j->since_ms : 0));
}

static void
print_queue(const struct board_jobs *j, FILE *out)
{
	char age[CLI_FORMAT];

	fprintf(out, "\njobs %lld queued, %lld running", (long long)j->queued, (long long)j->running);
	if (j->delayed > 0)
		fprintf(out, ", %lld tried again later", (long long)j->delayed);
	if (j->dead > 0)
		fprintf(out, ", %lld GIVEN UP: millrace jobs --failed", (long long)j->dead);
	if (j->refused > 0)
		fprintf(out, ", %lld refused", (long long)j->refused);
	if (j->queued > 0)
		fprintf(out, "; the oldest waits %s", cli_age(j->oldest_ms, age));
	fputc('\n', out);
}

void
cli_text_jobs(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "WORKER", true, 0 }, { "JOB", false, 0 }, { "FILE", false, 20 }, { "DONE", true, 0 },
		{ "SINCE", true, 0 }, { NULL, false, 0 },
	};
	const struct board_jobs *q = queue_of(s), *j;
	struct cli_table *t = cli_table_new(columns);
	const struct board_proc *p;
	char age[CLI_FORMAT];

	if (q != NULL && q->queued + q->running + q->delayed + q->dead + q->refused > 0)
		print_queue(q, out);
	for (p = s->procs; p < s->procs + s->nprocs; p++) {
		j = &p->page.jobs;
		if (strcmp(p->kind, "jobs") != 0 || j->id[0] == '\0')
			continue;
		cli_table_cell(t, "%s", p->page.stream);
		cli_table_cell(t, "%s", j->kind);
		cli_table_cell(t, "%s", j->file);
		cli_table_cell(t, "%d%%", j->progress / 10);
		cli_table_cell(t, "%s", cli_age(s->h.beat_ms - j->since_ms, age));
	}
	cli_table_print(t, out, cli_width(out));
}
