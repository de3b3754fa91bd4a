/*
 * cli_advice.c - what is wrong and what its owner should change, in sentences.
 *
 * Pure: snapshot in, list out; shown by status as `warnings`. A threshold is where a viewer
 * notices: key frames further apart than two segments and 4 s put players three of them
 * behind. Advice names the setting of the encoder, not a field of ours.
 */
#include <stdlib.h>
#include <string.h>

#include "msg.h"
#include "supervisor/cli.h"
#include "util.h"

#define GOP_BAD_MS 4000
#define SILENT_MS 4000		/* from a publisher: no network jitter any more */
#define LIMIT_AGE_MS 600000	/* what was turned away longer ago is history */

static void
add(json_t *list, const char *stream, char *text)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "stream", msg_text(stream, strlen(stream)));
	json_object_set_new(entry, "text", msg_text(text, strlen(text)));
	json_array_append_new(list, entry);
	free(text);
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* True if it is silent: then its key frames are no matter of its settings. */
static bool
advise_silence(json_t *list, const struct cli_snap *s, const struct board_stream *b, const struct board_media *m)
{
	int64_t age = s->h.beat_ms - m->last_media_ms;
	char a[CLI_FORMAT];

	if (m->last_media_ms == 0 || age < SILENT_MS)
		return false;
	add(list, b->name, xasprintf("nothing has come for %s s: is the encoder or its network stuck?",
	    cli_seconds(age, a)));
	return true;
}

/* True if something was said about key frames. */
static bool
advise_keys(json_t *list, const struct cli_snap *s, const struct board_stream *b,
    const struct board_media *m)
{
	int64_t now = s->h.beat_ms, limit = larger(2 * s->segment_ms, GOP_BAD_MS);
	int64_t age = now - larger(m->last_key_ms, 0);
	char a[CLI_FORMAT];

	if (m->video_codec == BOARD_CODEC_NONE)
		return false;
	if (m->last_key_ms > 0 && age > larger(limit, m->gop_ms + m->gop_ms / 2)) {
		add(list, b->name, xasprintf("no key frame for %s s: no new segment until one comes;"
		    " set Keyframe Interval to 2 s in the encoder", cli_seconds(age, a)));
		return true;
	}
	if (m->last_key_ms == 0 && m->video_frames > 0) {
		add(list, b->name, xasprintf("no key frame yet: nothing to watch before one comes;"
		    " set Keyframe Interval to 2 s in the encoder"));
		return true;
	}
	if (m->gop_ms <= limit)
		return false;
	add(list, b->name, xasprintf("key frames %s s apart: set Keyframe Interval to 2 s in the encoder;"
	    " viewers are now about %lld s behind", cli_seconds(m->gop_ms, a),
	    (long long)((3 * larger(m->gop_ms, s->segment_ms) + 500) / 1000)));
	return true;
}

static void
advise_feed(json_t *list, const struct board_stream *b, const struct board_feed *f)
{
	if (!f->on)
		return;
	if (f->video == BOARD_WAY_TRANSCODE && strcmp(f->video_why, "B-frames") == 0)
		add(list, b->name, xasprintf("its B-frames are nothing for WebRTC, so its video is encoded anew while"
		    " somebody watches: set B-frames to 0 in the encoder"));
	if (f->video == BOARD_WAY_REFUSED)
		add(list, b->name, xasprintf("its viewers by WebRTC get no picture: %s", f->video_why));
	if (f->dropped > 0)
		add(list, b->name, xasprintf("%llu frames were not given to its WebRTC worker, which is too slow:"
		    " streams are spread over webrtc.workers", (unsigned long long)f->dropped));
}

static void
advise_media(json_t *list, const struct cli_snap *s, const struct board_stream *b)
{
	const struct board_media *m = cli_snap_media(s, b);
	bool keys;

	if (m == NULL)
		return;
	keys = b->state == BOARD_STREAM_LIVE && (advise_silence(list, s, b, m) || advise_keys(list, s, b, m));
	advise_feed(list, b, &m->feed);
	if (m->warning[0] != '\0' && !(keys && strcasestr(m->warning, "key") != NULL))
		add(list, b->name, xstrdup(m->warning));
	if (m->dropped_frames > 0)
		add(list, b->name, xasprintf("%llu frames dropped for an output that fell behind:"
		    " a slow disk or too little CPU; streams.ring holds more",
		    (unsigned long long)m->dropped_frames));
}

