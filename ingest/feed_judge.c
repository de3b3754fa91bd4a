/*
 * feed_judge.c - what goes to browsers as it is (contract in feed_judge.h). Called by browsers.c.
 *
 * Where the SPS has no bitstream_restriction an encoder may still have B-frames: then a frame whose
 * pts lies before that of one decoded earlier is one, however late the first of them comes.
 */
#include "feed_judge.h"

#include <stdio.h>
#include <string.h>

#include "util.h"

#define FRAMES_SURE 16		/* without a B-frame among them: encoders place them every few frames */
#define AVC FLV_FOURCC('a', 'v', 'c', '1')
#define OPUS FLV_FOURCC('O', 'p', 'u', 's')
#define BASELINE 66
#define EXTENDED 88
#define OPUS_HEAD_FAMILY 18	/* of OpusHead (RFC 7845 5.1) */

enum feed_transcode
feed_judge_mode(const char *word)
{
	return strcmp(word, "always") == 0 ? FEED_ALWAYS : strcmp(word, "never") == 0 ? FEED_NEVER : FEED_AUTO;
}

static void
set(struct feed_verdict *v, enum feed_way way, const char *why)
{
	v->way = way;
	str_copy(v->why, why, sizeof(v->why));
}

static void
cannot_go(struct feed_judge *j, const char *why)
{
	char text[sizeof(j->video.why)];

	snprintf(text, sizeof(text), "%s%s", why, j->mode == FEED_NEVER ? "; webrtc.transcode: never" : "");
	set(&j->video, j->mode == FEED_NEVER ? FEED_REFUSED : FEED_TRANSCODE, text);
}

/* What none of the browsers' H.264 decoders takes; NULL: nothing of the kind. */
static const char *
rare(const struct flv_avc *avc, char *buf, size_t size)
{
	if (avc->depth > 8) {
		snprintf(buf, size, "%d bits a sample", avc->depth);
		return buf;
	}
	if (avc->chroma != 1)
		return avc->chroma == 2 ? "4:2:2" : avc->chroma == 3 ? "4:4:4" : "monochrome";
	return avc->profile == EXTENDED ? "H.264 Extended profile" : NULL;
}

static void
judge_h264(struct feed_judge *j, const struct ring_gen *g)
{
	struct flv_avc avc;
	const char *why;
	char buf[40];

	if (g->video_header == NULL)
		return;
	if (flv_avc_read(g->video_header + g->video_config, g->video_config_len, &avc) < 0)
		cannot_go(j, "its SPS cannot be read");
	else if ((why = rare(&avc, buf, sizeof(buf))) != NULL)
		cannot_go(j, why);
	else if (avc.reorder > 0)
		cannot_go(j, "B-frames");
	else if (j->mode == FEED_ALWAYS)
		cannot_go(j, "webrtc.transcode: always");
	else if (avc.reorder == 0 || avc.in_order || avc.profile == BASELINE)
		set(&j->video, FEED_COPY, "H.264 without B-frames");
}

static void
judge_audio(struct feed_judge *j, const struct ring_gen *g)
{
	const uint8_t *head = g->audio_header != NULL ? g->audio_header + g->audio_config : NULL;

	if (g->audio_codec != OPUS)
		set(&j->audio, FEED_TRANSCODE, flv_codec_name(g->audio_codec));
	else if (head != NULL && g->audio_config_len > OPUS_HEAD_FAMILY && head[OPUS_HEAD_FAMILY] != 0)
		set(&j->audio, FEED_TRANSCODE, "Opus of more than two channels");
	else
		set(&j->audio, FEED_COPY, "Opus");
}

void
feed_judge_gen(struct feed_judge *j, const struct ring_gen *g)
{
	j->frames = 0;
	set(&j->video, g->video ? FEED_WAITS : FEED_NONE, "");
	set(&j->audio, FEED_NONE, "");
	if (g->video && g->video_codec == AVC)
		judge_h264(j, g);
	else if (g->video)
		cannot_go(j, flv_codec_name(g->video_codec));
	if (g->audio)
		judge_audio(j, g);
}

bool
feed_judge_frame(struct feed_judge *j, const struct tag *t)
{
	if (t->audio || (j->video.way != FEED_WAITS && (j->video.way != FEED_COPY || j->frames == 0)))
		return false;
	if (j->frames > 0 && t->pts_ms < j->pts_ms && !t->key) {
		cannot_go(j, "B-frames");
		return true;
	}
	j->pts_ms = t->pts_ms;
	if (++j->frames != FRAMES_SURE)
		return false;
	set(&j->video, FEED_COPY, "H.264 without B-frames, as far as seen");
	return true;
}
