/*
 * viewer_again.c - what a viewer lost is sent again: single packets that it asks for (NACK, RFC
 * 4585), or, when it cannot go on without a key frame (PLI), all from the newest one that it
 * was sent: the publisher cannot be asked for one. Called by viewer_rtcp.c and the pacer.
 *
 * It costs what a viewer says, so it has a budget: as many bytes as the stream itself has, in the
 * long run, and twice a GOP at once. Over RTX (RFC 4588 4) with an SSRC and numbers of its own;
 * without RTX the same packet once more.
 */
#include <string.h>

#include "be.h"
#include "rtc/rtcp.h"
#include "room.h"
#include "viewer_int.h"
#include "webrtc.h"

#define AGAIN_MS 300			/* Chromium asks every 200 ms */
#define AGAIN_SPEED 8			/* of a GOP: this many times the stream's own bytes, */
#define AGAIN_MIN 16384			/* but so many in one turn of the pacer in any case */
#define BUDGET_MIN (1024 * 1024)
#define RATE_MIN (128 * 1024)		/* bytes a second */
#define OSN 2				/* the original number, in front of the payload */

static bool
may_send(struct viewer *v, size_t bytes, int64_t now)
{
	const struct track *t = room_video(v->room);
	int64_t most = t->gop_bytes * 2 > BUDGET_MIN ? (int64_t)t->gop_bytes * 2 : BUDGET_MIN;
	int64_t rate = t->byte_rate > RATE_MIN ? t->byte_rate : RATE_MIN;

	v->budget += (v->budget_ms == 0 ? most : (now - v->budget_ms) * rate / 1000);
	v->budget_ms = now;
	if (v->budget > most)
		v->budget = most;
	if (v->budget < (int64_t)bytes)
		return false;
	v->budget -= (int64_t)bytes;
	return true;
}

static void
send_rtx(struct viewer *v, const struct packet *p)
{
	uint8_t rtx[TRACK_RTP_MAX + OSN];
	struct room_sdp sdp;

	room_sdp(v->room, &sdp);
	memcpy(rtx, p->rtp, TRACK_RTP_HEAD);
	rtx[1] = (uint8_t)((p->rtp[1] & 0x80) | v->codecs.rtx_pt);
	be_put(rtx + 2, 2, v->rtx_seq++);
	be_put(rtx + 8, 4, sdp.rtx_ssrc);
	memcpy(rtx + TRACK_RTP_HEAD, p->rtp + 2, OSN);
	memcpy(rtx + TRACK_RTP_HEAD + OSN, p->rtp + TRACK_RTP_HEAD, p->len - (size_t)TRACK_RTP_HEAD);
	rtc_peer_send_rtp(v->peer, rtx, p->len + (size_t)OSN);
	v->stats.sent_packets++;
	v->stats.sent_bytes += p->len + OSN;
	webrtc.sent_packets++;
	webrtc.sent_bytes += p->len + OSN;
}

/* false: the budget is used up. */
static bool
send_again(struct viewer *v, struct track *t, struct packet *p, int64_t now)
{
	if (!may_send(v, p->len, now))
		return false;
	if (t == room_video(v->room) && v->codecs.rtx_pt != 0)
		send_rtx(v, p);
	else
		viewer_send(v, t, p);
	v->stats.retransmitted++;
	webrtc.retransmitted++;
	return true;
}

void
viewer_lost(struct viewer *v, struct track *t, uint16_t seq, int64_t now)
{
	uint64_t number = track_find(t, seq), sent = t == room_video(v->room) ? v->at : v->audio_at;

	v->stats.nacks++;
	webrtc.nacks++;
	/* One that it was not sent yet comes anyway. */
	if (number != TRACK_NONE && sent != TRACK_NONE && number < sent)
		send_again(v, t, track_get(t, number), now);
}

void
viewer_want_key(struct viewer *v, int64_t now)
{
	v->stats.plis++;
	webrtc.plis++;
	if (v->gop == TRACK_NONE || now - v->again_ms < AGAIN_MS)
		return;
	v->again_ms = now;
	v->again_at = v->gop;
	v->again_end = v->at;
	v->stats.replays++;
	viewer_again_pump(v, now);
	if (viewer_again_pending(v))
		viewer_give_later(v);
}

bool
viewer_again_pending(const struct viewer *v)
{
	return v->again_at < v->again_end;
}

void
viewer_again_pump(struct viewer *v, int64_t now)
{
	struct track *t = room_video(v->room);
	size_t most = (size_t)(t->byte_rate * AGAIN_SPEED * WEBRTC_PACE_MS / 1000);
	struct packet *p;

	if (most < AGAIN_MIN)
		most = AGAIN_MIN;
	for (size_t sent = 0; viewer_again_pending(v) && sent < most; sent += p->len) {
		p = track_get(t, v->again_at++);
		/* Out of the ring, or too much of this: it waits for the next key frame. */
		if (p == NULL || !send_again(v, t, p, now)) {
			v->again_at = v->again_end;
			return;
		}
	}
}
