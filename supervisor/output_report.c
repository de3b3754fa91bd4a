/*
 * output_report.c - a stream's outputs for run/board, as their owner's page and our own table
 * have them together: what runs and why not is ours, what passes through is the ingest's.
 * Decides nothing. Called by streams_report.c and health.c.
 */
#include <string.h>

#include "supervisor/output.h"
#include "supervisor/push.h"
#include "supervisor/push_url.h"
#include "supervisor/streams.h"
#include "util.h"

#define PROOF_MS 10000

uint64_t
output_segments(const struct child *owner)
{
	struct board_page page;

	if (owner == NULL || owner->page == NULL || board_read_page(owner->page, &page) == -1)
		return 0;
	return page.media.segments;
}

static const struct output *
find(const struct child *owner, const char *push_id)
{
	const struct output *o;

	for (o = output_list; o != NULL; o = o->next)
		if (o->owner == owner && o->wish.kind->push && strcmp(o->name + strlen(OUTPUT_PUSH), push_id) == 0)
			return o;
	return NULL;
}

static void
fill(const struct output *o, struct board_output *out)
{
	static const char *const states[] = { "starting", "up", "backoff", "failed" };

	str_copy(out->state, states[o->state], sizeof(out->state));
	str_copy(out->reason, o->reason, sizeof(out->reason));
	out->pid = o->ffmpeg != NULL ? (int32_t)o->ffmpeg->pid : 0;
	out->restarts = o->restarts;
	out->failures = o->failures;
}

static void
add_figures(const struct board_media *m, const char *id, struct board_output *out)
{
	static const struct board_push unknown;		/* its page is a second old */
	const struct board_push *p = m->pushes;

	while (p < m->pushes + BOARD_PUSHES && strncmp(p->id, id, sizeof(p->id)) != 0)
		p++;
	if (p == m->pushes + BOARD_PUSHES)
		p = &unknown;
	out->frames = p->frames;
	out->bytes = p->bytes;
	out->dropped = p->dropped;
	out->behind_ms = p->behind_ms;
	if (p->state == BOARD_PUSH_REFUSED) {
		str_copy(out->state, "failed", sizeof(out->state));
		snprintf(out->reason, sizeof(out->reason), "%.*s", (int)sizeof(p->reason) - 1, p->reason);
	} else if (strcmp(out->state, "up") == 0 && p->state != BOARD_PUSH_UP)
		str_copy(out->state, "connecting", sizeof(out->state));
	else if (p->state == BOARD_PUSH_UP) {
		out->failures = 0;
		out->reason[0] = '\0';
	}
}

/* "video copied (H.264 without B-frames), sound made Opus (aac)" */
static void
say_ways(const struct board_feed *f, char *out, size_t size)
{
	static const char *const ways[][2] = {
		[BOARD_WAY_NONE] = { "no video", "no sound" }, [BOARD_WAY_WAITS] = { "video waits", "sound waits" },
		[BOARD_WAY_COPY] = { "video copied", "sound copied" },
		[BOARD_WAY_TRANSCODE] = { "video made H.264", "sound made Opus" },
		[BOARD_WAY_REFUSED] = { "no video", "no sound" },
	};
	const char *video = f->video_why, *audio = f->audio_why;

	if (f->video > BOARD_WAY_REFUSED || f->audio > BOARD_WAY_REFUSED)
		return;
	snprintf(out, size, "%s%s%.48s%s, %s%s%.24s%s", ways[f->video][0], video[0] != '\0' ? " (" : "", video,
	    video[0] != '\0' ? ")" : "", ways[f->audio][1], audio[0] != '\0' ? " (" : "", audio,
	    audio[0] != '\0' ? ")" : "");
}

static void
report_webrtc(const struct board_feed *f, struct board_output *out, uint32_t *n, uint32_t max)
{
	if (!f->on || *n >= max)
		return;
	memset(out, 0, sizeof(*out));
	str_copy(out->kind, "webrtc", sizeof(out->kind));
	str_copy(out->state, "up", sizeof(out->state));
	say_ways(f, out->reason, sizeof(out->reason));
	out->frames = f->frames;
	out->bytes = f->bytes;
	out->dropped = f->dropped;
	out->behind_ms = f->behind_ms;
	(*n)++;
}

static void
report_pushes(struct child *owner, const struct board_page *page, struct board_output *out, uint32_t *n, uint32_t max)
{
	const struct output *o;
	const char *id;
	json_t *entry;

	json_object_foreach(owner->stream->pushes, id, entry) {
		if (*n >= max)
			return;
		memset(out, 0, sizeof(*out));
		str_copy(out->kind, "push", sizeof(out->kind));
		str_copy(out->id, id, sizeof(out->id));
		push_url_show(json_string_value(json_object_get(push_find(owner->stream, id), "url")), out->target,
		    sizeof(out->target));
		str_copy(out->state, "starting", sizeof(out->state));
		o = find(owner, id);
		if (o != NULL)
			fill(o, out);
		add_figures(&page->media, id, out);
		out++;
		(*n)++;
	}
}

/* It lists nothing that would prove it works. */
static bool
has_lived(const struct output *o)
{
	return o->ffmpeg != NULL && now_ms() - o->ffmpeg->started_ms >= PROOF_MS;
}

void
output_report(struct child *owner, struct board_output *out, uint32_t *n, uint32_t max)
{
	struct board_output *next = out;
	struct board_page page = { 0 };
	struct output *o;

	if (owner->page == NULL || board_read_page(owner->page, &page) == -1)
		memset(&page, 0, sizeof(page));
	*n = 0;
	for (o = output_list; o != NULL && *n < max; o = o->next) {
		if (o->owner != owner || o->wish.kind->push)
			continue;
		memset(next, 0, sizeof(*next));
		str_copy(next->kind, o->name, sizeof(next->kind));
		fill(o, next);
		if (o->wish.kind->webrtc ? has_lived(o) : page.media.segments > o->segments)
			next->failures = 0;
		next++;
		(*n)++;
	}
	report_webrtc(&page.media.feed, next, n, max);
	if (owner->stream != NULL && owner->stream->pushes != NULL)
		report_pushes(owner, &page, out + *n, n, max);
}
