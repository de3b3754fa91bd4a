/*
 * viewer.c - a peer's life and where it is in its room's ring (contract in viewer.h). Called by
 * room.c with new media, by calls.c and signal.c that own it; rtc/peer.h calls back.
 *
 * Who begins gets the newest GOP at PACE times its speed, by a timer that all who are behind
 * share: what a browser cannot have yet it does not get in a burst at line rate, and the key
 * frame is there at once. At the end of the ring it is live and gets packets as they come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "room.h"
#include "util.h"
#include "viewer_int.h"
#include "webrtc.h"
#include "workers/common/address.h"

#define PACE 4
#define PACE_BYTES 65536		/* of one viewer in one turn of the pacer */
#define VIDEO_PER_MS 90
#define PROFILE_HIGH 100
#define PATIENCE_MS 3000		/* of who was not reached; who goes sooner did not wait for it */

static TAILQ_HEAD(, viewer) later = TAILQ_HEAD_INITIALIZER(later);
static struct event *pacer;
static bool pacing;

void
viewer_give_later(struct viewer *v)
{
	struct timeval tv = { 0, WEBRTC_PACE_MS * 1000 };

	if (v->is_later)
		return;
	v->is_later = true;
	TAILQ_INSERT_TAIL(&later, v, later);
	if (!pacing)
		event_add(pacer, &tv);
	pacing = true;
}

static void
not_later(struct viewer *v)
{
	if (v->is_later)
		TAILQ_REMOVE(&later, v, later);
	v->is_later = false;
}

void
viewer_send(struct viewer *v, struct track *t, struct packet *p)
{
	bool video = t->hz != 48000;
	struct viewer_sent *sent = video ? &v->video : &v->audio;

	p->rtp[1] = (uint8_t)((p->rtp[1] & 0x80) | (video ? v->codecs.video_pt : v->codecs.audio_pt));
	rtc_peer_send_rtp(v->peer, p->rtp, p->len);
	if (sent->packets == 0)
		v->report_ms = 0;	/* what belongs to what is to be known from the beginning */
	sent->packets++;
	sent->octets += p->len - TRACK_RTP_HEAD;
	v->stats.sent_packets++;
	v->stats.sent_bytes += p->len;
	webrtc.sent_packets++;
	webrtc.sent_bytes += p->len;
}

/* --- video --- */

/*
 * With its first picture it is known what the stream is. Later it stays as it is: a packet that is sent
 * again has to be the same (SRTP).
 */
static void
choose_profile(struct viewer *v)
{
	struct room_sdp room;

	room_sdp(v->room, &room);
	if (v->video.packets > 0 || v->codecs.high_pt == 0 || !room.profile_known || room.profile[0] != PROFILE_HIGH)
		return;
	v->codecs.video_pt = v->codecs.high_pt;
	v->codecs.rtx_pt = v->codecs.high_rtx_pt;
}

static void
begin_video(struct viewer *v, struct track *t, int64_t now)
{
	const struct packet *p = track_get(t, t->gop);

	v->at = v->gop = p != NULL ? t->gop : TRACK_NONE;
	v->behind = p != NULL;
	if (p == NULL)
		return;
	choose_profile(v);
	v->pace_ts = p->ts;
	v->pace_ms = now;
	viewer_give_later(v);
}

/* Up to the RTP time `until`, if it has one; true: that is all there is. */
static bool
send_video(struct viewer *v, struct track *t, const uint32_t *until, size_t most)
{
	struct packet *p;
	size_t sent = 0;

	while (v->at < t->next) {
		p = track_get(t, v->at);
		if (sent >= most || (until != NULL && (int32_t)(p->ts - *until) > 0))
			return false;
		if (p->key)
			v->gop = v->at;
		viewer_send(v, t, p);
		sent += p->len;
		v->at++;
	}
	return true;
}

static void
pump_video(struct viewer *v, int64_t now, bool paced)
{
	struct track *t = room_video(v->room);
	uint32_t until;

	if (v->codecs.video_pt == 0 || (v->behind && !paced))
		return;
	/* Where it was is out of the ring, or it waits for a beginning. */
	if (v->at == TRACK_NONE || v->at < t->first)
		begin_video(v, t, now);
	if (v->at == TRACK_NONE)
		return;
	until = v->pace_ts + (uint32_t)((now - v->pace_ms) * PACE * VIDEO_PER_MS);
	if (send_video(v, t, v->behind ? &until : NULL, v->behind ? PACE_BYTES : SIZE_MAX))
		v->behind = false;
}

static void
pump_audio(struct viewer *v)
{
	struct track *t = room_audio(v->room);
	struct packet *p;

	if (v->codecs.audio_pt == 0)
		v->audio_at = t->next;
	if (v->audio_at < t->first)
		v->audio_at = t->first;
	for (; v->audio_at < t->next; v->audio_at++) {
		p = track_get(t, v->audio_at);
		viewer_send(v, t, p);
	}
}

void
viewer_pump(struct viewer *v, int64_t now)
{
	if (!v->connected)
		return;
	pump_audio(v);
	pump_video(v, now, false);
}

static void
pace_cb(evutil_socket_t fd, short what, void *ctx)
{
	int64_t now = now_ms();
	struct viewer *v, *next;

	for (v = TAILQ_FIRST(&later); v != NULL; v = next) {
		next = TAILQ_NEXT(v, later);
		pump_video(v, now, true);
		viewer_again_pump(v, now);
		if (!v->behind && !viewer_again_pending(v))
			not_later(v);
	}
	pacing = !TAILQ_EMPTY(&later);
	if (!pacing)
		event_del(pacer);
}

