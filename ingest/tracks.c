/*
 * tracks.c - generations of tracks and headers (contract in tracks.h).
 *
 * A change takes effect at the next video key frame, so that what comes before it still
 * belongs to the old decoder's view; only the end of the video track takes effect at once.
 */
#include "tracks.h"

#include <stdio.h>
#include <string.h>

#include "matroska.h"

#define VIDEO_GONE_MS 2000	/* audio goes on, no picture for this long: the track has ended */
#define WAIT_KEY_MS 3000	/* audio waits this long for the first key frame of a video it knows of */
#define CHANGES_MS 10000	/* streams.header_changes count for */
#define WAIT_TRACK_MS 500	/* nothing starts before that, unless both tracks are there */

#define AVC FLV_FOURCC('a', 'v', 'c', '1')
#define HEVC FLV_FOURCC('h', 'v', 'c', '1')
#define AV1 FLV_FOURCC('a', 'v', '0', '1')
#define VP9 FLV_FOURCC('v', 'p', '0', '9')
#define AAC FLV_FOURCC('m', 'p', '4', 'a')
#define OPUS FLV_FOURCC('O', 'p', 'u', 's')
#define MP3 FLV_FOURCC('.', 'm', 'p', '3')
#define OPUS_HEAD_CHANNELS 9	/* where OpusHead has them, RFC 7845 5.1 */
#define LEGACY 16	/* codec ids of before FourCCs are less */

void
tracks_init(struct tracks *t, int changes_max)
{
	memset(t, 0, sizeof(*t));
	t->changes_max = changes_max;
	t->gen = ring_gen_new(NULL);
}

void
tracks_free(struct tracks *t)
{
	ring_gen_unref(&t->gen);
	ring_gen_unref(&t->pending);
}

static bool
supported(struct tracks *t, const struct flv_info *info)
{
	bool audio = info->type == FLV_AUDIO;
	char name[32];

	if (matroska_takes(info->codec) || (audio && info->codec < LEGACY && !info->enhanced))
		return true;
	flv_codec_say(info, name, sizeof(name));
	snprintf(t->unsupported, sizeof(t->unsupported), "%s %s is not taken here: send %s",
	    audio ? "audio" : "video", name,
	    audio ? "AAC, Opus or MP3" : "H.264, HEVC, AV1 or VP9");
	return false;
}

/* Old audio codecs go through FLV only, new video never does. */
static void
check_together(struct tracks *t, const struct ring_gen *g)
{
	if (ring_gen_enhanced(g) && g->audio && g->audio_codec < LEGACY)
		snprintf(t->unsupported, sizeof(t->unsupported), "audio %s is not taken with video %s: send AAC",
		    flv_codec_name(g->audio_codec), flv_codec_name(g->video_codec));
}

static bool
needs_header(uint32_t codec)
{
	return codec == AVC || codec == HEVC || codec == AV1 || codec == AAC || codec == OPUS;
}

static void
video_facts(const struct tracks *t, struct ring_gen *g, const struct flv_info *info, const uint8_t *body)
{
	const uint8_t *p = body + info->payload;
	int rc = info->codec == AVC ? flv_avc_size(p, info->payload_len, &g->width, &g->height) :
	    info->codec == HEVC ? flv_hevc_size(p, info->payload_len, &g->width, &g->height) :
	    info->codec == AV1 ? flv_av1_size(p, info->payload_len, &g->width, &g->height) :
	    flv_vp9_size(p, info->payload_len, &g->width, &g->height);

	if (rc < 0) {		/* the encoder's word */
		g->width = t->told_width;
		g->height = t->told_height;
	}
}

static void
audio_facts(struct ring_gen *g, const struct flv_info *info, const uint8_t *body)
{
	g->rate = info->sample_rate;
	g->channels = info->channels;
	if (info->codec == AAC)
		flv_aac_config(body + info->payload, info->payload_len, &g->rate, &g->channels);
	else if (info->codec == OPUS && info->payload_len > OPUS_HEAD_CHANNELS) {
		g->rate = 48000;
		g->channels = body[info->payload + OPUS_HEAD_CHANNELS];
	}
}