static void
advise_output(json_t *list, const struct board_stream *b, const struct board_output *o)
{
	const char *reason = o->reason[0] != '\0' ? o->reason : "no reason known";

	if (strcmp(o->kind, "push") == 0 && o->dropped > 0)
		add(list, b->name, xasprintf("push %s has lost %llu frames: its target, or the way there, is slower"
		    " than the stream", o->id, (unsigned long long)o->dropped));
	if (strcmp(o->kind, "push") == 0 && strcmp(o->state, "up") != 0 && o->reason[0] != '\0')
		add(list, b->name, xasprintf("push %s to %s: %s", o->id, o->target, reason));
	else if (strcmp(o->kind, "push") == 0)
		return;
	else if (strcmp(o->state, "failed") == 0 && (strcmp(o->kind, "opus") == 0 || strcmp(o->kind, "h264") == 0))
		add(list, b->name, xasprintf("output %s has failed: %s. It is tried again for who comes when nobody has"
		    " watched for webrtc.linger", o->kind, reason));
	else if (strcmp(o->state, "failed") == 0)
		add(list, b->name, xasprintf("output %s has failed: %s. It is tried again when the publisher"
		    " comes back; `millrace kick %s` makes it", o->kind, reason, b->name));
	else if (strcmp(o->state, "backoff") == 0)
		add(list, b->name, xasprintf("output %s is being restarted (%u times so far): %s", o->kind,
		    o->restarts, reason));
}

static void
advise_stream(json_t *list, const struct cli_snap *s, const struct board_stream *b)
{
	char left[CLI_FORMAT];
	uint32_t i;

	if (b->state == BOARD_STREAM_RECONNECTING && b->until_ms > s->now_ms)
		add(list, b->name, xasprintf("the publisher is gone; waiting %s s more for it to come back",
		    cli_seconds(b->until_ms - s->now_ms, left)));
	advise_media(list, s, b);
	for (i = 0; i < b->noutputs && i < BOARD_OUTPUTS; i++)
		advise_output(list, b, &b->outputs[i]);
}

static void
advise_process(json_t *list, const struct board_proc *p)
{
	char left[CLI_FORMAT];

	if (strcmp(p->state, "backoff") == 0 && strcmp(p->kind, "ffmpeg") != 0)
		add(list, "", xasprintf("%s is down (%s); again in %s s", p->kind,
		    p->reason[0] != '\0' ? p->reason : "no reason known", cli_seconds(p->backoff_ms, left)));
	if (strcmp(p->kind, "hooks") == 0 && p->page.hooks.failing > 0 && p->page.hooks.error[0] != '\0')
		add(list, "", xasprintf("%d of %d webhooks do not take events, e.g. %s; they wait: `millrace hooks`",
		    p->page.hooks.failing, p->page.hooks.urls, p->page.hooks.error));
}

/* Standing notes of the supervisor, one a line. */
static void
advise_notes(json_t *list, const char *notes)
{
	size_t n;

	for (; *notes != '\0'; notes += n + (notes[n] == '\n')) {
		n = strcspn(notes, "\n");
		if (n > 0)
			add(list, "", xasprintf("%.*s", (int)n, notes));
	}
}

static void
advise_limit(json_t *list, const struct cli_snap *s)
{
	unsigned long long n = s->h.refusals[BOARD_REFUSED_LIMIT];
	int64_t age = s->wall_ms - s->h.limit_wall_ms;
	char ago[CLI_FORMAT];

	if (n > 0 && age < LIMIT_AGE_MS)
		add(list, "", xasprintf("%llu RTMP connection%s turned away since the start, the last %s ago: the log"
		    " says whose and by which of limits.connections, per_address, handshakes", n,
		    n == 1 ? " was" : "s were", cli_age(larger(age, 0), ago)));
}

json_t *
cli_advice(const struct cli_snap *s)
{
	const struct board_watch *w = cli_snap_watch(s);
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < s->nstreams; i++)
		advise_stream(list, s, &s->streams[i]);
	for (i = 0; i < s->nprocs; i++)
		advise_process(list, &s->procs[i]);
	advise_notes(list, s->h.notes);
	if (w != NULL && w->missing > 0)
		add(list, "", xasprintf("watched folder %s cannot be read, the log says why: its files wait",
		    w->missing_dir));
	advise_limit(list, s);
	if (s->h.log_dropped > 0)
		add(list, "", xasprintf("%llu log lines were lost: whoever reads millraced's stderr is too slow",
		    (unsigned long long)s->h.log_dropped));
	return list;
}
