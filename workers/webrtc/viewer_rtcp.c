/*
 * viewer_rtcp.c - RTCP of a viewer: what it reports and asks for, and our sender reports, from
 * which a browser knows what sound belongs to what picture. Called by viewer.c.
 */
#include "rtc/rtcp.h"
#include "room.h"
#include "util.h"
#include "viewer_int.h"
#include "webrtc.h"

#define REPORT_MS 1000

static struct track *
track_of(struct viewer *v, uint32_t ssrc)
{
	if (ssrc == room_video(v->room)->ssrc)
		return room_video(v->room);
	return ssrc == room_audio(v->room)->ssrc ? room_audio(v->room) : NULL;
}

/* From the last reports' numbers to what was lost since: never less than nothing, late ones lower them. */
static void
count_lost(struct viewer_sent *sent, const struct rtcp_report *r)
{
	if (r->lost > sent->lost)
		webrtc.lost += (uint32_t)(r->lost - sent->lost);
	sent->lost = r->lost;
}

static void
on_report(void *ctx, uint32_t from, const struct rtcp_report *r)
{
	struct viewer *v = ctx;
	const struct track *t = track_of(v, r->ssrc);
	bool video = t == room_video(v->room);

	if (t == NULL)
		return;
	count_lost(video ? &v->video : &v->audio, r);
	if (!video && v->codecs.video_pt != 0)
		return;
	v->stats.lost = r->lost > 0 ? (uint32_t)r->lost : 0;
	v->stats.fraction_lost = r->fraction;
	v->stats.jitter_us = (int64_t)r->jitter * 1000000 / t->hz;
	if (r->lsr != 0)
		v->stats.rtt_us = rtcp_round_trip_us(r, rtcp_ntp(webrtc_wall_us()));
}

static void
on_nack(void *ctx, uint32_t media, uint16_t seq)
{
	struct viewer *v = ctx;
	struct track *t = track_of(v, media);

	if (t != NULL)
		viewer_lost(v, t, seq, now_ms());
}

static void
on_key_wanted(void *ctx, uint32_t media)
{
	struct viewer *v = ctx;

	if (media == room_video(v->room)->ssrc)
		viewer_want_key(v, now_ms());
}

void
viewer_take_rtcp(struct viewer *v, const uint8_t *p, size_t n)
{
	static const struct rtcp_ops ops = { .report = on_report, .nack = on_nack, .key_wanted = on_key_wanted };

	rtcp_parse(p, n, &ops, v);
}

static void
send_report(struct viewer *v, const struct track *t, const struct viewer_sent *sent, bool video, int64_t now)
{
	struct rtcp_sr sr = { .ssrc = t->ssrc, .ntp = rtcp_ntp(webrtc_wall_us()),
		.packets = sent->packets, .octets = sent->octets };
	uint8_t out[RTCP_MAX];
	struct room_sdp sdp;
	size_t n;

	if (!room_rtp_now(v->room, video, now, &sr.rtp))
		return;
	room_sdp(v->room, &sdp);
	n = rtcp_write_sr(out, sizeof(out), &sr, sdp.cname);
	rtc_peer_send_rtcp(v->peer, out, n);
}

void
viewer_send_reports(struct viewer *v, int64_t now)
{
	v->report_ms = now + REPORT_MS;
	if (v->codecs.video_pt != 0)
		send_report(v, room_video(v->room), &v->video, true, now);
	if (v->codecs.audio_pt != 0)
		send_report(v, room_audio(v->room), &v->audio, false, now);
}
