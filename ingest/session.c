/*
 * session.c - one publisher from connection to end (contract in session.h). Owns the socket:
 * until the stream is live every byte is read at once; then on a tick, because wake-ups are
 * the whole cost. One write per read, so that no reply waits for Nagle.
 */
#include "session.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "meter.h"
#include "net.h"
#include "publish_url.h"
#include "rtmp_session.h"
#include "sink_hls.h"
#include "timeline.h"
#include "tracks.h"
#include "util.h"

#define READ_BYTES (256 * 1024)
#define READS_PER_TURN 8
#define RECEIVE_BUFFER (1024 * 1024)	/* more than two ticks at 20 Mbit/s */
#define PROXY_MAX 2200
#define LINGER_MS 300			/* for a refusal to reach the publisher */
#define CLOSE_MS 20000			/* for the last segment, also if ffmpeg has to be started again */
#define HURRY_MS 2000			/* ... when somebody waits for the name, or the server stops */
#define SLOW_TICK_MS 250		/* before the stream is live */
#define CLOSING_TICK_MS 100

enum phase { SES_PROTOCOL, SES_CLAIMED, SES_LIVE, SES_CLOSING, SES_LINGER };

struct session {
	struct svc *svc;
	enum phase phase;
	int fd;
	struct event *rd, *tick;
	struct evbuffer *out, *proxy;	/* proxy: bytes of an unfinished PROXY head */
	bool want_proxy, endlist, hurry;
	char peer[NET_TEXT], local[NET_TEXT], how[160];
	struct rtmp_session *rtmp;
	struct publish_match match;
	char dir[512];
	struct ring ring;
	struct timeline timeline;
	struct tracks tracks;
	struct meter meter;
	struct sink *hls;
	int64_t born_ms, live_ms, last_byte_ms, pinged_ms, deadline_ms;
	char encoder[64], sink_warning[160];
};

static uint8_t *read_buffer;	/* shared: there is one session to a process */

static void finish(struct session *s, const char *how);

/* --- the socket --- */

static void
socket_close(struct session *s)
{
	if (s->rd != NULL)
		event_free(s->rd);
	if (s->fd >= 0)
		close(s->fd);
	s->rd = NULL;
	s->fd = -1;
}

static void
write_out(struct session *s)
{
	while (s->fd >= 0 && evbuffer_get_length(s->out) > 0)
		if (evbuffer_write(s->out, s->fd) <= 0) {
			if (errno != EAGAIN && errno != EINTR)
				evbuffer_drain(s->out, evbuffer_get_length(s->out));
			return;		/* EAGAIN: with the next read or tick */
		}
}

/* Half-closes and waits for the peer to read the last words. */
static void
linger(struct session *s)
{
	write_out(s);
	if (s->fd >= 0)
		shutdown(s->fd, SHUT_WR);
	s->phase = SES_LINGER;
	s->deadline_ms = now_ms() + LINGER_MS;
}

static int
feed(struct session *s, const uint8_t *p, size_t n)
{
	if (rtmp_session_input(s->rtmp, p, n) == 0)
		return 0;
	log_warnx("closing %s: %s", s->peer, rtmp_session_error(s->rtmp));
	return -1;
}

static int
proxy_head(struct session *s, const uint8_t *p, size_t n)
{
	struct net_addr src;
	size_t have;
	int used, rc = 0;

	evbuffer_add(s->proxy, p, n);
	have = evbuffer_get_length(s->proxy);
	p = evbuffer_pullup(s->proxy, -1);
	used = net_proxy_parse(p, have, &src);
	if (used < 0 || (used == 0 && have > PROXY_MAX)) {
		log_warnx("closing %s: no PROXY protocol, but rtmp.listen says proxy_protocol: true", s->peer);
		return -1;
	}
	if (used == 0)
		return 0;
	s->want_proxy = false;
	if (src.len > 0)
		net_format((struct sockaddr *)&src.ss, s->peer);
	log_set_peer(s->peer);
	if (have > (size_t)used)
		rc = feed(s, p + used, have - (size_t)used);
	evbuffer_drain(s->proxy, have);
	return rc;
}