void
viewer_tick(struct viewer *v, int64_t now)
{
	if (v->connected && now >= v->report_ms)
		viewer_send_reports(v, now);
}

/* --- what the peer says --- */

static void
on_connected(void *ctx)
{
	struct viewer *v = ctx;
	int64_t now = now_ms();

	v->connected = true;
	v->since_ms = now;
	v->audio_at = room_audio(v->room)->next;
	room_connected(v->room, 1);
	webrtc.viewers_total++;
	plays_came(v);
	viewer_send_reports(v, now);
	/* Not at once, but by the pacer: Firefox loses what comes on the heels of the handshake. */
	if (v->codecs.video_pt != 0)
		begin_video(v, room_video(v->room), now);
	if (v->ops->connected != NULL)
		v->ops->connected(v->ctx);
}

static void
on_rtcp(void *ctx, uint8_t *p, size_t n)
{
	viewer_take_rtcp(ctx, p, n);
}

static void
disconnect(struct viewer *v)
{
	not_later(v);
	if (v->connected) {
		room_connected(v->room, -1);
		plays_gone(v);
	}
	v->connected = false;
}

static void
count_unreached(void)
{
	webrtc.failed_ice++;
	webrtc.failed_ice_ms = now_ms();
}

void
viewer_gave_up(const struct viewer *v)
{
	struct rtc_peer_stats p;

	rtc_peer_stats(v->peer, &p);
	if (p.address[0] == '\0' && now_ms() - v->made_ms >= PATIENCE_MS)
		count_unreached();
}

static void
on_gone(void *ctx, const char *why)
{
	struct viewer *v = ctx;

	if (strcmp(why, RTC_GONE_NO_ICE) == 0)
		count_unreached();
	else if (strcmp(why, RTC_GONE_DISPLACED) == 0)
		webrtc.refused++;
	else if (!v->connected)
		webrtc.failed_dtls++;
	disconnect(v);
	v->ops->gone(v->ctx, why);
}

/* --- a viewer's life --- */

/* Before anybody has to make room for it. 0, or -1 + errno. */
static int
count_in(struct viewer *v, const char *from)
{
	errno = ENOSPC;
	if (webrtc.viewers >= (unsigned)webrtc.limits.max_viewers)
		return -1;
	if (net_parse(from, &v->from) < 0)
		return 0;
	v->counted = address_take((struct sockaddr *)&v->from.ss, webrtc.limits.max_per_address);
	errno = EDQUOT;
	return v->counted ? 0 : -1;
}

static void
count_out(struct viewer *v)
{
	if (v->counted)
		address_give((struct sockaddr *)&v->from.ss);
}

const char *
viewer_refusal(int error)
{
	if (error == EDQUOT)
		return "there are as many viewers from this address as there may be (webrtc.max_per_address)";
	if (error == ENOSPC)
		return "this server has as many viewers as it can take (webrtc.max_viewers, webrtc.max_handshakes)";
	return "its fingerprint is none";
}

struct viewer *
viewer_new(struct room *room, const char *from, const char *fingerprint, const struct viewer_codecs *codecs,
    const struct viewer_ops *ops, void *ctx)
{
	static const struct rtc_peer_ops peer_ops = { .connected = on_connected, .rtcp = on_rtcp, .gone = on_gone };
	struct viewer *v = xcalloc(1, sizeof(*v));

	if (count_in(v, from) == 0)
		v->peer = rtc_peer_new(webrtc.net, fingerprint, &peer_ops, v);
	if (v->peer == NULL) {
		webrtc.refused += errno != EINVAL;
		count_out(v);
		free(v);
		return NULL;
	}
	v->room = room;
	v->codecs = *codecs;
	v->ops = ops;
	v->ctx = ctx;
	v->made_ms = now_ms();
	v->at = v->gop = TRACK_NONE;
	v->again_ms = INT64_MIN / 2;
	v->stats.jitter_us = v->stats.rtt_us = -1;
	if (getrandom(&v->rtx_seq, sizeof(v->rtx_seq), 0) == (ssize_t)sizeof(v->rtx_seq))
		v->rtx_seq &= 0x7fff;
	room_add_viewer(room, v);
	webrtc.viewers++;
	return v;
}

void
viewer_free(struct viewer **vp)
{
	struct viewer *v = *vp;

	*vp = NULL;
	if (v == NULL)
		return;
	disconnect(v);
	rtc_peer_free(&v->peer);
	room_remove_viewer(v->room, v);
	webrtc.viewers--;
	count_out(v);
	free(v);
}

void
viewer_set_codecs(struct viewer *v, const struct viewer_codecs *codecs)
{
	v->codecs = *codecs;
}

struct rtc_peer *
viewer_peer(struct viewer *v)
{
	return v->peer;
}

struct room *
viewer_room(struct viewer *v)
{
	return v->room;
}

void
viewer_get_stats(const struct viewer *v, struct viewer_stats *out)
{
	const struct track *t = room_video(v->room);
	const struct packet *p = v->at != TRACK_NONE ? track_get(t, v->at) : NULL;

	*out = v->stats;
	out->connected = v->connected;
	out->since_ms = v->since_ms;
	out->behind_ms = p != NULL ? now_ms() - p->came_ms : 0;
}

void
viewer_start(void)
{
	pacer = event_new(webrtc.svc->base, -1, EV_PERSIST, pace_cb, NULL);
}

void
viewer_stop(void)
{
	event_free(pacer);
	pacer = NULL;
	pacing = false;
}
