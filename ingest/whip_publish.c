/*
 * whip_publish.c - publishing by WHIP (RFC 9725) as a row of protocol.h: the POST is read and judged,
 * the stream claimed, the offer answered; from then on everything comes by WebRTC (rtc/peer.h) to a
 * UDP socket of this process' own, and the connection of the POST is closed. Media are whip_media.c's.
 *
 * The session ends by DELETE, by DTLS' close_notify, or once its consent is gone (webrtc.consent).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "rtc/addresses.h"
#include "util.h"
#include "whip_parts.h"
#include "ws_head.h"

#define CLOSE_MS 1000		/* for the answer to reach the publisher */
#define HURRY_MS 5		/* something is missing; it may only be overtaken */
#define CNAME "millrace"

/* --- the end --- */

void
whip_end(struct protocol *p, const char *how)
{
	if (p->over)
		return;
	p->over = true;
	rtc_peer_free(&p->peer);
	if (p->timer != NULL)
		event_del(p->timer);
	p->env.ev->ended(p->env.ctx, how, NULL);
}

/* Also for the log. */
static void
refuse(struct protocol *p, int status, const char *code, const char *why)
{
	whip_http_refuse(&p->http, p->env.conn->out, status, why);
	str_copy(p->error, why, sizeof(p->error));
	p->error[strcspn(p->error, "\n")] = '\0';
	p->env.ev->denied(p->env.ctx, code, p->error, p->error);
}

/* --- the offer --- */

static struct rtc_limits
limits_of(const json_t *conf)
{
	return (struct rtc_limits){ .max_peers = 1, .max_handshakes = 1,
		.consent_ms = (int)conf_int(conf, "webrtc.consent"),
		.max_checks = (unsigned)conf_int(conf, "webrtc.max_checks"),
		.max_queued = (unsigned)conf_int(conf, "webrtc.max_queued") };
}

/* Before this process is locked into the stream's folder: libraries read files when they begin. */
static int
make_net(struct protocol *p)
{
	struct rtc_limits limits = limits_of(p->env.svc->conf);

	if (p->udp < 0)
		return -1;
	fd_cloexec_nonblock(p->udp);
	p->net = rtc_net_new(p->env.svc->base, p->udp, -1, &limits);
	if (p->net == NULL) {
		p->udp = -1;	/* closed */
		return -1;
	}
	rtc_fingerprint();
	return 0;
}

static void
judge_offer(struct protocol *p)
{
	static const struct sdp_want want = { .direction = SDP_RECVONLY, .video = true, .audio = true };
	const char *text = request_body(&p->http.req), *host = request_field(&p->http.req, FIELD_HOST);
	struct publish_match match = { .app = "whip" };
	char why[SDP_WHY], line[SDP_WHY + 2];
	int status = 0;

	p->offer = sdp_parse(SDP_OFFER, text, p->http.req.body_bytes, why);
	if (p->offer == NULL)
		status = 400;
	else if (sdp_pick(p->offer, &want, &p->pick, why) < 0)
		status = errno == EINVAL ? 400 : 406;
	if (status != 0) {
		snprintf(line, sizeof(line), "%s\n", why);
		refuse(p, status, "protocol", line);
		return;
	}
	if (make_net(p) < 0) {
		refuse(p, 503, "protocol", "This server cannot take WebRTC now; its log says why.\n");
		return;
	}
	str_copy(p->fingerprint, p->pick.fingerprint, sizeof(p->fingerprint));
	whip_remember_ice(p, &p->pick.ice);
	str_copy(p->host, host != NULL ? host : "", sizeof(p->host));
	str_copy(match.name, p->http.name, sizeof(match.name));
	p->env.ev->publish(p->env.ctx, &match, p->http.query);
}

static int
whip_input(struct protocol *p, const uint8_t *in, size_t n)
{
	const char *why = NULL;
	int status;

	if (p->offer != NULL)
		return 0;		/* it is read: nothing more is for us */
	status = whip_http_feed(&p->http, p->env.conn->out, in, n, &why);
	if (status == 201)
		judge_offer(p);
	else if (status != 0)
		refuse(p, status, "protocol", why);
	return 0;
}

/* --- media --- */

static void
on_tag(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct protocol *p = ctx;

	p->env.ev->media(p->env.ctx, type, ts, body, len);
}

