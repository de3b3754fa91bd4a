/*
 * whip_media.c - see whip_media.h. Called by whip_publish.c. Tracks are told apart by payload type,
 * as the SDP says; a track's source (SSRC) is whatever comes with it, and may change.
 */
#include "whip_media.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "be.h"
#include "log.h"
#include "rtc/opus.h"
#include "rtc/rtcp.h"
#include "util.h"
#include "whip_clock.h"
#include "whip_jitter.h"
#include "whip_receive.h"
#include "whip_video.h"

#define VIDEO_RATE 90000
#define REPORT_MS 1000
#define PLI_MS 500		/* between two that ask for the same */
#define OLDER 8			/* one part in so many: its own key frame may be on its way */
#define SOON_MS 10		/* something is missing */
#define LATER_MS 100
#define RTP_HEAD 12
#define NACKS 256		/* sequence numbers asked for at once */

#define OPUS_CODED 0x91		/* enhanced RTMP: ExAudioTagHeader, CodedFrames */
#define OPUS_START 0x90		/* SequenceStart */
#define OPUS_TAG_HEAD 5		/* that and the FourCC */

struct track {
	struct whip_media *m;
	bool audio, begun;
	uint32_t ssrc;
	struct jitter *jitter;
	struct whip_receive receive;
};

struct whip_media {
	struct whip_media_conf conf;
	char cname[64];
	const struct whip_media_ops *ops;
	void *ctx;
	struct track video, audio;
	struct whip_video frames;
	struct whip_clock clock;
	uint32_t ssrc;			/* ours: who reports */
	bool opus_begun, waits;		/* waits: something is missing */
	int64_t now;			/* of the call we are in */
	int64_t report_ms, pli_ms;
	uint64_t pli_packets;		/* that had come when it was last asked for a key frame */
	struct whip_media_stats stats;
};

/* --- media out --- */

static void
on_picture(void *ctx, uint32_t ts, int64_t came_ms, const uint8_t *body, size_t len)
{
	struct whip_media *m = ctx;

	m->ops->tag(m->ctx, FLV_VIDEO, (uint32_t)whip_clock_map(&m->clock, false, ts, came_ms), body, len);
}

static const struct whip_video_ops video_ops = { .tag = on_picture };

/* OpusHead (RFC 7845 5.1): two channels, whatever a packet has; no pre-skip, this is no file's beginning. */
static void
begin_opus(struct whip_media *m, uint32_t ms)
{
	static const uint8_t body[] = { OPUS_START, 'O', 'p', 'u', 's', 'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2,
		0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0 };

	m->opus_begun = true;
	m->ops->tag(m->ctx, FLV_AUDIO, ms, body, sizeof(body));
}

static void
on_sound(struct whip_media *m, const struct jitter_packet *p)
{
	uint8_t body[OPUS_TAG_HEAD + 1500] = { OPUS_CODED, 'O', 'p', 'u', 's' };
	uint32_t ms;

	if (p->len == 0 || p->len > sizeof(body) - OPUS_TAG_HEAD || opus_samples(p->payload, p->len) < 0)
		return;
	ms = (uint32_t)whip_clock_map(&m->clock, true, p->ts, p->came_ms);
	if (!m->opus_begun)
		begin_opus(m, ms);
	memcpy(body + OPUS_TAG_HEAD, p->payload, p->len);
	m->ops->tag(m->ctx, FLV_AUDIO, ms, body, OPUS_TAG_HEAD + p->len);
}

static void
on_packet(void *ctx, const struct jitter_packet *p)
{
	struct track *t = ctx;

	if (t->audio)
		on_sound(t->m, p);
	else
		whip_video_packet(&t->m->frames, p);
}

static void
on_lost(void *ctx, unsigned n)
{
	struct track *t = ctx;

	if (!t->audio)
		whip_video_lost(&t->m->frames);
}

static const struct jitter_ops jitter_ops = { .packet = on_packet, .lost = on_lost };

/* --- packets in --- */

