/*
 * health.c - "" or the first thing that is wrong, in words: one notion of health for status and
 * its exit code, /healthz, /metrics and the API, which all take it from the board's header.
 *
 * What concerns all comes first: processes, Redis, the disk, ffmpeg; then each stream: an
 * output that does not work, a publisher whose media make no segment, a recording without room;
 * then uploads that have to wait, and jobs that were given up. A single death that is
 * being mended is none. Called by report.c, once a second.
 */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "supervisor/streams.h"
#include "util.h"

#define DISK_CHECK_MS 10000	/* statvfs may wait for a slow file system: seldom */
#define READY_MS 3000
#define FAILURES_IN_A_ROW 2

struct diagnosis {
	char *text;
	size_t size;
};

static int64_t disk_checked_ms, disk_free = -1;

static void
diagnose_child(struct child *c, void *ctx)
{
	struct diagnosis *d = ctx;

	if (d->text[0] != '\0' || !c->wanted || sv.stopping)
		return;
	if (c->state == CHILD_BACKOFF)
		snprintf(d->text, d->size, "%s is down (%s); again in %.1f s",
		    child_kind_name(c->kind), c->last_death, (double)child_backoff_ms(c) / 1000);
	else if (c->state == CHILD_STARTING && now_ms() - c->started_ms > READY_MS)
		snprintf(d->text, d->size, "%s is not ready after %.0f s", child_kind_name(c->kind),
		    (double)(now_ms() - c->started_ms) / 1000);
}

struct tally {
	enum child_kind kind;
	int running;
};

static void
count_running(struct child *c, void *ctx)
{
	struct tally *t = ctx;

	t->running += c->kind == t->kind && (c->state == CHILD_STARTING || c->state == CHILD_READY);
}

/* Fewer than the config wants, for longer than one takes to go and its successor to come. */
static void
diagnose_numbers(struct diagnosis *d)
{
	static const enum child_kind kinds[] = { KIND_HTTP, KIND_WEBRTC, KIND_JOBS, KIND_WATCH };
	static int64_t short_since_ms[KIND_COUNT];
	int64_t now = now_ms();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct tally t = { kinds[i], 0 };
		int64_t *since = &short_since_ms[kinds[i]];

		child_each(count_running, &t);
		if (sv.stopping || t.running >= child_wanted(kinds[i]))
			*since = 0;
		else if (*since == 0)
			*since = now;
		else if (d->text[0] == '\0' && now - *since > READY_MS)
			snprintf(d->text, d->size, "%d of %d %s worker%s running", t.running, child_wanted(kinds[i]),
			    child_kind_name(kinds[i]), child_wanted(kinds[i]) == 1 ? " is" : "s are");
	}
}

static void
diagnose_redis(struct diagnosis *d)
{
	struct child *c = child_first(KIND_REGISTRY);
	struct board_page page;

	if (d->text[0] != '\0' || c == NULL || c->page == NULL ||
	    now_ms() - c->ready_ms < READY_MS || board_read_page(c->page, &page) == -1)
		return;
	report_end_strings(&page, KIND_REGISTRY);
	if (page.registry.redis_up == 0)
		snprintf(d->text, d->size, "Redis is away%s%s; running streams go on",
		    page.registry.redis_error[0] != '\0' ? ": " : "", page.registry.redis_error);
	else if (page.registry.redis_error[0] != '\0')
		snprintf(d->text, d->size, "Redis takes no writes: %s; running streams go on, jobs wait",
		    page.registry.redis_error);
}

static void
diagnose_disk(struct diagnosis *d)
{
	const char *dir = conf_str(sv.conf, "data_dir");
	int64_t now = now_ms();

	if (disk_checked_ms == 0 || now - disk_checked_ms >= DISK_CHECK_MS) {
		disk_checked_ms = now;
		disk_free = disk_free_bytes(dir);
	}
	if (d->text[0] == '\0' && disk_free >= 0 && disk_free < conf_int(sv.conf, "disk.reserve"))
		snprintf(d->text, d->size, "%s has %lld MiB left, less than disk.reserve", dir,
		    (long long)(disk_free >> 20));
}

static void
diagnose_outputs(const struct stream *s, struct diagnosis *d)
{
	struct board_output outputs[BOARD_OUTPUTS], *o;
	char name[BOARD_OUTPUT_NAME];
	uint32_t n;

	output_report(s->ingest, outputs, &n, BOARD_OUTPUTS);
	for (o = outputs; o < outputs + n && d->text[0] == '\0'; o++)
		if (strcmp(o->state, "failed") == 0)
			snprintf(d->text, d->size, "output %s of %s has failed: %s", board_output_name(o, name),
			    s->name, o->reason);
		else if (o->failures >= FAILURES_IN_A_ROW)
			snprintf(d->text, d->size, "output %s of %s does not work: %s", board_output_name(o, name),
			    s->name, o->reason);
}

