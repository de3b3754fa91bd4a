/*
 * SDPs as Chromium, Firefox, aiortc, GStreamer, OBS (libdatachannel) and Janus say them (t/sdp, and
 * the constants below): what is picked of each, what is answered, and what is refused with which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/sdp.h"
#include "util.h"

#define PRINT "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
#define SESSION "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define ICE "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:" PRINT "\r\na=setup:actpass\r\n"
#define VIDEO "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:v\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n" \
	"a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n"
#define AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"

/* OBS 30: transport at session level, audio first, LS groups, SHA-256 in upper case. */
static const char obs[] = "v=0\r\no=rtc 705986798 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "a=group:LS 0 1\r\na=msid-semantic:WMS *\r\na=setup:actpass\r\na=ice-ufrag:JLvv\r\n"
    "a=ice-pwd:AVQo+aTrh2UHIfcZiaNfD9\r\na=ice-options:ice2,trickle\r\na=fingerprint:" PRINT "\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=ssrc:3957928345 cname:x\r\n"
    "a=ssrc:3957928345 msid:s s-audio\r\na=msid:s s-audio\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\na=ssrc:3957928346 cname:x\r\n"
    "a=rtcp-mux\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n"
    "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1\r\n";

/* Safari: High as the first H.264. */
static const char safari[] = SESSION "a=group:BUNDLE v a\r\n" ICE "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\n"
    "a=mid:v\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack\r\n"
    "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\r\na=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\na=rtcp-fb:98 nack\r\n"
    "a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\na=rtpmap:99 rtx/90000\r\n"
    "a=fmtp:99 apt=98\r\n" AUDIO;

static const struct sdp_address addresses[] = { { "192.0.2.1", 8189, 8189 }, { "2001:db8::1", 8189, 0 } };
static const struct sdp_local local = { .session = 77, .ufrag = "ourufrag", .pwd = "ourpasswordourpassword12",
    .fingerprint = PRINT, .addresses = addresses, .naddresses = 2, .cname = "cn", .stream = "st",
    .video_ssrc = 1001, .rtx_ssrc = 1002, .audio_ssrc = 1003 };

static char why[SDP_WHY];

static char *
stored(const char *name)
{
	char path[128];
	char *text;

	snprintf(path, sizeof(path), "t/sdp/%s", name);
	text = file_read(path, 100000, NULL);
	if (text == NULL)
		fail_msg("cannot read %s: run from the top of the source", path);
	return text;
}

static struct sdp *
parse(enum sdp_type type, const char *text)
{
	struct sdp *s = sdp_parse(type, text, strlen(text), why);

	if (s == NULL)
		print_message("# %s\n", why);
	assert_non_null(s);
	return s;
}

/* --- what is picked --- */

struct row {
	const char *name, *text;	/* text NULL: t/sdp/name.sdp */
	enum sdp_direction direction;
	uint8_t profile, constraints;
	int video, pt, rtx, audio, audio_pt;
	const char *ufrag;
};