/* A track with its header, or (NULL) its first frame. */
static void
set_track(struct tracks *t, struct ring_gen *g, const struct flv_info *info, const uint8_t *body, const uint8_t *header,
    size_t len)
{
	ring_gen_set(g, info, header, len);
	if (info->type == FLV_VIDEO)
		video_facts(t, g, info, body);
	else
		audio_facts(g, info, body);
	check_together(t, g);
}

/* The generation that is being prepared; before an output can have started that is the current one. */
static struct ring_gen *
draft(struct tracks *t)
{
	if (!t->gen->settled)
		return t->gen;
	if (t->pending == NULL)
		t->pending = ring_gen_new(t->gen);
	return t->pending;
}

static bool
same_header(const struct ring_gen *g, bool audio, const uint8_t *body, size_t len)
{
	const uint8_t *have = audio ? g->audio_header : g->video_header;

	return have != NULL && (audio ? g->audio_len : g->video_len) == len && memcmp(have, body, len) == 0;
}

/*
 * ffmpeg writes one before it knows what to put in, and the real one right after. Taken for a track it
 * would begin a generation (a file, a child) that ends with the first sound.
 */
static bool
is_blank(const struct flv_info *info)
{
	return info->payload_len == 0 && (info->codec == AVC || info->codec == AAC);
}

static void
take_header(struct tracks *t, const struct flv_info *info, const uint8_t *body, size_t len)
{
	const struct ring_gen *newest = t->pending != NULL ? t->pending : t->gen;
	struct ring_gen *g;

	if (same_header(newest, info->type == FLV_AUDIO, body, len))
		return;
	g = draft(t);
	set_track(t, g, info, body, body, len);
}

/* Each generation is a file, and a child of every output: nobody may have them by the thousand. */
static bool
may_change(struct tracks *t, int64_t now)
{
	if (t->changes == 0 || now - t->changes_ms > CHANGES_MS) {
		t->changes = 0;
		t->changes_ms = now;
	}
	if (t->changes < t->changes_max) {
		t->changes++;
		return true;
	}
	snprintf(t->unsupported, sizeof(t->unsupported), "headers change too often: more than streams.header_changes "
	    "(%d) in %d s", t->changes_max, CHANGES_MS / 1000);
	return false;
}

static void
switch_pending(struct tracks *t, int64_t now)
{
	if (t->pending == NULL || !may_change(t, now))
		return;
	ring_gen_unref(&t->gen);
	t->gen = t->pending;
	t->pending = NULL;
}

/* A codec without a sequence header announces itself by its first frame. */
static void
announce(struct tracks *t, const struct flv_info *info, const uint8_t *body)
{
	const struct ring_gen *newest = t->pending != NULL ? t->pending : t->gen;
	struct ring_gen *g;

	if (needs_header(info->codec) || (info->type == FLV_AUDIO ? newest->audio : newest->video))
		return;
	g = draft(t);
	set_track(t, g, info, body, NULL, 0);
}

static enum tracks_verdict
take_video(struct tracks *t, const struct flv_info *info, const uint8_t *body, int64_t now)
{
	if (info->keyframe) {
		switch_pending(t, now);
		/* VP9's header does not tell the size */
		if (info->codec == VP9 && t->gen->width == 0)
			video_facts(t, t->gen, info, body);
	}
	/* a video track that came after audio begins with its first key frame */
	if (!t->gen->video || (needs_header(t->gen->video_codec) && t->gen->video_header == NULL))
		return TRACKS_DROP;
	if (!t->begun && !info->keyframe)
		return TRACKS_DROP;
	return TRACKS_FRAME;
}

/* Until it has begun, audio is kept: it may belong to the first key frame that is about to come. */
static enum tracks_verdict
take_audio(struct tracks *t, int64_t now)
{
	bool waits = t->gen->video || t->expect_video;

	if (!t->gen->audio || (needs_header(t->gen->audio_codec) && t->gen->audio_header == NULL))
		return TRACKS_DROP;
	if (!t->begun && t->gen->settled && (!waits || now - t->first_ms >= WAIT_KEY_MS)) {
		if (t->gen->video && t->pending == NULL)
			t->pending = ring_gen_new(t->gen);	/* its key frame may still come */
		t->gen->video = false;
		t->begun = true;
	}
	return TRACKS_FRAME;
}

