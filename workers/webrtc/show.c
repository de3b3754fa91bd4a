/*
 * show.c - this worker's figures on its page of the board. Called once a second by main.c; read by
 * status, the API and /metrics.
 */
#include "board.h"
#include "webrtc.h"

static void
fill(struct board_webrtc *b)
{
	struct rtc_net_stats n;

	rtc_net_stats(webrtc.net, &n);
	*b = (struct board_webrtc){ .viewers = n.connected, .sessions = n.peers, .rooms = webrtc.rooms, .tcp = n.tcp,
		.viewers_total = webrtc.viewers_total, .no_ice = webrtc.failed_ice, .failed = webrtc.failed_dtls,
		.refused = webrtc.refused, .sent_bytes = webrtc.sent_bytes, .sent_packets = webrtc.sent_packets,
		.dropped = n.dropped, .lost = webrtc.lost, .nacks = webrtc.nacks,
		.retransmitted = webrtc.retransmitted, .plis = webrtc.plis, .strangers = n.strangers,
		.malformed = n.malformed, .last_no_ice_ms = webrtc.failed_ice_ms, .port = webrtc.port };
}

void
show_page(void)
{
	struct board_page *p = webrtc.svc->page;
	struct board_webrtc figures;

	fill(&figures);
	board_begin(&p->seq);
	p->webrtc = figures;
	board_end(&p->seq);
}