/* What is behind the head: 0, or -1: no RTP. */
static int
payload_of(const uint8_t *p, size_t n, size_t *at, size_t *len)
{
	size_t head = RTP_HEAD + 4 * (size_t)(n > 0 ? p[0] & 15 : 0), pad;

	if (n < head || p[0] >> 6 != 2)
		return -1;
	if (p[0] & 0x10) {	/* extension: 5.3.1 */
		if (n < head + 4)
			return -1;
		head += 4 + 4 * (size_t)be_get(p + head + 2, 2);
		if (n < head)
			return -1;
	}
	pad = p[0] & 0x20 ? p[n - 1] : 0;
	if (pad > n - head || (p[0] & 0x20 && pad == 0))
		return -1;
	*at = head;
	*len = n - head - pad;
	return 0;
}

/* Another source of this track, or its first. */
static void
begin_source(struct track *t, uint32_t ssrc)
{
	if (t->begun) {
		log_debug("%s comes from another source now", t->audio ? "audio" : "video");
		jitter_flush(t->jitter);
		jitter_reset(t->jitter);
		whip_clock_restart(&t->m->clock, t->audio);
		on_lost(t, 1);
	}
	t->begun = true;
	t->ssrc = ssrc;
	whip_receive_begin(&t->receive, ssrc, t->audio ? OPUS_RATE : VIDEO_RATE);
}

static void
take(struct track *t, const uint8_t *p, size_t at, size_t len)
{
	struct whip_media *m = t->m;
	uint32_t ssrc = (uint32_t)be_get(p + 8, 4), ts = (uint32_t)be_get(p + 4, 4);
	uint16_t seq = (uint16_t)be_get(p + 2, 2);

	if (!t->begun || ssrc != t->ssrc)
		begin_source(t, ssrc);
	m->stats.packets++;
	whip_receive_packet(&t->receive, seq, ts, m->now);
	jitter_put(t->jitter, seq, ts, (p[1] & 0x80) != 0, p + at, len, m->now);
}

/* A packet that was asked for again (RFC 4588): its own sequence number is in front. */
static void
take_rtx(struct track *t, const uint8_t *p, size_t at, size_t len)
{
	if (!t->begun || len < 2)
		return;
	jitter_put(t->jitter, (uint16_t)be_get(p + at, 2), (uint32_t)be_get(p + 4, 4), (p[1] & 0x80) != 0, p + at + 2,
	    len - 2, t->m->now);
}

/* A gap has just been seen: its NACK is not to wait. */
static bool
hurries(struct whip_media *m)
{
	bool waits = jitter_waits(m->video.jitter) || jitter_waits(m->audio.jitter);
	bool first = waits && !m->waits;

	m->waits = waits;
	return first;
}

bool
whip_media_rtp(struct whip_media *m, const uint8_t *p, size_t n, int64_t now)
{
	size_t at, len;
	int pt = n > 1 ? p[1] & 0x7f : -1;

	m->now = now;
	if (payload_of(p, n, &at, &len) < 0)
		return false;
	if (pt == m->conf.video_pt)
		take(&m->video, p, at, len);
	else if (pt == m->conf.audio_pt)
		take(&m->audio, p, at, len);
	else if (pt == m->conf.rtx_pt)
		take_rtx(&m->video, p, at, len);
	return hurries(m);
}

/* --- RTCP --- */

static void
on_sender(void *ctx, uint32_t from, uint64_t ntp, uint32_t rtp)
{
	struct whip_media *m = ctx;
	struct track *t = m->video.begun && from == m->video.ssrc ? &m->video :
	    m->audio.begun && from == m->audio.ssrc ? &m->audio : NULL;

	if (t == NULL)
		return;
	whip_receive_sender(&t->receive, ntp, m->now);
	whip_clock_report(&m->clock, t->audio, ntp, rtp);
}

void
whip_media_rtcp(struct whip_media *m, const uint8_t *p, size_t n, int64_t now)
{
	static const struct rtcp_ops ops = { .sender = on_sender };

	m->now = now;
	rtcp_parse(p, n, &ops, m);
}

static void
report(struct whip_media *m)
{
	struct rtcp_report blocks[2];
	uint8_t out[RTCP_MAX];
	unsigned n = 0;

	m->report_ms = m->now + REPORT_MS;
	if (m->video.begun)
		blocks[n++] = whip_receive_report(&m->video.receive, m->now);
	if (m->audio.begun)
		blocks[n++] = whip_receive_report(&m->audio.receive, m->now);
	if (n > 0)
		m->ops->rtcp(m->ctx, out, rtcp_write_rr(out, sizeof(out), m->ssrc, blocks, n, m->cname));
}