static void
on_rtcp_out(void *ctx, const uint8_t *packet, size_t n)
{
	struct protocol *p = ctx;

	if (p->peer != NULL)
		rtc_peer_send_rtcp(p->peer, packet, n);
}

static void
tick_in(struct protocol *p, int ms)
{
	if (!p->over)
		event_add(p->timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct protocol *p = ctx;

	tick_in(p, whip_media_tick(p->media, now_ms()));
}

static void
on_connected(void *ctx)
{
	struct protocol *p = ctx;
	struct rtc_peer_stats s;

	rtc_peer_stats(p->peer, &s);
	log_info("WebRTC is up with %s after %u ms, %s", s.address, s.setup_ms, s.srtp);
	tick_in(p, 0);
}

static void
on_rtp(void *ctx, uint8_t *packet, size_t n)
{
	struct protocol *p = ctx;

	p->env.ev->bytes(p->env.ctx, n);
	if (whip_media_rtp(p->media, packet, n, now_ms()))
		tick_in(p, HURRY_MS);
}

static void
on_rtcp(void *ctx, uint8_t *packet, size_t n)
{
	struct protocol *p = ctx;

	whip_media_rtcp(p->media, packet, n, now_ms());
}

static void
on_gone(void *ctx, const char *why)
{
	whip_end(ctx, why);
}

/* --- the answer --- */

struct sdp_local
whip_local(const struct protocol *p, struct sdp_address *addresses)
{
	const struct addresses_wish wish = { .configured = conf_get(p->env.svc->conf, "webrtc.addresses"),
		.udp_fd = p->udp, .tcp_fd = -1, .local = p->env.conn->local, .host = p->host };
	struct sdp_local local = { .ufrag = rtc_peer_ufrag(p->peer), .pwd = rtc_peer_pwd(p->peer),
		.fingerprint = rtc_fingerprint(), .addresses = addresses, .cname = CNAME, .stream = CNAME };

	if (getrandom(&local.session, sizeof(local.session), 0) != sizeof(local.session))
		fatal("no random numbers");
	local.naddresses = addresses_list(&wish, addresses);
	return local;
}

static void
make_media(struct protocol *p)
{
	static const struct whip_media_ops ops = { .tag = on_tag, .rtcp = on_rtcp_out };
	const struct sdp_track *video = &p->pick.video, *audio = &p->pick.audio;
	const json_t *conf = p->env.svc->conf;
	char sprop[1024] = "";
	struct whip_media_conf c = { .cname = CNAME, .sprop = sprop, .rtx_pt = video->rtx_pt,
		.video_pt = video->format != NULL ? video->format->pt : -1,
		.audio_pt = audio->format != NULL ? audio->format->pt : -1,
		.nack = video->format != NULL && video->format->feedback & SDP_NACK,
		.pli = video->format != NULL && video->format->feedback & SDP_PLI,
		.remb_bps = video->format != NULL && video->format->feedback & SDP_REMB ?
		    conf_int(conf, "webrtc.publish_bitrate") : 0,
		.window_ms = conf_int(conf, "webrtc.jitter"),
		.key_ms = conf_int(conf, "webrtc.key_frame_interval"),
		.max_picture = (size_t)conf_int(conf, "rtmp.max_message") };

	if (video->format != NULL)
		sdp_param(video->format->fmtp, "sprop-parameter-sets", sprop, sizeof(sprop));
	p->media = whip_media_new(&c, &ops, p);
	p->timer = evtimer_new(p->env.svc->base, timer_cb, p);
}

/* What an encoder would say in onMetaData: which tracks to wait for. */
static void
say_tracks(struct protocol *p)
{
	char agent[64];
	json_t *data = json_object();

	ws_head_agent(&p->http.req, agent, sizeof(agent));
	json_object_set_new(data, "encoder", msg_text(agent, strlen(agent)));
	if (p->pick.video.format != NULL)
		json_object_set_new(data, "videocodecid", json_string("avc1"));
	if (p->pick.audio.format != NULL)
		json_object_set_new(data, "audiocodecid", json_string("Opus"));
	p->env.ev->metadata(p->env.ctx, data);
	json_decref(data);
}

static void
new_id(char id[WHIP_ID + 1])
{
	uint8_t raw[WHIP_ID / 2];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		fatal("no random numbers");
	hex_format(id, raw, sizeof(raw));
}

static void
whip_accept(struct protocol *p, const char *name)
{
	static const struct rtc_peer_ops ops = { .connected = on_connected, .rtp = on_rtp, .rtcp = on_rtcp,
		.gone = on_gone };
	struct sdp_address addresses[ADDRESSES_MAX];
	struct sdp_local local;
	char *answer;

	p->peer = rtc_peer_new(p->net, p->fingerprint, &ops, p);
	if (p->peer == NULL) {
		whip_http_refuse(&p->http, p->env.conn->out, 400, "Its a=fingerprint is none.\n");
		whip_end(p, "its fingerprint is none");
		return;
	}
	new_id(p->id);
	make_media(p);
	say_tracks(p);
	local = whip_local(p, addresses);
	answer = sdp_answer(p->offer, &p->pick, &local);
	whip_http_created(&p->http, p->env.conn->out, p->id, local.ufrag, answer);
	free(answer);
	conn_linger(p->env.conn, CLOSE_MS);
}

static void
whip_refuse(struct protocol *p, const char *code, const char *text)
{
	char line[300];

	if (p->id[0] != '\0') {		/* it was live: there is nobody to read it but by the connection's end */
		rtc_peer_free(&p->peer);
		return;
	}
	snprintf(line, sizeof(line), "%s\n", text);
	whip_http_refuse(&p->http, p->env.conn->out, whip_http_status(&p->http, code), line);
}

static void
whip_unpublish(struct protocol *p, const char *text)
{
	whip_refuse(p, "stopping", text);
}

/* ICE has checks of its own. */
static void
whip_ping(struct protocol *p, int64_t now)
{
}

static void
warn_backwards(struct protocol *p)
{
	struct whip_media_stats s;

	whip_media_stats(p->media, &s);
	if (p->said_backwards || s.backwards == 0)
		return;
	p->said_backwards = true;
	log_warnx("the encoder sends B-frames, for which RTP has no decoding times: the picture will not move evenly; "
	    "set B-frames to 0 in the encoder");
}

static const char *
whip_tick(struct protocol *p, int64_t now)
{
	p->env.conn->last_byte_ms = now;	/* who is silent has no consent soon */
	if (p->media != NULL)
		warn_backwards(p);
	return NULL;
}

static void
whip_message(struct protocol *p, struct msg *m)
{
	if (m->type == MSG_CALL)
		whip_call(p, m);
}

static bool
whip_drain(struct protocol *p)
{
	struct whip_media_stats s;

	if (p->media == NULL)
		return true;
	whip_media_flush(p->media);
	whip_media_stats(p->media, &s);
	log_info("%llu packets came, %llu were lost for good, %llu asked for again, %llu key frames asked for; "
	    "the picture is moved by %d ms",
	    (unsigned long long)s.packets, (unsigned long long)s.lost, (unsigned long long)s.nacks,
	    (unsigned long long)s.plis, s.shift_ms);
	return true;
}

static const char *
whip_error(const struct protocol *p)
{
	return p->error;
}

static struct protocol *
whip_new(const struct protocol_env *env)
{
	struct protocol *p = xcalloc(1, sizeof(*p));

	p->env = *env;
	p->udp = env->fd;
	whip_http_init(&p->http, env->svc);
	return p;
}

static void
whip_free(struct protocol **pp)
{
	struct protocol *p = *pp;

	rtc_peer_free(&p->peer);
	if (p->net != NULL)
		rtc_net_free(&p->net);
	else if (p->udp >= 0)
		close(p->udp);
	whip_media_free(&p->media);
	if (p->timer != NULL)
		event_free(p->timer);
	sdp_free(&p->offer);
	whip_http_free(&p->http);
	free(p);
	*pp = NULL;
}

const struct protocol_ops whip_publish_ops = {
	.route = "whip", .name = "whip", .handshake = "webrtc.first_media_timeout",
	.first_media = "webrtc.first_media_timeout", .ping_interval = "webrtc.consent",
	.ping_timeout = "webrtc.consent", .lets_go = true, .new = whip_new, .free = whip_free,
	.input = whip_input, .error = whip_error, .accept = whip_accept, .refuse = whip_refuse,
	.unpublish = whip_unpublish, .ping = whip_ping, .tick = whip_tick, .message = whip_message,
	.drain = whip_drain,
};
