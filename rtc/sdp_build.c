/*
 * sdp_build.c - the SDPs that we say (contract in sdp.h): an answer in the order of the offer, an
 * offer of our own, the fragment after an ICE restart. What is repeated from the other end is
 * printable ASCII in one line: sdp_parse.c has seen to it. Pure.
 *
 * The answer was tried with Chromium, Firefox, aiortc and GStreamer: transport attributes in every
 * m-line, one msid for both, SSRCs with cname. No header extensions, no transport-cc: there is one
 * rendition, so nobody could act on an estimate. Who sends to us is told what it may send (REMB).
 */
#include "rtc/sdp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* Of our own offer. Two H.264: what High is sent on where it is taken (Safari), and what all take. */
enum { OFFER_VIDEO = 102, OFFER_RTX = 103, OFFER_HIGH = 104, OFFER_HIGH_RTX = 105, OFFER_AUDIO = 111 };

#define OPUS_FMTP "minptime=10;useinbandfec=1;stereo=1"

/* Priorities (RFC 8445 5.1.2.1, RFC 6544 4.2): UDP before TCP, addresses in their order. */
#define UDP_TYPE 126u
#define UDP_LOCAL 65535u
#define TCP_TYPE 90u
#define TCP_LOCAL 40959u	/* passive: direction preference 4, of 13 bits */

/* --- pieces --- */

size_t
sdp_candidate(const struct sdp_local *l, unsigned i, char *out, size_t size)
{
	const struct sdp_address *a = l->addresses;
	unsigned n = 0, k;

	for (k = 0; k < l->naddresses; k++, n++)	/* UDP of all */
		if (n == i)
			return (size_t)snprintf(out, size, "candidate:%u 1 udp %u %s %u typ host", i + 1,
			    UDP_TYPE << 24 | (UDP_LOCAL - k) << 8 | 255, a[k].ip, a[k].udp);
	for (k = 0; k < l->naddresses; k++)
		if (a[k].tcp != 0 && n++ == i)
			return (size_t)snprintf(out, size, "candidate:%u 1 tcp %u %s %u typ host tcptype passive",
			    i + 1, TCP_TYPE << 24 | (TCP_LOCAL - k) << 8 | 255, a[k].ip, a[k].tcp);
	return 0;
}

static void
candidates(FILE *f, const struct sdp_local *l)
{
	char line[128];

	for (unsigned i = 0; sdp_candidate(l, i, line, sizeof(line)) > 0; i++)
		fprintf(f, "a=%s\r\n", line);
	fprintf(f, "a=end-of-candidates\r\n");
}

static void
connection(FILE *f, const struct sdp_local *l)
{
	const char *ip = l->naddresses > 0 ? l->addresses[0].ip : "0.0.0.0";

	fprintf(f, "c=IN %s %s\r\na=rtcp:9 IN IP4 0.0.0.0\r\n", strchr(ip, ':') != NULL ? "IP6" : "IP4", ip);
}

static void
head(FILE *f, const struct sdp_local *l, const char *group)
{
	fprintf(f, "v=0\r\no=- %llu 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
	    (unsigned long long)(l->session & (UINT64_MAX >> 2)));
	if (group[0] != '\0')
		fprintf(f, "a=group:BUNDLE%s\r\n", group);
	fprintf(f, "a=ice-lite\r\na=msid-semantic: WMS *\r\n");
}

static void
credentials(FILE *f, const struct sdp_local *l, const char *setup)
{
	fprintf(f, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:%s\r\n", l->ufrag, l->pwd,
	    l->fingerprint, setup);
}

static void
transport(FILE *f, const struct sdp_local *l, const char *setup)
{
	connection(f, l);
	credentials(f, l, setup);
	candidates(f, l);
}

static void
flow(FILE *f, const char *mid, enum sdp_direction direction)
{
	if (mid != NULL)
		fprintf(f, "a=mid:%s\r\n", mid);
	fprintf(f, "a=%s\r\na=rtcp-mux\r\na=rtcp-mux-only\r\na=rtcp-rsize\r\n",
	    direction == SDP_SENDONLY ? "sendonly" : "recvonly");
}