/* Are all tracks there that can be expected? Late ones cost a new child each. */
static void
settle(struct tracks *t, int64_t now)
{
	const struct ring_gen *g = t->gen;
	bool all = t->told && (g->video || !t->expect_video) && (g->audio || !t->expect_audio);

	if (!g->settled && (g->video || g->audio))
		t->gen->settled = (g->video && g->audio) || all || now - t->first_ms >= WAIT_TRACK_MS;
}

enum tracks_verdict
tracks_take(struct tracks *t, const struct flv_info *info, const uint8_t *body, size_t len, int64_t now)
{
	bool audio = info->type == FLV_AUDIO;
	enum tracks_verdict v;

	if (t->first_ms == 0)
		t->first_ms = now;
	if (t->unsupported[0] != '\0' || info->metadata || info->sequence_end || info->multitrack ||
	    !supported(t, info))
		return TRACKS_DROP;
	if (info->sequence_header) {
		if (is_blank(info))
			return TRACKS_DROP;
		take_header(t, info, body, len);
		return TRACKS_HEADER;
	}
	if (info->payload_len == 0)
		return TRACKS_DROP;
	announce(t, info, body);
	*(audio ? &t->last_audio_ms : &t->last_video_ms) = now;
	v = audio ? take_audio(t, now) : take_video(t, info, body, now);
	if (t->unsupported[0] != '\0')		/* its header was not taken */
		return TRACKS_DROP;
	if (v == TRACKS_FRAME && !audio)
		t->begun = true;
	settle(t, now);
	return v;
}

bool
tracks_tick(struct tracks *t, int64_t ahead_ms, int64_t now)
{
	struct ring_gen *alone;

	settle(t, now);
	if (!t->begun || !t->gen->audio)
		return false;
	if (!t->gen->video) {	/* audio alone: late headers of audio take effect at once */
		if (t->pending != NULL && !t->pending->video)
			switch_pending(t, now);
		return false;
	}
	if (now - t->last_video_ms < VIDEO_GONE_MS || now - t->last_audio_ms > VIDEO_GONE_MS / 2)
		return false;
	/* what comes in fits and starts (an encoder of ours that is starved) is late, but has both */
	if (ahead_ms < VIDEO_GONE_MS / 2)
		return false;
	/* the headers stay in a draft, so that the track can come back */
	if (t->pending == NULL)
		t->pending = ring_gen_new(t->gen);
	alone = ring_gen_new(t->gen);
	alone->video = false;
	ring_gen_unref(&t->gen);
	t->gen = alone;
	return true;
}

void
tracks_warning(const struct tracks *t, char *buf, size_t size)
{
	const struct ring_gen *g = t->gen;
	const char *profile = NULL;

	if (g->video && g->video_codec == AVC && g->video_header != NULL)
		profile = flv_avc_rare(g->video_header + g->video_config, g->video_config_len);
	buf[0] = '\0';
	if (profile != NULL)
		snprintf(buf, size, "most browsers cannot play H.264 profile %s: set Profile to high (or main) and the "
		    "pixel format to 4:2:0, 8 bits (yuv420p, NV12) in the encoder", profile);
}

static enum board_track_codec
board_codec(bool on, uint32_t codec)
{
	static const struct { uint32_t codec; enum board_track_codec board; } names[] = {
		{ AVC, BOARD_H264 }, { HEVC, BOARD_HEVC }, { AV1, BOARD_AV1 }, { VP9, BOARD_VP9 },
		{ AAC, BOARD_AAC }, { OPUS, BOARD_OPUS }, { MP3, BOARD_MP3 },
	};

	for (unsigned i = 0; on && i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].codec == codec)
			return names[i].board;
	return on ? BOARD_OTHER : BOARD_CODEC_NONE;
}

void
tracks_board(const struct tracks *t, struct board_media *m)
{
	const struct ring_gen *g = t->gen;

	m->video_codec = board_codec(g->video, g->video_codec);
	m->audio_codec = board_codec(g->audio, g->audio_codec);
	m->width = g->video ? g->width : 0;
	m->height = g->video ? g->height : 0;
	m->audio_rate = g->audio ? g->rate : 0;
	m->audio_channels = g->audio ? g->channels : 0;
}