/* Reads what the socket has. */
static void
read_all(struct session *s)
{
	ssize_t n;
	int rc = 0;

	for (int i = 0; i < READS_PER_TURN && rc == 0 && s->fd >= 0 && s->phase < SES_CLOSING; i++) {
		n = recv(s->fd, read_buffer, READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			finish(s, n == 0 ? "the publisher closed the connection" : strerror(errno));
			return;
		}
		s->last_byte_ms = now_ms();
		meter_bytes(&s->meter, (size_t)n);
		rc = s->want_proxy ? proxy_head(s, read_buffer, (size_t)n) : feed(s, read_buffer, (size_t)n);
		write_out(s);
		if (n < READ_BYTES / 2)
			break;
	}
	if (rc < 0) {
		write_out(s);
		finish(s, rtmp_session_error(s->rtmp));
	}
}

static void
read_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct session *s = ctx;

	if (s->phase == SES_LINGER) {	/* until the peer closes */
		if (recv(s->fd, read_buffer, READ_BYTES, MSG_DONTWAIT) <= 0 && errno != EAGAIN)
			svc_exit(s->svc, 0, s->how);
		return;
	}
	read_all(s);
}

/* --- what the protocol says --- */

static void
on_publish(void *ctx, const struct rtmp_publish *p)
{
	struct session *s = ctx;
	char hint[256], *patterns;
	const char *why;

	if (publish_url_match(conf_get(s->svc->conf, "authorize.patterns"), p->path, p->name, &s->match, &why) < 0) {
		publish_url_hint(conf_get(s->svc->conf, "authorize.patterns"), "HOST", hint, sizeof(hint));
		patterns = json_dumps(conf_get(s->svc->conf, "authorize.patterns"), JSON_COMPACT);
		log_warnx("refused: %s: url %s name %s, patterns %s; this would match: %s", why, p->tc_url,
		    p->name, patterns, hint);
		free(patterns);
		rtmp_session_refuse(s->rtmp, "NetStream.Publish.Denied", why);
		finish(s, why);
		return;
	}
	log_set_stream(s->match.name);
	s->phase = SES_CLAIMED;
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:o, s:s, s:s, s:o}", "name", s->match.name,
	    "app", msg_text(s->match.app, strlen(s->match.app)), "peer", s->peer, "protocol", "rtmp",
	    "query", msg_text(p->query, strlen(p->query))));
}

static void
on_metadata(void *ctx, json_t *data)
{
	struct session *s = ctx;
	const char *encoder = json_string_value(json_object_get(data, "encoder"));

	if (encoder != NULL)
		str_copy(s->encoder, encoder, sizeof(s->encoder));
	s->tracks.told = true;
	s->tracks.expect_video = json_object_get(data, "videocodecid") != NULL || json_object_get(data, "width") != NULL;
	s->tracks.expect_audio = json_object_get(data, "audiocodecid") != NULL;
}

static void
on_ended(void *ctx, const char *how)
{
	struct session *s = ctx;
	char text[96];

	snprintf(text, sizeof(text), "the publisher ended the stream (%s)", how);
	finish(s, text);
}

static void
on_play(void *ctx, const char *name, char *buf, size_t size)
{
	struct session *s = ctx;
	const char *url = conf_str(s->svc->conf, "http.public_url"), *listen, *port, *end = strrchr(s->local, ':');
	char own[NET_TEXT + 32] = "";

	listen = json_string_value(json_object_get(json_array_get(conf_get(s->svc->conf, "http.listen"), 0), "address"));
	port = listen != NULL ? strrchr(listen, ':') : NULL;
	if (port != NULL && end != NULL)
		snprintf(own, sizeof(own), "http://%.*s%s", (int)(end - s->local), s->local, port);
	snprintf(buf, size, "RTMP play is not served; watch by HLS: %s/stream/%.64s/live.m3u8",
	    url[0] != '\0' ? url : own, name);
}