static void
source(FILE *f, const struct sdp_local *l, uint32_t ssrc, const char *track)
{
	if (ssrc == 0)
		return;
	fprintf(f, "a=ssrc:%u cname:%s\r\na=ssrc:%u msid:%s %s\r\n", ssrc, l->cname, ssrc, l->stream, track);
}

static void
msid(FILE *f, const struct sdp_local *l, const char *track)
{
	fprintf(f, "a=msid:%s %s\r\n", l->stream, track);
}

static void
video_sources(FILE *f, const struct sdp_local *l, bool rtx)
{
	if (rtx && l->video_ssrc != 0)
		fprintf(f, "a=ssrc-group:FID %u %u\r\n", l->video_ssrc, l->rtx_ssrc);
	source(f, l, l->video_ssrc, "video");
	if (rtx)
		source(f, l, l->rtx_ssrc, "video");
}

static void
feedback(FILE *f, unsigned pt, unsigned what)
{
	if (what & SDP_NACK)
		fprintf(f, "a=rtcp-fb:%u nack\r\n", pt);
	if (what & SDP_PLI)
		fprintf(f, "a=rtcp-fb:%u nack pli\r\n", pt);
	if (what & SDP_FIR)
		fprintf(f, "a=rtcp-fb:%u ccm fir\r\n", pt);
	if (what & SDP_REMB)
		fprintf(f, "a=rtcp-fb:%u goog-remb\r\n", pt);
}

static void
rtx(FILE *f, int pt, unsigned apt)
{
	fprintf(f, "a=rtpmap:%d rtx/90000\r\na=fmtp:%d apt=%u\r\n", pt, pt, apt);
}

/* A text that grows: open_memstream(3). */
struct text { char *p; size_t len; FILE *f; };

static FILE *
text_begin(struct text *t)
{
	t->f = open_memstream(&t->p, &t->len);
	if (t->f == NULL)
		fatal("no memory for an SDP");
	return t->f;
}

static char *
text_end(struct text *t)
{
	if (fclose(t->f) != 0)
		fatal("no memory for an SDP");
	return t->p;
}

/* --- answer --- */

/* GStreamer 1.22 refuses an answer that has an m-line without credentials, also if that is declined. */
static void
declined(FILE *f, const struct sdp_media *m, const struct sdp_local *l)
{
	fprintf(f, "m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0\r\n", m->name, m->proto, m->list);
	credentials(f, l, "passive");
	if (m->mid != NULL)
		fprintf(f, "a=mid:%s\r\n", m->mid);
	fprintf(f, "a=inactive\r\n");
}

static void
list_h264(FILE *f, const struct sdp_track *t)
{
	if (t->format != NULL)
		fprintf(f, " %u", t->format->pt);
	if (t->rtx_pt >= 0)
		fprintf(f, " %d", t->rtx_pt);
}

static void
answer_h264(FILE *f, const struct sdp_track *t, enum sdp_direction direction)
{
	unsigned pt = t->format != NULL ? t->format->pt : 0;

	if (t->format == NULL)
		return;
	fprintf(f, "a=rtpmap:%u H264/90000\r\na=fmtp:%u %s\r\n", pt, pt, t->format->fmtp);
	feedback(f, pt, t->format->feedback & ~(direction == SDP_RECVONLY ? 0U : (unsigned)SDP_REMB));
	if (t->rtx_pt >= 0)
		rtx(f, t->rtx_pt, pt);
}

static void
answer_video(FILE *f, const struct sdp_media *m, const struct sdp_pick *p, const struct sdp_local *l)
{
	fprintf(f, "m=video 9 %s", m->proto);
	list_h264(f, &p->video);
	list_h264(f, &p->high);
	fprintf(f, "\r\n");
	transport(f, l, "passive");
	flow(f, m->mid, p->direction);
	if (p->direction == SDP_SENDONLY)
		msid(f, l, "video");
	answer_h264(f, &p->video, p->direction);
	answer_h264(f, &p->high, p->direction);
	video_sources(f, l, p->video.rtx_pt >= 0 || p->high.rtx_pt >= 0);
}

