/*
 * describe.c - see describe.h. Both ways of signalling use it: calls.c, which answers, and signal.c,
 * which offers.
 */
#include "workers/webrtc/describe.h"

#include <sys/random.h>

#include "conf.h"
#include "log.h"
#include "workers/webrtc/webrtc.h"

void
describe(struct describe *d, struct viewer *v, const char *local, const char *host)
{
	const struct rtc_peer *peer = viewer_peer(v);
	struct addresses_wish wish = { .configured = conf_get(webrtc.svc->conf, "webrtc.addresses"),
	    .udp_fd = PROTO_FD_LISTEN, .tcp_fd = webrtc.svc->nlisteners > 1 ? PROTO_FD_LISTEN + 1 : -1,
	    .local = local, .host = host };
	struct room_sdp room;

	room_sdp(viewer_room(v), &room);
	*d = (struct describe){ .local = {
		.ufrag = rtc_peer_ufrag(peer), .pwd = rtc_peer_pwd(peer), .fingerprint = rtc_fingerprint(),
		.cname = room.cname, .stream = room.msid, .video_ssrc = room.video_ssrc,
		.rtx_ssrc = room.rtx_ssrc, .audio_ssrc = room.audio_ssrc, .addresses = d->addresses,
	} };
	if (getrandom(&d->local.session, sizeof(d->local.session), 0) != sizeof(d->local.session))
		fatal("no random numbers");
	d->local.naddresses = addresses_list(&wish, d->addresses);
}

/* Both tracks in any case: what a stream has may be known later than its viewers come. */
struct sdp_want
describe_want(const struct room *r)
{
	struct sdp_want want = { .direction = SDP_SENDONLY, .video = true, .audio = true };
	struct room_sdp known;

	if (r == NULL)
		return want;
	room_sdp(r, &known);
	if (known.profile_known) {
		want.profile = known.profile[0];
		want.constraints = known.profile[1];
	}
	return want;
}

struct viewer_codecs
describe_codecs(const struct sdp_pick *p)
{
	return (struct viewer_codecs){
		.video_pt = p->video.format != NULL ? p->video.format->pt : 0,
		.rtx_pt = p->video.rtx_pt >= 0 ? (uint8_t)p->video.rtx_pt : 0,
		.high_pt = p->high.format != NULL ? p->high.format->pt : 0,
		.high_rtx_pt = p->high.rtx_pt >= 0 ? (uint8_t)p->high.rtx_pt : 0,
		.audio_pt = p->audio.format != NULL ? p->audio.format->pt : 0,
	};
}
