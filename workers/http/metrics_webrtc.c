/*
 * metrics_webrtc.c - the part of /metrics that is about viewers by WebRTC, by worker. Called by
 * metrics.c.
 */
#include <event2/buffer.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "metrics.h"

#define AT(field) offsetof(struct board_webrtc, field), sizeof(((struct board_webrtc *)0)->field)

static const struct { const char *name, *type, *help; size_t at, size; } figures[] = {
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

static uint64_t
value_of(const struct board_webrtc *w, size_t at, size_t size)
{
	uint32_t small;
	uint64_t value;

	memcpy(&small, (const char *)w + at, sizeof(small));
	if (size == sizeof(small))
		return small;
	memcpy(&value, (const char *)w + at, sizeof(value));
	return value;
}

void
metrics_webrtc(struct evbuffer *b, const struct view *v)
{
	for (unsigned f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
		metrics_family(b, figures[f].name, figures[f].type, figures[f].help);
		for (unsigned i = 0; i < v->nprocs; i++)
			if (strcmp(v->procs[i].kind, "webrtc") == 0)
				evbuffer_add_printf(b, "millrace_%s{worker=\"%lu\"} %llu\n", figures[f].name,
				    strtoul(v->procs[i].page.stream, NULL, 10), (unsigned long long)
				    value_of(&v->procs[i].page.webrtc, figures[f].at, figures[f].size));
	}
}
