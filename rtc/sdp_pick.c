/*
 * sdp_pick.c - what of an offer or answer is used (contract in sdp.h): the m-lines, their payload
 * types and the one transport that carries them. Pure.
 *
 * Whoever answered us is judged by the same rules as whoever offers. With BUNDLE all used m-lines
 * share the transport of the first one of them; without it only one m-line can be used.
 */
#include "rtc/sdp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BASELINE 66		/* profile_idc */
#define HIGH 100
#define CONSTRAINED 0x40	/* constraint_set1_flag */

static int
refuse(int code, char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SDP_WHY, fmt, ap);
	va_end(ap);
	errno = code;
	return -1;
}

/* --- formats --- */

int
sdp_param(const char *fmtp, const char *key, char *out, size_t size)
{
	size_t k = strlen(key), n;

	for (const char *p = fmtp; p != NULL && *p != '\0'; p += n + (p[n] == ';')) {
		p += strspn(p, " ");
		n = strcspn(p, ";");
		if (n > k && strncasecmp(p, key, k) == 0 && p[k] == '=') {
			size_t len = n - k - 1;

			while (len > 0 && p[k + len] == ' ')
				len--;
			if (len >= size)
				return -1;
			memcpy(out, p + k + 1, len);
			out[len] = '\0';
			return 0;
		}
	}
	return -1;
}

static bool
is_format(const struct sdp_format *f, const char *name, uint32_t rate)
{
	/* 64 to 95 would be taken for RTCP (RFC 5761 section 4); 0 is "none" to those who ask us */
	return strcasecmp(f->name, name) == 0 && f->rate == rate && f->pt > 0 && (f->pt < 64 || f->pt > 95);
}

/* Profile and constraints of profile-level-id; without one it is baseline (RFC 6184 8.1). */
static void
profile_of(const struct sdp_format *f, uint8_t *profile, uint8_t *constraints)
{
	char text[16];
	unsigned long v = 0x42000a;
	char *end;

	if (sdp_param(f->fmtp, "profile-level-id", text, sizeof(text)) == 0 && strlen(text) == 6) {
		v = strtoul(text, &end, 16);
		if (*end != '\0')
			v = 0x42000a;
	}
	*profile = (uint8_t)(v >> 16);
	*constraints = (uint8_t)(v >> 8);
}

/* How well it suits; 0: not at all. */
static int
h264_rank(const struct sdp_format *f, uint8_t profile, uint8_t constraints)
{
	uint8_t its, flags;
	char mode[4];

	if (!is_format(f, "H264", 90000) || sdp_param(f->fmtp, "packetization-mode", mode, sizeof(mode)) < 0 ||
	    strcmp(mode, "1") != 0)
		return 0;
	profile_of(f, &its, &flags);
	if (profile != 0 && profile == its)
		return (constraints & CONSTRAINED) == (flags & CONSTRAINED) ? 5 : 4;
	return its != BASELINE ? 1 : (flags & CONSTRAINED) != 0 ? 3 : 2;
}

/*
 * The H.264 format to send this profile on: packetization-mode 1 (RFC 6184 6.2); the same profile_idc if it
 * is there, else constrained baseline, else baseline, else any. NULL: none.
 */
static const struct sdp_format *
h264(const struct sdp_media *m, uint8_t profile, uint8_t constraints)
{
	const struct sdp_format *best = NULL;
	int rank, best_rank = 0;

	for (unsigned i = 0; i < m->nformats; i++) {
		rank = h264_rank(&m->formats[i], profile, constraints);
		if (rank > best_rank) {
			best_rank = rank;
			best = &m->formats[i];
		}
	}
	return best;
}

static const struct sdp_format *
opus(const struct sdp_media *m)
{
	for (unsigned i = 0; i < m->nformats; i++)
		if (is_format(&m->formats[i], "opus", 48000) && m->formats[i].channels == 2)
			return &m->formats[i];
	return NULL;
}

/* The RTX (RFC 4588) for pt, if the other end says what was lost; -1: none. */
static int
rtx_of(const struct sdp_media *m, const struct sdp_format *f)
{
	char apt[8];

	for (unsigned i = 0; i < m->nformats && (f->feedback & SDP_NACK) != 0; i++)
		if (is_format(&m->formats[i], "rtx", f->rate) &&
		    sdp_param(m->formats[i].fmtp, "apt", apt, sizeof(apt)) == 0 && atoi(apt) == f->pt)
			return m->formats[i].pt;
	return -1;
}

/* --- m-lines --- */

static bool
takes_part(const struct sdp_media *m, enum sdp_direction ours)
{
	return m->rtp && !m->off && (m->direction == SDP_SENDRECV ||
	    m->direction == (ours == SDP_SENDONLY ? SDP_RECVONLY : SDP_SENDONLY));
}