static void
answer_audio(FILE *f, const struct sdp_media *m, const struct sdp_pick *p, const struct sdp_local *l)
{
	unsigned pt = p->audio.format->pt;
	bool send = p->direction == SDP_SENDONLY;

	fprintf(f, "m=audio 9 %s %u\r\n", m->proto, pt);
	transport(f, l, "passive");
	flow(f, m->mid, p->direction);
	if (send)
		msid(f, l, "audio");
	fprintf(f, "a=rtpmap:%u opus/48000/2\r\na=fmtp:%u " OPUS_FMTP "%s\r\n", pt, pt, send ? ";sprop-stereo=1" : "");
	source(f, l, l->audio_ssrc, "audio");
}

static void
answer_group(const struct sdp *offer, const struct sdp_pick *p, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; i < (int)offer->nmedia; i++)
		if ((i == p->video.media || i == p->audio.media) && offer->media[i].bundled)
			n += (size_t)snprintf(out + n, size - n, " %s", offer->media[i].mid);
}

char *
sdp_answer(const struct sdp *offer, const struct sdp_pick *p, const struct sdp_local *l)
{
	char group[2 * 66];	/* two mids */
	struct text t;
	FILE *f = text_begin(&t);

	answer_group(offer, p, group, sizeof(group));
	head(f, l, group);
	for (int i = 0; i < (int)offer->nmedia; i++) {
		if (i == p->video.media)
			answer_video(f, &offer->media[i], p, l);
		else if (i == p->audio.media)
			answer_audio(f, &offer->media[i], p, l);
		else
			declined(f, &offer->media[i], l);
	}
	return text_end(&t);
}

/* --- offer --- */

static void
offer_h264(FILE *f, unsigned pt, unsigned rtx_pt, const char *profile)
{
	fprintf(f, "a=rtpmap:%u H264/90000\r\na=fmtp:%u level-asymmetry-allowed=1;packetization-mode=1;"
	    "profile-level-id=%s\r\n", pt, pt, profile);
	feedback(f, pt, SDP_NACK | SDP_PLI | SDP_FIR);
	rtx(f, (int)rtx_pt, pt);
}

char *
sdp_offer(const struct sdp_local *l, bool video, bool audio)
{
	struct text t;
	FILE *f = text_begin(&t);

	head(f, l, video && audio ? " 0 1" : " 0");
	if (video) {
		fprintf(f, "m=video 9 UDP/TLS/RTP/SAVPF %d %d %d %d\r\n", OFFER_VIDEO, OFFER_RTX, OFFER_HIGH,
		    OFFER_HIGH_RTX);
		transport(f, l, "actpass");
		flow(f, "0", SDP_SENDONLY);
		msid(f, l, "video");
		offer_h264(f, OFFER_VIDEO, OFFER_RTX, "42e01f");
		offer_h264(f, OFFER_HIGH, OFFER_HIGH_RTX, "640c1f");
		video_sources(f, l, true);
	}
	if (audio) {
		fprintf(f, "m=audio 9 UDP/TLS/RTP/SAVPF %d\r\n", OFFER_AUDIO);
		transport(f, l, "actpass");
		flow(f, video ? "1" : "0", SDP_SENDONLY);
		msid(f, l, "audio");
		fprintf(f, "a=rtpmap:%d opus/48000/2\r\na=fmtp:%d " OPUS_FMTP ";sprop-stereo=1\r\n", OFFER_AUDIO,
		    OFFER_AUDIO);
		source(f, l, l->audio_ssrc, "audio");
	}
	return text_end(&t);
}

/* --- fragment --- */

char *
sdp_fragment(const struct sdp *asked, const struct sdp_local *l)
{
	const struct sdp_media *m = asked->nmedia > 0 ? &asked->media[0] : NULL;
	struct text t;
	FILE *f = text_begin(&t);

	fprintf(f, "a=ice-lite\r\n");
	if (asked->bundle != NULL)
		fprintf(f, "a=group:BUNDLE %s\r\n", asked->bundle);
	if (m != NULL)
		fprintf(f, "m=%s 9 %s %s\r\n", m->name, m->proto, m->list);
	if (m != NULL && m->mid != NULL)
		fprintf(f, "a=mid:%s\r\n", m->mid);
	fprintf(f, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", l->ufrag, l->pwd);
	candidates(f, l);
	return text_end(&t);
}