static const struct row rows[] = {
	{ "chromium-offer", NULL, SDP_SENDONLY, 0, 0, 0, 108, 109, 1, 111, "c8wu" },
	{ "chromium-offer", NULL, SDP_SENDONLY, 66, 0xe0, 0, 108, 109, 1, 111, "c8wu" },
	{ "chromium-offer", NULL, SDP_SENDONLY, 66, 0, 0, 102, 103, 1, 111, "c8wu" },
	{ "chromium-offer", NULL, SDP_SENDONLY, 77, 0, 0, 116, 117, 1, 111, "c8wu" },
	{ "chromium-offer", NULL, SDP_SENDONLY, 100, 0, 0, 108, 109, 1, 111, "c8wu" },
	{ "firefox-offer", NULL, SDP_SENDONLY, 100, 0, 0, 126, 127, 1, 109, "6053939b" },
	{ "firefox-offer", NULL, SDP_SENDONLY, 66, 0, 0, 105, 106, 1, 109, "6053939b" },
	{ "aiortc-offer", NULL, SDP_SENDONLY, 0, 0, 0, 101, 102, 1, 96, "hUi3" },
	{ "gst-offer", NULL, SDP_SENDONLY, 0, 0, 0, 102, -1, 1, 111, "ERjAqffwfrpzxVrWXaMj2OX1ufAzz3Ib" },
	{ "gst-srv-offer", NULL, SDP_RECVONLY, 0, 0, 0, 96, -1, 1, 97, "n7UhYuUq3vlbgZ0tfZ6+EG87VvKT/lv4" },
	{ "obs", obs, SDP_RECVONLY, 0, 0, 1, 96, -1, 0, 111, "JLvv" },
	{ "safari", safari, SDP_SENDONLY, 0, 0, 0, 98, 99, 1, 111, "abcd" },
	{ "safari, High", safari, SDP_SENDONLY, 100, 0, 0, 96, 97, 1, 111, "abcd" },
};

static void
check_row(const struct row *row, struct sdp *s)
{
	struct sdp_want want = { row->direction, true, true, row->profile, row->constraints };
	struct sdp_pick p;

	print_message("# %s, profile %u\n", row->name, row->profile);
	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	assert_int_equal(p.video.media, row->video);
	assert_int_equal(p.video.format->pt, row->pt);
	assert_int_equal(p.video.rtx_pt, row->rtx);
	assert_int_equal(p.audio.media, row->audio);
	assert_int_equal(p.audio.format->pt, row->audio_pt);
	assert_string_equal(p.ice.ufrag, row->ufrag);
	assert_non_null(p.fingerprint);
	assert_memory_equal(p.fingerprint, "sha-256 ", 8);
}

static void
real_offers(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64], *text;
		struct sdp *s;

		snprintf(name, sizeof(name), "%s.sdp", rows[i].name);
		text = rows[i].text != NULL ? xstrdup(rows[i].text) : stored(name);
		s = parse(SDP_OFFER, text);
		check_row(&rows[i], s);
		sdp_free(&s);
		free(text);
	}
}

/* Lines may end in LF alone, and a format's lines come in any order. */
static void
other_line_ends(void **state)
{
	char *text = stored("firefox-offer.sdp"), *out = text;
	struct sdp *s;

	for (const char *p = text; *p != '\0'; p++)
		if (*p != '\r')
			*out++ = *p;
	*out = '\0';
	s = parse(SDP_OFFER, text);
	check_row(&rows[5], s);
	assert_int_equal(s->nmedia, 2);
	assert_int_equal(s->media[0].nformats, 17);
	assert_string_equal(s->media[0].formats[4].name, "H264");
	assert_int_equal(s->media[0].formats[4].feedback, SDP_NACK | SDP_PLI | SDP_FIR | SDP_REMB);
	sdp_free(&s);
	free(text);
}

/* --- what is answered --- */

