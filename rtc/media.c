/*
 * media.c - RTP and RTCP of one peer, in and out (contract in peer.h): through SRTP, from and into the
 * socket's batch. A packet is copied once, into the slot that it leaves from, and encrypted there.
 */
#include <string.h>

#include "rtc/demux.h"
#include "rtc/net_int.h"

/* While the socket takes nothing, one peer may not fill the queue of all, nor by TCP fall behind for good. */
static bool
may_queue(struct rtc_peer *peer)
{
	struct udp *u = peer->net->udp;

	if (peer->selected->conn != NULL)
		return !tcp_is_late(peer->selected->conn);
	if (!udp_blocked(u))
		return true;
	if (peer->queue_round != udp_round(u)) {
		peer->queue_round = udp_round(u);
		peer->queued = 0;
	}
	return peer->queued++ < peer->net->limits.max_queued;
}

static void
dropped(struct rtc_peer *peer)
{
	peer->stats.dropped++;
	peer->net->stats.dropped++;
}

static void
send_media(struct rtc_peer *peer, const uint8_t *p, size_t n, bool rtcp)
{
	uint8_t *room;
	size_t len;

	if (peer->state != RTC_UP || peer->selected == NULL || n > RTC_PACKET_MAX ||
	    n < (rtcp ? DEMUX_RTCP_MIN : DEMUX_RTP_MIN)) {
		peer->stats.dropped++;
		return;
	}
	room = may_queue(peer) ? net_room(peer->net, peer->selected) : NULL;
	if (room == NULL) {
		dropped(peer);
		return;
	}
	memcpy(room, p, n);
	len = rtc_srtp_seal(peer->srtp, room, n, rtcp);
	if (len == 0 || !net_commit(peer->net, peer->selected, len)) {
		dropped(peer);
		return;
	}
	peer->stats.packets_out++;
	peer->stats.bytes_out += n;
}

void
rtc_peer_send_rtp(struct rtc_peer *peer, const uint8_t *rtp, size_t n)
{
	send_media(peer, rtp, n, false);
}

void
rtc_peer_send_rtcp(struct rtc_peer *peer, const uint8_t *rtcp, size_t n)
{
	send_media(peer, rtcp, n, true);
}

void
media_input(struct rtc_peer *peer, uint8_t *p, size_t n, bool rtcp)
{
	void (*take)(void *ctx, uint8_t *p, size_t n) = rtcp ? peer->ops->rtcp : peer->ops->rtp;

	if (peer->state != RTC_UP || take == NULL)
		return;
	n = rtc_srtp_open(peer->srtp, p, n, rtcp);
	if (n < (rtcp ? DEMUX_RTCP_MIN : DEMUX_RTP_MIN)) {
		peer->stats.rejected++;
		return;
	}
	peer->stats.packets_in++;
	peer->stats.bytes_in += n;
	take(peer->ctx, p, n);
}
