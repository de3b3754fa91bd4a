/*
 * metrics_webrtc.c - the part of /metrics that is about viewers by WebRTC, by worker. Called by
 * metrics.c.
 */
#include "http.h"
#include "metrics.h"

#define AT(field) METRICS_AT(webrtc.field)

static const struct metrics_figure figures[] = {
	{ "webrtc_viewers", "gauge", "Viewers that are connected.", AT(viewers) },
	{ "webrtc_sessions", "gauge", "Sessions, also those that are not connected yet.", AT(sessions) },
	{ "webrtc_tcp_connections", "gauge", "Connections by TCP.", AT(tcp) },
	{ "webrtc_viewers_total", "counter", "Viewers that were connected.", AT(viewers_total) },
	{ "webrtc_unreached_total", "counter", "Sessions that no packet ever came for: is the port open?", AT(no_ice) },
	{ "webrtc_failed_total", "counter", "Sessions that came to nothing after their first packet.", AT(failed) },
	{ "webrtc_refused_total", "counter", "Sessions refused by a limit.", AT(refused) },
	{ "webrtc_sent_bytes_total", "counter", "Bytes of RTP sent.", AT(sent_bytes) },
	{ "webrtc_sent_packets_total", "counter", "Packets of RTP sent.", AT(sent_packets) },
	{ "webrtc_dropped_packets_total", "counter", "Packets that the socket did not take in time.", AT(dropped) },
	{ "webrtc_lost_packets_total", "counter", "Packets that viewers report as lost.", AT(lost) },
	{ "webrtc_retransmitted_packets_total", "counter", "Packets sent again.", AT(retransmitted) },
	{ "webrtc_nacks_total", "counter", "Packets asked for again.", AT(nacks) },
	{ "webrtc_key_frame_requests_total", "counter", "PLI and FIR of viewers.", AT(plis) },
	{ "webrtc_strangers_total", "counter", "Packets and checks of nobody.", AT(strangers) },
	{ "webrtc_malformed_total", "counter", "Packets that are nothing.", AT(malformed) },
};

void
metrics_webrtc(struct evbuffer *b, const struct view *v)
{
	metrics_workers(b, v, "webrtc", figures, sizeof(figures) / sizeof(figures[0]));
}