static void
room(struct session *s)
{
	struct tag *first = ring_overrun(&s->ring);

	if (first == NULL)
		return;
	for (struct tag *t = s->ring.head; t != first; t = t->next)
		s->ring.dropped++;
	s->hls->ops->overrun(s->hls, first);
	ring_trim(&s->ring, first);
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct session *s = ctx;
	bool audio = type == FLV_AUDIO;
	int64_t now = now_ms();
	struct flv_info info;
	struct tag *t;

	if (s->phase != SES_LIVE)
		return;
	if ((audio ? flv_parse_audio : flv_parse_video)(body, len, &info) < 0) {
		s->meter.torn++;
		return;
	}
	if (tracks_take(&s->tracks, &info, body, len, now) != TRACKS_FRAME)
		return;
	t = ring_append(&s->ring, s->tracks.gen, audio, body, len);
	t->dts_ms = timeline_map(&s->timeline, audio, ts, now);
	t->pts_ms = t->dts_ms + info.cts_ms;
	t->came_ms = now;
	t->wall_ms = wall_ms();
	t->audio = audio;
	t->key = !audio && info.keyframe;
	meter_frame(&s->meter, audio, t->key, t->dts_ms, now);
	s->hls->ops->tag(s->hls, t);
	room(s);
}

static const struct rtmp_ops rtmp_ops = {
	.publish = on_publish, .media = on_media, .metadata = on_metadata, .ended = on_ended, .play = on_play,
};

/* --- the end --- */

static void
leave(struct session *s)
{
	if (s->endlist && s->hls != NULL)
		sink_hls_endlist(s->hls);
	s->phase = SES_LINGER;
	svc_exit(s->svc, 0, s->how);
}

static void
sink_done(void *ctx)
{
	leave(ctx);
}

/* The publisher is gone or has to go: once. */
static void
finish(struct session *s, const char *how)
{
	if (s->phase >= SES_CLOSING)
		return;
	str_copy(s->how, how, sizeof(s->how));
	if (s->hls == NULL) {
		linger(s);
		return;
	}
	log_info("the stream ends: %s", how);
	write_out(s);
	socket_close(s);
	s->phase = SES_CLOSING;
	s->deadline_ms = now_ms() + (s->hurry ? HURRY_MS : CLOSE_MS);
	s->hls->ops->drain(s->hls);
}

void
session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct session *s = svc->ctx;

	s->hurry = true;
	if (s->phase == SES_CLOSING && s->deadline_ms > now_ms() + HURRY_MS)
		s->deadline_ms = now_ms() + HURRY_MS;
	if (s->phase == SES_LIVE)
		rtmp_session_unpublish(s->rtmp, reason);
	if (s->phase < SES_CLOSING)
		finish(s, reason);
	if (s->phase == SES_LINGER)
		svc_exit(svc, 0, reason);
}

void
session_stop_message(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	s->endlist = json_is_true(json_object_get(m->body, "endlist"));
	session_stop(svc, msg_str_or(m, "reason", "stop"), msg_int_or(m, "grace_ms", 5000));
}

void
session_yield(struct svc *svc, struct msg *m)
{
	session_stop(svc, msg_str_or(m, "reason", "another publisher takes the name"), 2000);
}

/* --- the tick --- */

static void
tick_in(struct session *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(s->tick, &tv);
}

static const char *
overdue(const struct session *s, int64_t now)
{
	const json_t *c = s->svc->conf;

	if (s->phase < SES_LIVE)
		return s->born_ms != 0 && now - s->born_ms > conf_int(c, "rtmp.handshake_timeout") ?
		    "no publish within rtmp.handshake_timeout" : NULL;
	if (s->meter.last_media_ms == 0 && now - s->live_ms > conf_int(c, "rtmp.first_media_timeout"))
		return "no media within rtmp.first_media_timeout";
	if (now - s->last_byte_ms > conf_int(c, "rtmp.ping_timeout"))
		return "not a byte for rtmp.ping_timeout: the publisher is dead";
	return NULL;
}

static void
unsupported(struct session *s)
{
	log_warnx("refused: %s", s->tracks.unsupported);
	rtmp_session_refuse(s->rtmp, "NetStream.Publish.Rejected", s->tracks.unsupported);
	finish(s, s->tracks.unsupported);
}

