/*
 * metrics_work.c - the part of /metrics that is about files: the queue, what the jobs workers did,
 * uploads to S3, watched folders, the disk. Called by metrics.c.
 *
 * A worker's figures begin at 0 when it is started again, as counters may.
 */
#include <event2/buffer.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "http.h"
#include "metrics.h"
#include "util.h"

#define DISK_MS 10000

/* --- jobs; the queue is one for all hosts of a Redis --- */

static void
queue(struct evbuffer *b, const struct view *v)
{
	for (unsigned i = 0; i < v->nprocs; i++) {
		const struct board_jobs *j = &v->procs[i].page.jobs;

		if (strcmp(v->procs[i].kind, "jobs") != 0 || j->queue_ms == 0)
			continue;
		metrics_family(b, "jobs", "gauge", "Jobs of all hosts by state; dead: given up or parked; refused: "
		    "of files that are of no use.");
		evbuffer_add_printf(b, "millrace_jobs{state=\"queued\"} %lld\nmillrace_jobs{state=\"running\"} %lld\n"
		    "millrace_jobs{state=\"delayed\"} %lld\nmillrace_jobs{state=\"dead\"} %lld\n"
		    "millrace_jobs{state=\"refused\"} %lld\n", (long long)j->queued, (long long)j->running,
		    (long long)j->delayed, (long long)j->dead, (long long)j->refused);
		metrics_single(b, "jobs_oldest_seconds", "gauge", "How long the oldest queued job waits.",
		    (double)j->oldest_ms / 1e3);
		metrics_single(b, "jobs_figures_age_seconds", "gauge", "Since Redis was last asked for the two above.",
		    (double)(now_ms() - j->queue_ms) / 1e3);
		return;
	}
}

#define END_AT(field) offsetof(struct board_jobs, field)
#define S3_AT(field) METRICS_AT(jobs.s3.field)

static void
job_ends(struct evbuffer *b, const struct view *v)
{
	static const struct { const char *end; size_t at; } ends[] = {
		{ "done", END_AT(done) }, { "failed", END_AT(failed) }, { "later", END_AT(later) },
		{ "parked", END_AT(parked) }, { "taken_over", END_AT(taken_over) },
	};
	uint64_t value;

	metrics_family(b, "job_ends_total", "counter", "Jobs that a worker let go of, by how.");
	for (unsigned i = 0; i < v->nprocs; i++)
		for (unsigned k = 0; k < sizeof(ends) / sizeof(ends[0]) && strcmp(v->procs[i].kind, "jobs") == 0; k++) {
			memcpy(&value, (const char *)&v->procs[i].page.jobs + ends[k].at, sizeof(value));
			evbuffer_add_printf(b, "millrace_job_ends_total{worker=\"%lu\",end=\"%s\"} %llu\n",
			    strtoul(v->procs[i].page.stream, NULL, 10), ends[k].end, (unsigned long long)value);
		}
}

/* --- uploads --- */

static void
s3(struct evbuffer *b, const struct view *v)
{
	static const struct metrics_figure figures[] = {
		{ "upload_sent_bytes_total", "counter", "Bytes of files sent to S3, repeats included.",
		    S3_AT(sent_bytes) },
		{ "upload_lost_bytes_total", "counter",
		    "Bytes sent in vain: their request failed, they are sent again.", S3_AT(lost_bytes) },
		{ "s3_requests_total", "counter", "Requests to S3.", S3_AT(requests) },
		{ "s3_retries_total", "counter", "Requests that failed in a way that is tried again.", S3_AT(retries) },
		{ "s3_refusals_total", "counter", "Requests refused: credentials, bucket, clock, certificate.",
		    S3_AT(refused) },
	};

	metrics_workers(b, v, "jobs", figures, sizeof(figures) / sizeof(figures[0]));
}

static void
swept(struct evbuffer *b, const struct view *v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < v->nprocs; i++)
		n += strcmp(v->procs[i].kind, "jobs") == 0 ? v->procs[i].page.jobs.swept : 0;
	metrics_single(b, "uploads_aborted_total", "counter",
	    "Multipart uploads aborted because nobody would ever finish them.", (double)n);
}

#define PART "millrace_upload_part_duration_seconds"

static void
part_latency(struct evbuffer *b, unsigned long worker, const struct board_latency *l)
{
	unsigned long long n = 0;

	for (unsigned k = 0; k < BOARD_LATENCY_BUCKETS; k++) {
		int bound = board_latency_bound_ms(k);
		char le[16] = "+Inf";

		n += l->count[k];
		if (bound >= 0)
			snprintf(le, sizeof(le), "%g", bound / 1e3);
		evbuffer_add_printf(b, PART "_bucket{worker=\"%lu\",le=\"%s\"} %llu\n", worker, le, n);
	}
	evbuffer_add_printf(b, PART "_sum{worker=\"%lu\"} %.15g\n" PART "_count{worker=\"%lu\"} %llu\n", worker,
	    (double)l->sum_ms / 1e3, worker, n);
}

/* Of those workers that have ever uploaded: fourteen lines each. */
static void
part_latencies(struct evbuffer *b, const struct view *v)
{
	metrics_family(b, "upload_part_duration_seconds", "histogram",
	    "From a part's request to S3's answer, of parts that arrived.");
	for (unsigned i = 0; i < v->nprocs; i++)
		if (strcmp(v->procs[i].kind, "jobs") == 0 && v->procs[i].page.jobs.s3.requests > 0)
			part_latency(b, strtoul(v->procs[i].page.stream, NULL, 10), &v->procs[i].page.jobs.s3.part);
}

/* --- watched folders --- */

static void
watch(struct evbuffer *b, const struct view *v)
{
	for (unsigned i = 0; i < v->nprocs; i++) {
		const struct board_watch *w = &v->procs[i].page.watch;

		if (strcmp(v->procs[i].kind, "watch") != 0)
			continue;
		metrics_single(b, "watch_folders", "gauge", "Folders watched.", w->folders);
		metrics_single(b, "watch_folders_missing", "gauge", "Of those, not there now.", w->missing);
		metrics_single(b, "watch_files", "gauge", "Files known in them.", (double)w->files);
		metrics_single(b, "watch_files_pending", "gauge", "Of those, not done with.", (double)w->pending);
		metrics_single(b, "watch_queued_total", "counter", "Files queued for upload.", (double)w->queued);
		metrics_single(b, "watch_skipped_total", "counter", "Files whose content was done before.",
		    (double)w->skipped);
		metrics_single(b, "watch_hashed_bytes_total", "counter", "Bytes hashed.", (double)w->hashed_bytes);
		return;
	}
}

/* --- disk --- */

static void
disk(struct evbuffer *b)
{
	static int64_t asked_ms, free_bytes;	/* a slow file system holds up every viewer: seldom */

	if (asked_ms == 0 || now_ms() - asked_ms >= DISK_MS) {
		asked_ms = now_ms();
		free_bytes = disk_free_bytes(http.limits.data_dir);
	}
	if (free_bytes >= 0)
		metrics_single(b, "data_dir_free_bytes", "gauge", "Space left where data_dir is.", (double)free_bytes);
	metrics_single(b, "data_dir_reserve_bytes", "gauge", "disk.reserve: with less, recordings pause.",
	    (double)conf_int(http.svc->conf, "disk.reserve"));
}

void
metrics_work(struct evbuffer *b, const struct view *v)
{
	queue(b, v);
	job_ends(b, v);
	s3(b, v);
	part_latencies(b, v);
	swept(b, v);
	watch(b, v);
	disk(b);
}