static void
take(struct sdp_track *t, const struct sdp *s, unsigned i, const struct sdp_format *f)
{
	if (f == NULL || t->media >= 0)
		return;
	t->media = (int)i;
	t->format = f;
	t->rtx_pt = rtx_of(&s->media[i], f);
}

/*
 * What a stream is may show, or change, only after the SDP: so High has its own payload type where the
 * other end has one (Safari does not decode it on that of baseline; others decode all of it).
 */
static void
take_high(struct sdp_pick *out, const struct sdp *s)
{
	const struct sdp_media *m = out->video.media >= 0 ? &s->media[out->video.media] : NULL;
	const struct sdp_format *f = m != NULL ? h264(m, HIGH, 0) : NULL;
	uint8_t profile = 0, constraints;

	if (f != NULL)
		profile_of(f, &profile, &constraints);
	if (profile == HIGH && f != out->video.format && out->direction == SDP_SENDONLY)
		take(&out->high, s, (unsigned)out->video.media, f);
}

static int
pick_tracks(const struct sdp *s, const struct sdp_want *want, struct sdp_pick *out, char *why)
{
	bool video = false;

	for (unsigned i = 0; i < s->nmedia; i++) {
		const struct sdp_media *m = &s->media[i];

		if (!takes_part(m, want->direction))
			continue;
		if (m->kind == SDP_VIDEO && want->video) {
			video = true;
			take(&out->video, s, i, h264(m, want->profile, want->constraints));
		} else if (m->kind == SDP_AUDIO && want->audio)
			take(&out->audio, s, i, opus(m));
	}
	if (video && out->video.media < 0)
		return refuse(ENOTSUP, why, "its video has no H264 with packetization-mode=1");
	if (out->video.media < 0 && out->audio.media < 0)
		return refuse(ENOTSUP, why, "no m-line of it that %s has H264 or opus",
		    want->direction == SDP_SENDONLY ? "receives" : "sends");
	return 0;
}

/* --- the transport --- */

static int
check_media(const struct sdp *s, int index, char *why)
{
	const struct sdp_media *m = &s->media[index];

	if (!m->rtcp_mux)
		return refuse(ENOTSUP, why, "m-line %d has no a=rtcp-mux: RTCP has no port of its own here", index + 1);
	if (s->type == SDP_ANSWER && m->setup != SDP_ACTIVE)
		return refuse(EINVAL, why, "m-line %d has to say a=setup:active, since we are passive", index + 1);
	if (s->type == SDP_OFFER && m->setup == SDP_PASSIVE)
		return refuse(ENOTSUP, why, "m-line %d says a=setup:passive, want actpass or active", index + 1);
	return 0;
}

static int
check_bundle(const struct sdp *s, const struct sdp_pick *p, char *why)
{
	if (p->video.media < 0 || p->audio.media < 0)
		return 0;
	if (!s->media[p->video.media].bundled || !s->media[p->audio.media].bundled)
		return refuse(ENOTSUP, why, "its video and audio are not in one a=group:BUNDLE");
	return 0;
}

static int
pick_transport(const struct sdp *s, struct sdp_pick *out, char *why)
{
	int first = out->video.media, other = out->audio.media;
	const struct sdp_media *m;

	if (first < 0 || (other >= 0 && other < first))
		first = other;
	m = &s->media[first];
	out->ice = m->ice;
	out->fingerprint = m->fingerprint;
	if (m->ice.ufrag == NULL || m->ice.pwd == NULL)
		return refuse(EINVAL, why, "m-line %d has no a=ice-ufrag and a=ice-pwd", first + 1);
	if (m->fingerprint == NULL)
		return refuse(EINVAL, why, "m-line %d has no a=fingerprint with sha-256, sha-384 or sha-512",
		    first + 1);
	if (s->ice_lite)
		return refuse(ENOTSUP, why, "it is ICE-lite as we are: nobody would begin");
	return 0;
}

int
sdp_pick(const struct sdp *s, const struct sdp_want *want, struct sdp_pick *out, char *why)
{
	*out = (struct sdp_pick){ .direction = want->direction, .video = { -1, NULL, -1 }, .high = { -1, NULL, -1 },
	    .audio = { -1, NULL, -1 } };
	if (s->nmedia == 0)
		return refuse(EINVAL, why, "it has no m-line");
	if (pick_tracks(s, want, out, why) < 0 || check_bundle(s, out, why) < 0 ||
	    pick_transport(s, out, why) < 0)
		return -1;
	take_high(out, s);
	for (int i = 0; i < (int)s->nmedia; i++)
		if ((i == out->video.media || i == out->audio.media) && check_media(s, i, why) < 0)
			return -1;
	return 0;
}

bool
sdp_ice(const struct sdp *s, struct sdp_ice *out)
{
	*out = s->session.ice;
	for (unsigned i = 0; i < s->nmedia && out->ufrag == NULL; i++)
		*out = s->media[i].ice;
	return out->ufrag != NULL && out->pwd != NULL;
}