static void
has(const char *text, const char *line)
{
	char whole[400];

	snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	if (strstr(text, whole) == NULL)
		print_message("# without \"%s\":\n%s", line, text);
	assert_non_null(strstr(text, whole));
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static char *
answer_to(const char *text, enum sdp_direction direction, bool video)
{
	struct sdp_want want = { direction, video, true, 0, 0 };
	struct sdp *s = parse(SDP_OFFER, text), *again;
	struct sdp_pick p;
	char *out;

	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	out = sdp_answer(s, &p, &local);
	again = parse(SDP_ANSWER, out);
	assert_int_equal(again->nmedia, s->nmedia);
	assert_true(again->ice_lite);
	sdp_free(&again);
	sdp_free(&s);
	return out;
}

static void
answer_chromium(void **state)
{
	char *text = stored("chromium-offer.sdp"), *out = answer_to(text, SDP_SENDONLY, true);

	assert_memory_equal(out, "v=0\r\no=- 77 2 IN IP4 127.0.0.1\r\n", 32);
	has(out, "a=group:BUNDLE 0 1");
	has(out, "a=ice-lite");
	has(out, "m=video 9 UDP/TLS/RTP/SAVPF 108 109");
	has(out, "m=audio 9 UDP/TLS/RTP/SAVPF 111");
	has(out, "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
	has(out, "a=fmtp:109 apt=108");
	has(out, "a=rtcp-fb:108 nack pli");
	has(out, "a=ssrc-group:FID 1001 1002");
	has(out, "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host");
	has(out, "a=candidate:2 1 udp 2130706175 2001:db8::1 8189 typ host");
	has(out, "a=candidate:3 1 tcp 1520435199 192.0.2.1 8189 typ host tcptype passive");
	assert_int_equal(count(out, "a=setup:passive\r\n"), 2);
	assert_int_equal(count(out, "a=sendonly\r\n"), 2);
	assert_int_equal(count(out, "a=rtcp-mux-only\r\n"), 2);
	assert_int_equal(count(out, "\r\na=msid:st "), 2);
	assert_int_equal(count(out, "cname:cn"), 3);
	assert_int_equal(count(out, "transport-cc") + count(out, "goog-remb") + count(out, "extmap"), 0);
	free(out);
	free(text);
}

/* Safari: High has a payload type of its own, as the stream may turn out to be that. */
static void
answer_safari(void **state)
{
	struct sdp_want want = { SDP_SENDONLY, true, true, 0, 0 };
	char *out = answer_to(safari, SDP_SENDONLY, true);
	struct sdp *s = parse(SDP_OFFER, safari);
	struct sdp_pick p;

	has(out, "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97");
	has(out, "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f");
	has(out, "a=fmtp:97 apt=96");
	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	assert_int_equal(p.high.format->pt, 96);
	assert_int_equal(p.high.rtx_pt, 97);
	want.profile = 100;
	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	assert_int_equal(p.video.format->pt, 96);
	assert_null(p.high.format);
	sdp_free(&s);
	free(out);
}

/* Feedback that was not offered is not answered: GStreamer has no NACK here, so no RTX either. */
static void
answer_gstreamer(void **state)
{
	char *text = stored("gst-offer.sdp"), *out = answer_to(text, SDP_SENDONLY, true);

	has(out, "a=group:BUNDLE video0 audio1");
	has(out, "m=video 9 UDP/TLS/RTP/SAVPF 102");
	has(out, "a=rtcp-fb:102 nack pli");
	assert_int_equal(count(out, "a=rtcp-fb:102 nack\r\n") + count(out, "rtx") + count(out, "FID"), 0);
	free(out);
	free(text);
}

static void
answer_obs(void **state)
{
	struct sdp_local to_receive = local;
	struct sdp_want want = { SDP_RECVONLY, true, true, 0, 0 };
	struct sdp *s = parse(SDP_OFFER, obs);
	struct sdp_pick p;
	char *out;

	to_receive.video_ssrc = to_receive.rtx_ssrc = to_receive.audio_ssrc = 0;
	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	out = sdp_answer(s, &p, &to_receive);
	assert_true(strstr(out, "m=audio") < strstr(out, "m=video"));
	assert_int_equal(count(out, "a=recvonly\r\n"), 2);
	assert_int_equal(count(out, "ssrc") + count(out, "msid:") + count(out, "sprop"), 0);
	has(out, "a=rtcp-fb:96 nack");
	has(out, "a=rtcp-fb:96 goog-remb");	/* who sends to us is told how much it may */
	free(out);
	sdp_free(&s);
}

#define DECLINED(mid) "\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:ourufrag\r\na=ice-pwd:ourpasswordourpassword12\r\n" \
	"a=fingerprint:" PRINT "\r\na=setup:passive\r\na=mid:" mid "\r\na=inactive"

/* What is not used keeps its place, with port 0, outside of the bundle; with credentials, for GStreamer. */
static void
answer_declines(void **state)
{
	char *out = answer_to(SESSION "a=group:BUNDLE d v a w\r\n" ICE
	    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n" VIDEO AUDIO
	    "m=video 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:w\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:100 H264/90000\r\n"
	    "a=fmtp:100 packetization-mode=1\r\n", SDP_SENDONLY, true);

	has(out, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel" DECLINED("d"));
	has(out, "m=video 0 UDP/TLS/RTP/SAVPF 100" DECLINED("w"));
	has(out, "a=group:BUNDLE v a");
	free(out);
	out = answer_to(SESSION "a=group:BUNDLE v a\r\n" ICE VIDEO AUDIO, SDP_SENDONLY, false);
	has(out, "a=group:BUNDLE a");
	has(out, "m=video 0 UDP/TLS/RTP/SAVPF 96 97" DECLINED("v"));
	free(out);
}

/* --- our offer, and answers to it --- */

static void
own_offer(void **state)
{
	struct sdp_want want = { SDP_SENDONLY, true, true, 100, 0 }, theirs = { SDP_RECVONLY, true, true, 0, 0 };
	char *out = sdp_offer(&local, true, true), answer[4000];
	struct sdp *s = parse(SDP_OFFER, out);
	struct sdp_pick p;

	assert_int_equal(count(out, "a=setup:actpass\r\n"), 2);
	has(out, "a=group:BUNDLE 0 1");
	/* as a receiver would see it, were it not as lite as we are */
	assert_int_equal(sdp_pick(s, &theirs, &p, why), -1);
	assert_int_equal(errno, ENOTSUP);
	sdp_free(&s);
	free(out);
	out = sdp_offer(&local, false, true);
	has(out, "a=group:BUNDLE 0");
	assert_int_equal(count(out, "m=video"), 0);
	free(out);

	/* a browser's answer: some of the formats, active */
	snprintf(answer, sizeof(answer), "%s", SESSION "a=group:BUNDLE 0 1\r\na=ice-ufrag:abcd\r\n"
	    "a=ice-pwd:0123456789012345678901\r\na=fingerprint:" PRINT "\r\na=setup:active\r\n"
	    "m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n"
	    "a=rtcp-fb:102 nack\r\na=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n"
	    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
	    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n");
	s = parse(SDP_ANSWER, answer);
	assert_int_equal(sdp_pick(s, &want, &p, why), 0);
	assert_int_equal(p.video.format->pt, 102);
	assert_int_equal(p.video.rtx_pt, 103);
	assert_null(p.high.format);
	assert_int_equal(p.audio.format->pt, 111);
	sdp_free(&s);
	memcpy(strstr(answer, "a=setup:active"), "a=setup:actpas", 14);
	assert_null(sdp_parse(SDP_ANSWER, answer, strlen(answer), why));
}

/* --- what is refused --- */

static const struct { const char *text; int code; const char *words; } wrong[] = {
	/* malformed: code 0 */
	{ "", 0, "nothing in it" },
	{ "hello", 0, "\"x=value\"" },
	{ "v=1\r\n", 0, "v=0" },
	{ "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 0, "v=0" },
	{ SESSION "m=video\r\n", 0, "m-line" },
	{ SESSION "m=video 9 UDP/TLS/RTP/SAVPF\r\n", 0, "m-line" },
	{ SESSION "m=video 70000 UDP/TLS/RTP/SAVPF 96\r\n", 0, "m-line" },
	{ SESSION "m=video 9 UDP/TLS/RTP/SAVPF 96 x\r\n", 0, "payload type" },
	{ SESSION "m=video 9 UDP/TLS/RTP/SAVPF 128\r\n", 0, "payload type" },
	{ SESSION "a=ice-ufrag:abc\r\n", 0, "ice-ufrag" },
	{ SESSION "a=ice-pwd:short\r\n", 0, "ice-pwd" },
	{ SESSION "a=ice-pwd:0123456789012345678901 \r\n", 0, "ice-pwd" },
	{ SESSION "a=fingerprint:sha-256 AB:CD\r\n", 0, "line 5" },
	{ SESSION "a=fingerprint:sha-256 G" "0:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:"
	    "CC:DD:EE:FF\r\n", 0, "hex" },
	{ SESSION "a=setup:both\r\n", 0, "setup" },
	{ SESSION VIDEO "a=mid:v w\r\n", 0, "mid" },
	{ SESSION VIDEO VIDEO, 0, "two m-lines" },
	{ SESSION VIDEO "a=rtpmap:96 H264\r\n", 0, "rtpmap" },
	{ SESSION VIDEO "a=fmtp:96 x=\x01\r\n", 0, "byte" },
	{ SESSION VIDEO "a=fmtp:96 x=\xc3\xa4\r\n", 0, "byte" },
	/* not to be used */
	{ SESSION, EINVAL, "no m-line" },
	{ SESSION VIDEO, EINVAL, "ice-ufrag" },
	{ SESSION ICE "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n", ENOTSUP, "H264" },
	{ SESSION ICE "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n", ENOTSUP,
	    "packetization-mode=1" },
	{ SESSION ICE "m=video 9 UDP/TLS/RTP/SAVPF 72\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:72 H264/90000\r\n"
	    "a=fmtp:72 packetization-mode=1\r\n", ENOTSUP, "H264" },
	{ SESSION ICE VIDEO "a=sendonly\r\n", ENOTSUP, "receives" },
	{ SESSION ICE VIDEO "a=inactive\r\n", ENOTSUP, "receives" },
	{ SESSION ICE "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n", ENOTSUP, "receives" },
	{ SESSION ICE "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", ENOTSUP, "receives" },
	{ SESSION ICE VIDEO AUDIO, ENOTSUP, "BUNDLE" },
	{ SESSION "a=ice-lite\r\n" ICE VIDEO, ENOTSUP, "ICE-lite" },
	{ SESSION ICE VIDEO "a=setup:passive\r\n", ENOTSUP, "passive" },
	{ SESSION ICE "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n", ENOTSUP, "rtcp-mux" },
	{ SESSION "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:md5 AB\r\n" VIDEO, EINVAL,
	    "fingerprint" },
};

static void
refusals(void **state)
{
	struct sdp_want want = { SDP_SENDONLY, true, true, 0, 0 };
	struct sdp_pick p;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sdp *s = sdp_parse(SDP_OFFER, wrong[i].text, strlen(wrong[i].text), why);

		if ((s == NULL) != (wrong[i].code == 0))
			print_message("# %zu: %s\n%s", i, why, wrong[i].text);
		assert_int_equal(s == NULL, wrong[i].code == 0);
		if (s != NULL) {
			errno = 0;
			assert_int_equal(sdp_pick(s, &want, &p, why), -1);
			if (errno != wrong[i].code)
				print_message("# %zu: %s\n%s", i, why, wrong[i].text);
			assert_int_equal(errno, wrong[i].code);
		}
		if (strstr(why, wrong[i].words) == NULL)
			print_message("# %zu: \"%s\", want %s\n", i, why, wrong[i].words);
		assert_non_null(strstr(why, wrong[i].words));
		sdp_free(&s);
	}
	assert_null(sdp_parse(SDP_OFFER, "v=0\0", 4, why));
}

static void
bounds(void **state)
{
	char *text = xmalloc(100000);
	size_t n = (size_t)snprintf(text, 100000, "%s", SESSION);
	struct sdp *s;

	for (int i = 0; i < SDP_MEDIA_MAX; i++)
		n += (size_t)snprintf(text + n, 100000 - n, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
	s = parse(SDP_OFFER, text);
	assert_int_equal(s->nmedia, SDP_MEDIA_MAX);
	sdp_free(&s);
	snprintf(text + n, 100000 - n, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
	assert_null(sdp_parse(SDP_OFFER, text, strlen(text), why));
	n = (size_t)snprintf(text, 100000, "%sm=audio 9 UDP/TLS/RTP/SAVPF", SESSION);
	for (int i = 0; i <= SDP_FORMATS_MAX; i++)
		n += (size_t)snprintf(text + n, 100000 - n, " %d", i % 100);
	assert_null(sdp_parse(SDP_OFFER, text, n, why));
	assert_non_null(strstr(why, "more than"));
	free(text);
}

/* A text that ends anywhere is a shorter one or malformed, never more. */
static void
cut_anywhere(void **state)
{
	char *text = stored("chromium-offer.sdp");
	struct sdp_want want = { SDP_SENDONLY, true, true, 0, 0 };
	size_t len = strlen(text), good = 0;
	struct sdp_pick p;

	for (size_t n = 0; n < len; n++) {
		char *piece = xmalloc(n + 1);	/* so that a sanitizer sees every byte too far */
		struct sdp *s;

		memcpy(piece, text, n);
		s = sdp_parse(SDP_OFFER, piece, n, why);
		good += s != NULL && sdp_pick(s, &want, &p, why) == 0;
		sdp_free(&s);
		free(piece);
	}
	assert_true(good > 0 && good < len);
	free(text);
}

/* --- PATCH --- */

static void
fragments(void **state)
{
	struct sdp *s = parse(SDP_FRAGMENT, "a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\n"
	    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
	    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n");
	struct sdp_ice ice;
	char *out;

	assert_true(sdp_ice(s, &ice));
	assert_string_equal(ice.ufrag, "ysXw");
	assert_string_equal(ice.pwd, "vw5LmwG4y/e6dPP/zAP9Gp5k");
	out = sdp_fragment(s, &local);
	assert_memory_equal(out, "a=ice-lite\r\n", 12);
	has(out, "a=group:BUNDLE 0 1");
	has(out, "m=audio 9 UDP/TLS/RTP/SAVPF 111");
	has(out, "a=mid:0");
	has(out, "a=ice-ufrag:ourufrag");
	has(out, "a=end-of-candidates");
	free(out);
	sdp_free(&s);
	s = parse(SDP_FRAGMENT, "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
	    "a=candidate:1 1 UDP 1 x.local 9 typ host\r\n");
	assert_true(sdp_ice(s, &ice));
	assert_string_equal(ice.ufrag, "8hhY");
	sdp_free(&s);
	s = parse(SDP_FRAGMENT, "");
	assert_false(sdp_ice(s, &ice));
	sdp_free(&s);
	assert_null(sdp_parse(SDP_FRAGMENT, "garbage", 7, why));
}

static void
parameters(void **state)
{
	char v[8];

	assert_int_equal(sdp_param("a=1;bc=2 ; d=33", "bc", v, sizeof(v)), 0);
	assert_string_equal(v, "2");
	assert_int_equal(sdp_param("a=1;bc=2 ; d=33", "D", v, sizeof(v)), 0);
	assert_string_equal(v, "33");
	assert_int_equal(sdp_param("a=1;bc=2", "b", v, sizeof(v)), -1);
	assert_int_equal(sdp_param("a=12345678", "a", v, sizeof(v)), -1);
	assert_int_equal(sdp_param(NULL, "a", v, sizeof(v)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_offers), cmocka_unit_test(other_line_ends), cmocka_unit_test(answer_chromium),
		cmocka_unit_test(answer_safari),
		cmocka_unit_test(answer_gstreamer), cmocka_unit_test(answer_obs), cmocka_unit_test(answer_declines),
		cmocka_unit_test(own_offer), cmocka_unit_test(refusals), cmocka_unit_test(bounds),
		cmocka_unit_test(cut_anywhere), cmocka_unit_test(fragments), cmocka_unit_test(parameters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
