/*
 * room_media.c - what comes into a room, as packets of its two tracks (contract in room.h). Called
 * by feed.c. Here times are made: one line for all publishers that a name has one after another.
 *
 * Times never go back. A source that was begun anew gives again what was sent already: its
 * pictures, which those after them need, follow a millisecond after each other until they have
 * caught up; its sound is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "rtc/h264.h"
#include "rtc/opus.h"
#include "room_int.h"
#include "util.h"
#include "webrtc.h"

#define PER_MS (OPUS_RATE / 1000)
#define AUDIO_DRIFT (50 * PER_MS)	/* farther off than this its own time counts again */

struct track *
room_video(struct room *r)
{
	return &r->video;
}

struct track *
room_audio(struct room *r)
{
	return &r->audio;
}

struct feed **
room_feed(struct room *r, enum room_track t)
{
	return &r->feeds[t];
}

void
room_sdp(const struct room *r, struct room_sdp *out)
{
	*out = (struct room_sdp){ .video_ssrc = r->video.ssrc, .rtx_ssrc = r->rtx_ssrc, .audio_ssrc = r->audio.ssrc,
		.cname = r->cname, .msid = r->msid, .profile_known = r->profile_known };
	memcpy(out->profile, r->profile, sizeof(out->profile));
}

bool
room_rtp_now(const struct room *r, bool video, int64_t now, uint32_t *rtp)
{
	int64_t at = clock_at(&r->clock, now);

	if (video ? !r->video_begun : !r->audio_begun)
		return false;
	*rtp = track_time(video ? &r->video : &r->audio, at) + (video ? 0 : (uint32_t)(r->audio_skew / 16));
	return true;
}

bool
room_is_other(const struct room *r, int64_t ingest)
{
	return !r->clock.begun || ingest != r->ingest;
}

void
room_switch(struct room *r, int64_t ingest, int64_t newest_ms)
{
	clock_switch(&r->clock, newest_ms, now_ms());
	r->ingest = ingest;
}

int64_t
room_age_ms(const struct room *r, int64_t ingest, int64_t source_ms)
{
	return room_is_other(r, ingest) ? 0 : clock_at(&r->clock, now_ms()) - clock_room_ms(&r->clock, source_ms);
}

void
room_cut(struct room *r)
{
	r->video.gop = r->video.gop_before = TRACK_NONE;
}

/* The room's time of what comes now from that ingest. */
static int64_t
arrive(struct room *r, int64_t ingest, int64_t source_ms)
{
	int64_t now = now_ms(), at;

	if (room_is_other(r, ingest))
		room_switch(r, ingest, source_ms);
	at = clock_room_ms(&r->clock, source_ms);
	clock_seen(&r->clock, at, now);
	return at;
}

int64_t
room_unroll(const struct room *r, int64_t ingest, uint32_t ms)
{
	return ingest == r->ingest ? clock_unroll(&r->clock, ms) : ms;
}

/* --- video --- */

struct adding { struct room *r; uint32_t ts; bool fresh, idr, first; int64_t now; };

static void
add_payload(void *ctx, const uint8_t *head, size_t head_len, const uint8_t *body, size_t body_len, bool last)
{
	struct adding *a = ctx;

	if (a->fresh && !a->idr)
		return;
	track_add(&a->r->video, a->ts, last, a->idr && a->first, head, head_len, body, body_len, a->now);
	a->first = false;
}

bool
room_give_video(struct room *r, int64_t ingest, struct h264_pack *pack, const uint8_t *unit, size_t len,
    uint32_t pts_ms, bool fresh)
{
	struct adding a = { .r = r, .fresh = fresh, .first = true, .now = now_ms() };
	int64_t at = arrive(r, ingest, room_unroll(r, ingest, pts_ms));

	if (r->video_begun && at <= r->video_ms)
		at = r->video_ms + 1;
	a.ts = track_time(&r->video, at);
	if (h264_pack_unit(pack, unit, len, &a.idr, add_payload, &a) < 0 || a.first)
		return false;
	r->video_begun = true;
	r->video_ms = at;
	if (a.idr)
		r->profile_known = h264_pack_profile(pack, r->profile);
	return a.idr;
}

/* --- audio --- */

/* at: its own time, samples of room time. Where the packet begins, or -1: it was sent already. */
static int64_t
audio_time(struct room *r, int64_t at)
{
	int64_t off = at - r->audio_at;

	if (!r->audio_begun || off > AUDIO_DRIFT)
		return at;
	return off < -AUDIO_DRIFT ? -1 : r->audio_at;
}

static void
add_audio(struct room *r, const uint8_t *packet, size_t len, int64_t at)
{
	int samples = opus_samples(packet, len);
	bool jump;
	int64_t begin;

	if (samples < 0 || len > TRACK_RTP_MAX - TRACK_RTP_HEAD || at < 0)
		return;
	begin = audio_time(r, at);
	if (begin < 0)
		return;
	jump = !r->audio_begun || begin != r->audio_at;
	r->audio_skew = jump ? 0 : r->audio_skew + ((begin - at) * 16 - r->audio_skew) / 16;
	r->audio_begun = true;
	r->audio_at = begin + samples;
	/* The marker: the first packet after a gap (RFC 3551 4.1). */
	track_add(&r->audio, r->audio.base + (uint32_t)begin, jump, false, NULL, 0, packet, len, now_ms());
}

void
room_give_audio(struct room *r, int64_t ingest, const uint8_t *packet, size_t len, int64_t at)
{
	arrive(r, ingest, at / PER_MS);
	add_audio(r, packet, len, at + r->clock.shift_ms * PER_MS);
}

void
room_give_audio_ms(struct room *r, int64_t ingest, const uint8_t *packet, size_t len, uint32_t ms)
{
	add_audio(r, packet, len, arrive(r, ingest, room_unroll(r, ingest, ms)) * PER_MS);
}