/* From the age on at which its ingest warns, too, and players have shown what they had. */
static void
diagnose_media(const struct stream *s, struct diagnosis *d)
{
	int64_t limit = conf_int(sv.conf, "streams.key_frame_age") * 2 / 3, age;
	struct board_page page;

	if (d->text[0] != '\0' || s->ingest->page == NULL || board_read_page(s->ingest->page, &page) == -1 ||
	    page.media.last_media_ms == 0)
		return;
	age = now_ms() - page.media.last_media_ms;
	if (age > limit) {
		snprintf(d->text, d->size, "%s: its publisher sends no media for %lld s", s->name,
		    (long long)age / 1000);
		return;
	}
	if (limit < page.media.gop_ms + page.media.gop_ms / 2)
		limit = page.media.gop_ms + page.media.gop_ms / 2;
	age = now_ms() - (page.media.last_key_ms != 0 ? page.media.last_key_ms : s->granted_ms);
	if (page.media.video_codec != BOARD_CODEC_NONE && age > limit)
		snprintf(d->text, d->size, "%s: no key frame for %lld s, so its playlist stands still",
		    s->name, (long long)age / 1000);
}

/* Once the disk has room above disk.reserve again, or takes files again, the recording begins anew by itself. */
static void
diagnose_recording(const struct stream *s, struct diagnosis *d)
{
	struct board_page page;

	if (d->text[0] == '\0' && s->ingest->page != NULL && board_read_page(s->ingest->page, &page) == 0 &&
	    page.media.recording == BOARD_RECORDING_PAUSED)
		snprintf(d->text, d->size, "the recording of %s is PAUSED: %s in data_dir", s->name,
		    board_pause_reason(page.media.recording_errno));
}

struct newest {
	int64_t sent_ms, waits_ms;
	char why[sizeof(((struct board_jobs *)0)->waits_for)];
	bool any;		/* job that is not over, or recording that goes up while it grows */
};

static void
look_at_uploads(struct child *c, void *ctx)
{
	struct newest *n = ctx;
	struct board_page page;

	if (c->kind != KIND_JOBS || c->page == NULL || board_read_page(c->page, &page) == -1)
		return;
	report_end_strings(&page, KIND_JOBS);
	if (page.jobs.sent_ms > n->sent_ms)
		n->sent_ms = page.jobs.sent_ms;
	if (page.jobs.waits_ms > n->waits_ms) {
		n->waits_ms = page.jobs.waits_ms;
		str_copy(n->why, page.jobs.waits_for, sizeof(n->why));
	}
	n->any = n->any || page.jobs.queued + page.jobs.running + page.jobs.delayed + page.jobs.dead +
	    page.jobs.growing_wait > 0;
}

/* S3 is away or refuses, until some of an upload has arrived again. */
static void
diagnose_uploads(struct diagnosis *d)
{
	struct newest n = { 0 };

	if (d->text[0] != '\0')
		return;
	child_each(look_at_uploads, &n);
	if (n.waits_ms > n.sent_ms && n.any)
		snprintf(d->text, d->size, "uploads wait: %s", n.why);
}

/* Of all hosts on this Redis: whoever looks at one of them must learn of it. */
static void
diagnose_jobs(struct diagnosis *d)
{
	struct child *c = child_worker(KIND_JOBS, 0);
	struct board_page page;

	if (d->text[0] == '\0' && c != NULL && c->page != NULL && board_read_page(c->page, &page) == 0 &&
	    page.jobs.queue_ms != 0 && page.jobs.dead > 0)
		snprintf(d->text, d->size, "%lld job%s given up: `millrace jobs --failed` says why",
		    (long long)page.jobs.dead, page.jobs.dead == 1 ? " is" : "s are");
}

static void
diagnose_streams(struct diagnosis *d)
{
	const struct stream *s;

	for (s = stream_list; s != NULL && d->text[0] == '\0'; s = s->next)
		if (s->ingest != NULL && (s->state == BOARD_STREAM_LIVE || s->state == BOARD_STREAM_STARTING)) {
			diagnose_outputs(s, d);
			diagnose_media(s, d);
			diagnose_recording(s, d);
		}
}

void
health_diagnose(char *text, size_t size)
{
	struct diagnosis d = { text, size };

	text[0] = '\0';
	child_each(diagnose_child, &d);
	diagnose_numbers(&d);
	diagnose_redis(&d);
	diagnose_disk(&d);
	if (text[0] == '\0' && output_probe_failed())
		snprintf(text, size, "ffmpeg cannot be run, so no stream can be watched");
	diagnose_streams(&d);
	diagnose_uploads(&d);
	diagnose_jobs(&d);
}