static void
to_board(struct session *s, int64_t now)
{
	struct board_page *p = s->svc->page;
	struct sink_hls_stats st;

	sink_hls_stats(s->hls, &st);
	board_begin(&p->seq);
	p->beat_ms = now;
	str_copy(p->state, s->phase == SES_LIVE ? "live" : "closing", sizeof(p->state));
	meter_board(&s->meter, &p->media, now);
	tracks_board(&s->tracks, &p->media);
	p->media.segments = st.segments;
	p->media.discontinuities = st.discontinuities;
	p->media.segment_delay_ms = st.delay_ms;
	p->media.timestamp_jumps = s->timeline.jumps;
	p->media.ring_bytes = s->ring.bytes;
	p->media.dropped_frames = s->ring.dropped;
	str_copy(p->media.encoder, s->encoder, sizeof(p->media.encoder));
	meter_warning(&s->meter, conf_int(s->svc->conf, "streams.key_frame_age"), s->tracks.gen->video, now,
	    p->media.warning, sizeof(p->media.warning));
	if (s->sink_warning[0] != '\0')
		str_copy(p->media.warning, s->sink_warning, sizeof(p->media.warning));
	board_end(&p->seq);
}

static void
live_tick(struct session *s, int64_t now)
{
	const struct tag *need;

	read_all(s);
	if (s->phase != SES_LIVE)
		return;
	if (s->tracks.unsupported[0] != '\0') {
		unsupported(s);
		return;
	}
	if (tracks_tick(&s->tracks, now))
		s->hls->ops->regen(s->hls, ring_regen(&s->ring, s->tracks.gen));
	s->hls->ops->tick(s->hls, now);
	need = s->hls->ops->needs(s->hls);
	ring_trim(&s->ring, need);
	if (now - s->pinged_ms >= conf_int(s->svc->conf, "rtmp.ping_interval")) {
		s->pinged_ms = now;
		rtmp_session_ping(s->rtmp, (uint32_t)now);
	}
	write_out(s);
	if (meter_due(&s->meter, now))
		to_board(s, now);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct session *s = ctx;
	int64_t now = now_ms();
	const char *why;

	tick_in(s, s->phase == SES_LIVE ? meter_tick(&s->meter, conf_int(s->svc->conf, "rtmp.read_tick"), now) :
	    s->phase >= SES_CLOSING ? CLOSING_TICK_MS : SLOW_TICK_MS);
	if (s->phase >= SES_CLOSING) {
		if (s->hls != NULL && s->phase == SES_CLOSING)
			s->hls->ops->tick(s->hls, now);
		if (now >= s->deadline_ms)
			leave(s);
		return;
	}
	if (s->phase == SES_LIVE)
		live_tick(s, now);
	if (s->phase < SES_CLOSING && (why = overdue(s, now)) != NULL) {
		log_warnx("closing: %s", why);
		finish(s, why);
	}
}

/* --- what the supervisor says --- */

static void
sink_warn(void *ctx, const char *text)
{
	struct session *s = ctx;

	str_copy(s->sink_warning, text, sizeof(s->sink_warning));
	log_warnx("%s", text);
	to_board(s, now_ms());
}

static int
lock_up(struct session *s)
{
	const struct landlock_rule rules[] = { { s->dir, true, false }, { NULL, false, false } };
	bool locked;

	if (landlock_restrict(rules, &locked) == 0)
		return 0;
	log_warn("cannot lock this process into %s", s->dir);
	return -1;
}