/* All that it sends shares one estimate, so the video's stands for it (which browsers take for the whole). */
static void
say_limit(struct whip_media *m)
{
	uint8_t out[RTCP_MAX];

	if (m->conf.remb_bps > 0 && m->video.begun)
		m->ops->rtcp(m->ctx, out, rtcp_write_remb(out, sizeof(out), m->ssrc, (uint64_t)m->conf.remb_bps,
		    &m->video.ssrc, 1));
}

static void
ask_again(struct whip_media *m)
{
	uint16_t seq[NACKS];
	uint8_t out[RTCP_MAX];
	unsigned n = jitter_missing(m->video.jitter, seq, NACKS, m->now), taken;
	size_t len;

	for (unsigned i = 0; i < n; i += taken) {
		len = rtcp_write_nack(out, sizeof(out), m->ssrc, m->video.ssrc, seq + i, n - i, &taken);
		if (len == 0 || taken == 0)
			return;
		m->stats.nacks += taken;
		m->ops->rtcp(m->ctx, out, len);
	}
}

/* Nothing can be seen before the next key frame, or the last one is too old for a segment to begin with. */
static void
ask_for_key(struct whip_media *m)
{
	bool old = m->conf.key_ms > 0 && m->now - m->frames.key_ms >= m->conf.key_ms + m->conf.key_ms / OLDER;
	uint8_t out[RTCP_MAX];

	if (!m->conf.pli || !m->video.begun || (!m->frames.want_key && !old) || m->now < m->pli_ms ||
	    m->stats.packets == m->pli_packets)
		return;
	m->pli_ms = m->now + PLI_MS;
	m->pli_packets = m->stats.packets;
	m->stats.plis++;
	m->ops->rtcp(m->ctx, out, rtcp_write_pli(out, sizeof(out), m->ssrc, m->video.ssrc));
}

int
whip_media_tick(struct whip_media *m, int64_t now)
{
	m->now = now;
	jitter_tick(m->video.jitter, now);
	jitter_tick(m->audio.jitter, now);
	if (m->conf.nack)
		ask_again(m);
	ask_for_key(m);
	if (now >= m->report_ms) {
		report(m);
		say_limit(m);
	}
	hurries(m);
	return m->waits ? SOON_MS : LATER_MS;
}

/* --- */

void
whip_media_flush(struct whip_media *m)
{
	jitter_flush(m->video.jitter);
	jitter_flush(m->audio.jitter);
}

void
whip_media_stats(const struct whip_media *m, struct whip_media_stats *out)
{
	*out = m->stats;
	out->lost = m->video.jitter->lost + m->audio.jitter->lost;
	out->late = m->video.jitter->late + m->audio.jitter->late;
	out->dropped = m->frames.dropped;
	out->backwards = m->frames.backwards;
	out->shift_ms = (int)(m->clock.shift_us / 1000);
}

struct whip_media *
whip_media_new(const struct whip_media_conf *conf, const struct whip_media_ops *ops, void *ctx)
{
	struct whip_media *m = xcalloc(1, sizeof(*m));

	m->conf = *conf;
	m->ops = ops;
	m->ctx = ctx;
	str_copy(m->cname, conf->cname, sizeof(m->cname));
	m->video = (struct track){ .m = m, .jitter = jitter_new(conf->window_ms, &jitter_ops, &m->video) };
	m->audio = (struct track){ .m = m, .audio = true,
		.jitter = jitter_new(conf->window_ms, &jitter_ops, &m->audio) };
	whip_video_init(&m->frames, conf->max_picture, &video_ops, m);
	whip_video_sprop(&m->frames, conf->sprop);
	whip_clock_init(&m->clock, VIDEO_RATE, OPUS_RATE);
	if (getrandom(&m->ssrc, sizeof(m->ssrc), 0) != sizeof(m->ssrc))
		fatal("no random numbers");
	return m;
}

void
whip_media_free(struct whip_media **mp)
{
	struct whip_media *m = *mp;

	if (m == NULL)
		return;
	jitter_free(&m->video.jitter);
	jitter_free(&m->audio.jitter);
	whip_video_free(&m->frames);
	free(m);
	*mp = NULL;
}