void
session_grant(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	struct sink_env env = { svc, &s->ring, s->match.name, s->match.app, s->dir, sink_done, sink_warn, s };
	int64_t start_ms;
	bool resumed;

	if (s->phase != SES_CLAIMED)
		return;
	snprintf(s->dir, sizeof(s->dir), "%s/hls/%s", conf_str(svc->conf, "data_dir"), s->match.name);
	if (dir_ensure(s->dir, 0750) < 0 || lock_up(s) < 0) {
		log_warn("cannot use %s", s->dir);
		rtmp_session_refuse(s->rtmp, "NetStream.Publish.Failed", "this server has no place for the stream");
		finish(s, "no place for the stream");
		return;
	}
	svc_title(svc, s->match.name);
	ring_init(&s->ring, (size_t)conf_int(svc->conf, "streams.ring"));
	s->hls = sink_hls_new(&env, &start_ms, &resumed);
	timeline_init(&s->timeline, start_ms);
	tracks_init(&s->tracks);
	s->phase = SES_LIVE;
	s->live_ms = s->pinged_ms = now_ms();
	rtmp_session_accept(s->rtmp);
	write_out(s);
	event_free(s->rd);		/* from here on by the tick */
	s->rd = NULL;
	tick_in(s, 0);
	log_info("live%s, from %s", resumed ? ", the playlist goes on" : "", s->encoder[0] ? s->encoder : "its encoder");
	svc_send(svc, MSG_EVENT, 0, json_pack("{s:s, s:s}", "event", "stream_live", "name", s->match.name));
	to_board(s, s->live_ms);
}

void
session_refuse(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	const char *code = msg_str_or(m, "code", ""), *text = msg_str_or(m, "text", "refused");

	if (s->phase != SES_CLAIMED)
		return;
	rtmp_session_refuse(s->rtmp, strcmp(code, "duplicate") == 0 || strcmp(code, "elsewhere") == 0 ?
	    "NetStream.Publish.BadName" : "NetStream.Publish.Denied", text);
	finish(s, text);
}

void
session_output(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	if (s->hls != NULL)
		s->hls->ops->message(s->hls, m);
}

void
session_conn(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	const json_t *c = svc->conf;
	int size = RECEIVE_BUFFER;
	struct rtmp_limits limits = {
		.max_message = (size_t)conf_int(c, "rtmp.max_message"),
		.max_buffered = (size_t)conf_int(c, "rtmp.max_buffered"),
		.max_metadata = (size_t)conf_int(c, "rtmp.max_metadata"),
		.max_chunk_streams = (unsigned)conf_int(c, "rtmp.max_chunk_streams"),
		.chunk_size = (uint32_t)conf_int(c, "rtmp.chunk_size"),
		.ack_window = (uint32_t)conf_int(c, "rtmp.ack_window"),
	};

	if (s->fd >= 0)
		return;
	s->fd = msg_take_fd(m, 0);
	if (s->fd < 0) {
		svc_exit(svc, 1, "CONN without a connection");
		return;
	}
	str_copy(s->peer, msg_str_or(m, "peer", "?"), sizeof(s->peer));
	str_copy(s->local, msg_str_or(m, "local", ""), sizeof(s->local));
	s->want_proxy = json_is_true(json_object_get(m->body, "proxy_protocol"));
	log_set_peer(s->peer);
	fd_cloexec_nonblock(s->fd);
	net_tune(s->fd, (int)conf_int(c, "rtmp.user_timeout"));
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	s->rtmp = rtmp_session_new(&limits, &rtmp_ops, s, s->out);
	s->born_ms = s->last_byte_ms = now_ms();
	s->rd = event_new(svc->base, s->fd, EV_READ | EV_PERSIST, read_cb, s);
	event_add(s->rd, NULL);
}

struct session *
session_new(struct svc *svc)
{
	struct session *s = xcalloc(1, sizeof(*s));

	read_buffer = xmalloc(READ_BYTES);
	s->svc = svc;
	s->fd = -1;
	s->out = evbuffer_new();
	s->proxy = evbuffer_new();
	s->tick = evtimer_new(svc->base, tick_cb, s);
	tick_in(s, SLOW_TICK_MS);
	return s;
}

void
session_free(struct session **sp)
{
	struct session *s = *sp;

	*sp = NULL;
	socket_close(s);
	event_free(s->tick);
	evbuffer_free(s->out);
	evbuffer_free(s->proxy);
	rtmp_session_free(&s->rtmp);
	if (s->hls != NULL) {
		s->hls->ops->free(&s->hls);
		tracks_free(&s->tracks);
		ring_free(&s->ring);
	}
	free(read_buffer);
	free(s);
}
