/*
 * test_whip.c - what becomes of a WHIP publisher's packets: order, gaps, what is asked for again, times,
 * pictures, receiver reports. Everything is bytes and numbers here; sockets are t/522's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "be.h"
#include "ingest/whip_clock.h"
#include "ingest/whip_jitter.h"
#include "ingest/whip_media.h"
#include "ingest/whip_receive.h"
#include "rtc/etag.h"
#include "rtc/rtcp.h"

#include <errno.h>

/* --- order --- */

static struct { uint16_t seq[8192]; unsigned n, lost; } got;

static void
on_packet(void *ctx, const struct jitter_packet *p)
{
	assert_int_equal(p->len, 2);
	assert_int_equal(be_get(p->payload, 2), p->seq);
	got.seq[got.n++] = p->seq;
}

static void
on_lost(void *ctx, unsigned n)
{
	got.lost += n;
}

static const struct jitter_ops ops = { .packet = on_packet, .lost = on_lost };

static void
put(struct jitter *j, uint16_t seq, int64_t now)
{
	uint8_t payload[2] = { (uint8_t)(seq >> 8), (uint8_t)seq };

	jitter_put(j, seq, seq, false, payload, 2, now);
}

static struct jitter *
begin(void)
{
	memset(&got, 0, sizeof(got));
	return jitter_new(200, &ops, NULL);
}

static void
test_reorder(void **state)
{
	static const uint16_t in[] = { 65533, 65535, 65534, 1, 0, 0, 2, 65535, 4, 3 };
	struct jitter *j = begin();

	for (unsigned i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		put(j, in[i], 1000 + i);
	assert_int_equal(got.n, 8);
	for (unsigned i = 0; i < got.n; i++)
		assert_int_equal(got.seq[i], (uint16_t)(65533 + i));
	assert_int_equal(got.lost, 0);
	assert_int_equal(j->late, 2);
	assert_false(jitter_waits(j));
	jitter_free(&j);
}

static void
test_gap(void **state)
{
	struct jitter *j = begin();
	uint16_t seq[8];

	put(j, 10, 1000);
	put(j, 13, 1010);
	put(j, 15, 1020);
	assert_true(jitter_waits(j));
	assert_int_equal(jitter_missing(j, seq, 8, 1012), 0);	/* only overtaken, perhaps */
	assert_int_equal(jitter_missing(j, seq, 8, 1030), 3);
	assert_int_equal(seq[0], 11);
	assert_int_equal(seq[1], 12);
	assert_int_equal(seq[2], 14);
	assert_int_equal(jitter_missing(j, seq, 8, 1040), 0);	/* asked a moment ago */
	put(j, 12, 1050);
	assert_int_equal(jitter_missing(j, seq, 8, 1090), 2);	/* and again */
	jitter_tick(j, 1209);
	assert_int_equal(got.n, 1);
	jitter_tick(j, 1210);					/* 11 is given up after 200 ms */
	assert_int_equal(got.lost, 1);
	assert_int_equal(got.n, 3);
	jitter_tick(j, 1220);
	assert_int_equal(got.lost, 2);
	assert_int_equal(got.n, 4);
	put(j, 11, 1230);					/* too late */
	assert_int_equal(got.n, 4);
	jitter_free(&j);
}

static void
test_bounded(void **state)
{
	struct jitter *j = begin();

	put(j, 0, 1000);
	for (unsigned i = 2; i < 2 + JITTER_SLOTS; i++)
		put(j, (uint16_t)i, 1000);
	assert_int_equal(got.lost, 1);				/* no room to wait for 1 any longer */
	assert_int_equal(got.n, 1 + JITTER_SLOTS);
	jitter_free(&j);
}

static void
test_jump(void **state)
{
	struct jitter *j = begin();

	put(j, 100, 1000);
	put(j, 30000, 1001);					/* a stray */
	put(j, 101, 1002);
	assert_int_equal(got.n, 2);
	put(j, 40000, 1003);
	put(j, 40001, 1004);					/* two in a row: it counts anew */
	put(j, 40002, 1005);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.seq[3], 40002);
	assert_true(got.lost > 0);
	jitter_free(&j);
}

static void
test_flush(void **state)
{
	struct jitter *j = begin();

	put(j, 1, 1000);
	put(j, 5, 1000);
	put(j, 9, 1000);
	jitter_flush(j);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.lost, 6);
	jitter_reset(j);
	put(j, 50000, 2000);
	assert_int_equal(got.seq[3], 50000);
	jitter_free(&j);
}

/* --- times --- */

static void
test_clock_wraps(void **state)
{
	struct whip_clock c;
	uint32_t ts = UINT32_MAX - 90000;
	int64_t first, ms = 0;

	whip_clock_init(&c, 90000, 48000);
	first = whip_clock_map(&c, false, ts, 5000);
	for (int i = 1; i <= 100; i++)
		ms = whip_clock_map(&c, false, ts + (uint32_t)i * 3600, 5000 + i * 40);
	assert_int_equal(ms - first, 4000);
	assert_int_equal(c.jumps, 0);
}

static void
test_clock_jump(void **state)
{
	struct whip_clock c;
	int64_t first;

	whip_clock_init(&c, 90000, 48000);
	first = whip_clock_map(&c, true, 0, 5000);
	assert_int_equal(whip_clock_map(&c, true, 960, 5020) - first, 20);
	assert_int_equal(whip_clock_map(&c, true, 0x50000000, 5040) - first, 40);	/* it began anew */
	assert_int_equal(c.jumps, 1);
	assert_int_equal(whip_clock_map(&c, true, 0x50000000 + 960, 5060) - first, 60);
	/* nothing was sent for a minute, and both clocks say so */
	assert_int_equal(whip_clock_map(&c, true, 0x50000000 + 960 + 48000 * 60, 65060) - first, 60060);
	assert_int_equal(c.jumps, 1);
}

static uint64_t
ntp(int64_t ms)
{
	return rtcp_ntp(INT64_C(1700000000000000) + ms * 1000);
}

/* The picture came 120 ms later than its sound, by the network or the encoder: that is found out, step by step. */
static void
test_clock_aligns(void **state)
{
	struct whip_clock c;
	int64_t video = 0, audio = 0, before = 0;

	whip_clock_init(&c, 90000, 48000);
	for (int i = 0; i < 200; i++) {		/* 40 ms each; taken at i * 40 by both tracks */
		audio = whip_clock_map(&c, true, (uint32_t)i * 1920, 5000 + i * 40);
		video = whip_clock_map(&c, false, (uint32_t)i * 3600, 5120 + i * 40);
		if (i > 0)
			assert_in_range(video - before, 30, 50);
		before = video;
		if (i == 10) {
			assert_int_equal(video - audio, 120);
			whip_clock_report(&c, true, ntp(1000), 48000);
		}
		if (i == 20)
			whip_clock_report(&c, false, ntp(1000), 90000);
	}
	assert_in_range(video - audio + 5, 4, 6);
	/* reports of two clocks that have nothing to do with each other change nothing */
	whip_clock_report(&c, false, ntp(3600000), 90000);
	video = whip_clock_map(&c, false, 200 * 3600, 5120 + 200 * 40);
	assert_in_range(video - before, 39, 41);
}

/* --- pictures and sound --- */

static struct {
	unsigned headers, keys, inters, sounds, rtcp, plis, nacks, reports;
	uint32_t last_ts;
	uint16_t nack;
	uint8_t last[64];
	size_t last_len;
} seen;

static void
on_tag(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct flv_info info;

	assert_int_equal((type == FLV_AUDIO ? flv_parse_audio : flv_parse_video)(body, len, &info), 0);
	if (info.sequence_header)
		seen.headers++;
	else if (type == FLV_AUDIO)
		seen.sounds++;
	else
		*(info.keyframe ? &seen.keys : &seen.inters) += 1;
	seen.last_ts = ts;
	seen.last_len = len < sizeof(seen.last) ? len : sizeof(seen.last);
	memcpy(seen.last, body, seen.last_len);
}

static void
on_nack(void *ctx, uint32_t media, uint16_t seq)
{
	seen.nacks++;
	seen.nack = seq;
}

static void
on_key_wanted(void *ctx, uint32_t media)
{
	seen.plis++;
}

static void
on_report(void *ctx, uint32_t from, const struct rtcp_report *r)
{
	seen.reports++;
}

static void
on_rtcp(void *ctx, const uint8_t *p, size_t n)
{
	static const struct rtcp_ops parse = { .nack = on_nack, .key_wanted = on_key_wanted, .report = on_report };

	assert_true(n > 0);
	assert_int_equal(rtcp_parse(p, n, &parse, NULL), 0);
	seen.rtcp++;
}

static struct whip_media *
begin_media(const char *sprop)
{
	static const struct whip_media_ops media_ops = { .tag = on_tag, .rtcp = on_rtcp };
	const struct whip_media_conf conf = { .video_pt = 96, .rtx_pt = 97, .audio_pt = 111, .nack = true, .pli = true,
		.sprop = sprop, .cname = "test", .window_ms = 200, .key_ms = 2000, .max_picture = 100000 };

	memset(&seen, 0, sizeof(seen));
	return whip_media_new(&conf, &media_ops, NULL);
}

static void
rtp(struct whip_media *m, uint8_t pt, uint32_t ssrc, uint16_t seq, uint32_t ts, const void *payload, size_t len,
    int64_t now)
{
	uint8_t p[200] = { 0x80, pt };

	be_put(p + 2, 2, seq);
	be_put(p + 4, 4, ts);
	be_put(p + 8, 4, ssrc);
	memcpy(p + 12, payload, len);
	whip_media_rtp(m, p, 12 + len, now);
}

static const uint8_t sets[] = { 24, 0, 9, 0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe8, 0x40, 0, 4, 0x68, 0xce, 0x3c, 0x80 };
static const uint8_t idr[] = { 0x65, 0x88, 0x84, 1, 2, 3 }, inter[] = { 0x41, 0x9a, 4, 5, 6 };
#define MARKED (96 | 0x80)

/* SPS and PPS, then a key frame in the same picture. */
static void
key(struct whip_media *m, uint16_t seq, uint32_t ts, int64_t now)
{
	rtp(m, 96, 1, seq, ts, sets, sizeof(sets), now);
	rtp(m, MARKED, 1, (uint16_t)(seq + 1), ts, idr, sizeof(idr), now);
}

static void
test_pictures(void **state)
{
	struct whip_media *m = begin_media(NULL);
	struct whip_media_stats s;

	rtp(m, MARKED, 1, 65533, 0, inter, sizeof(inter), 1000);	/* nothing can be seen before a key frame */
	assert_int_equal(seen.inters + seen.headers, 0);
	whip_media_tick(m, 1001);
	assert_int_equal(seen.plis, 1);				/* so one is asked for */
	whip_media_tick(m, 1100);
	assert_int_equal(seen.plis, 1);				/* once in a while */
	key(m, 65534, 3600, 1040);
	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.keys, 1);
	assert_int_equal(seen.last_len, 5 + 4 + sizeof(idr));	/* the sets are in the header, and not here */
	rtp(m, MARKED, 1, 0, 7200, inter, sizeof(inter), 1080);
	assert_int_equal(seen.inters, 1);
	key(m, 1, 10800, 1120);
	assert_int_equal(seen.headers, 1);			/* the same: no other header */
	assert_int_equal(seen.keys, 2);
	whip_media_tick(m, 1700);
	assert_int_equal(seen.plis, 1);
	whip_media_tick(m, 3400);
	assert_int_equal(seen.plis, 2);				/* the last is older than key_ms */
	whip_media_stats(m, &s);
	assert_int_equal(s.lost, 0);
	assert_int_equal(s.dropped, 1);
	whip_media_free(&m);
}

static void
test_picture_lost(void **state)
{
	struct whip_media *m = begin_media(NULL);
	uint8_t again[2 + sizeof(inter)] = { 0, 12 };

	key(m, 10, 0, 1000);
	rtp(m, MARKED, 1, 13, 7200, inter, sizeof(inter), 1080);	/* 12 is missing */
	whip_media_tick(m, 1090);
	assert_int_equal(seen.nacks, 1);
	assert_int_equal(seen.nack, 12);
	assert_int_equal(seen.inters, 0);			/* order first */
	memcpy(again + 2, inter, sizeof(inter));
	rtp(m, 97 | 0x80, 2, 500, 3600, again, sizeof(again), 1100);	/* it comes as RTX */
	assert_int_equal(seen.inters, 2);
	rtp(m, MARKED, 1, 15, 14400, inter, sizeof(inter), 1200);	/* 14 never comes */
	whip_media_tick(m, 1401);
	assert_int_equal(seen.inters, 2);			/* what follows it is not shown */
	assert_int_equal(seen.plis, 1);
	rtp(m, MARKED, 1, 16, 18000, inter, sizeof(inter), 1410);
	assert_int_equal(seen.inters, 2);
	key(m, 17, 21600, 1420);
	rtp(m, MARKED, 1, 19, 25200, inter, sizeof(inter), 1430);
	assert_int_equal(seen.keys, 2);
	assert_int_equal(seen.inters, 3);
	whip_media_free(&m);
}

/* A marker is lost with its packet; the next picture is whole all the same if the packets before it are. */
static void
test_torn_before_key(void **state)
{
	struct whip_media *m = begin_media(NULL);

	key(m, 10, 0, 1000);
	rtp(m, 96, 1, 12, 3600, inter, sizeof(inter), 1040);
	rtp(m, MARKED, 1, 14, 3600, inter, sizeof(inter), 1040);	/* 13 of the same picture is missing */
	key(m, 15, 7200, 1080);
	whip_media_tick(m, 1300);
	assert_int_equal(seen.inters, 0);
	assert_int_equal(seen.keys, 2);
	whip_media_free(&m);
}

static void
test_new_header(void **state)
{
	struct whip_media *m = begin_media(NULL);
	uint8_t other[sizeof(sets)];

	key(m, 10, 0, 1000);
	memcpy(other, sets, sizeof(sets));
	other[7] = 0xdb;
	rtp(m, 96, 1, 12, 3600, other, sizeof(other), 1040);
	rtp(m, MARKED, 1, 13, 3600, idr, sizeof(idr), 1040);
	assert_int_equal(seen.headers, 2);
	assert_int_equal(seen.keys, 2);
	whip_media_free(&m);
}

static void
test_sprop(void **state)
{
	struct whip_media *m = begin_media("Z0LADdoFB+hA,aM48gA==");

	rtp(m, MARKED, 1, 10, 0, idr, sizeof(idr), 1000);	/* no sets in band, ever */
	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.keys, 1);
	whip_media_free(&m);
	m = begin_media("%%%,,Z0L");
	rtp(m, MARKED, 1, 10, 0, idr, sizeof(idr), 1000);
	assert_int_equal(seen.headers + seen.keys, 0);
	whip_media_free(&m);
}

static void
test_sound(void **state)
{
	static const uint8_t opus[] = { 0x78, 1, 2, 3 };		/* 20 ms, mono */
	struct whip_media *m = begin_media(NULL);
	uint32_t first;

	rtp(m, 111, 3, 7, 1000, opus, sizeof(opus), 1000);
	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.sounds, 1);
	assert_memory_equal(seen.last, "\x91Opus\x78\x01\x02\x03", 9);
	first = seen.last_ts;
	rtp(m, 111, 3, 8, 1960, opus, sizeof(opus), 1020);
	assert_int_equal(seen.sounds, 2);
	assert_int_equal(seen.last_ts - first, 20);
	rtp(m, 111, 3, 9, 2920, "", 0, 1040);			/* padding */
	rtp(m, 99, 4, 9, 2920, opus, sizeof(opus), 1040);	/* nobody's */
	assert_int_equal(seen.sounds, 2);
	rtp(m, 111, 5, 60000, 77, opus, sizeof(opus), 1060);	/* another source: it goes on where time is */
	assert_int_equal(seen.sounds, 3);
	assert_int_equal(seen.last_ts - first, 60);
	whip_media_tick(m, 2100);
	assert_int_equal(seen.reports, 1);
	whip_media_free(&m);
}

/* Anything may come: no packet is read beyond its end (the sanitizers say), none is taken for more than it is. */
static void
test_malformed(void **state)
{
	struct whip_media *m = begin_media(NULL);
	uint8_t *p;

	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)(rand() % 60);

		p = malloc(n + 1);
		for (size_t k = 0; k < n; k++)
			p[k] = (uint8_t)rand();
		if (n > 1 && i % 2 == 0) {
			p[0] = (uint8_t)(0x80 | (p[0] & 0x3f));
			p[1] = (uint8_t)((p[1] & 0x80) | (i % 4 == 0 ? 96 : 97));
		}
		p = realloc(p, n > 0 ? n : 1);
		whip_media_rtp(m, p, n, 1000 + i);
		whip_media_rtcp(m, p, n, 1000 + i);
		whip_media_tick(m, 1000 + i);
		free(p);
	}
	whip_media_flush(m);
	whip_media_free(&m);
}

/* --- reports --- */

static void
test_receive(void **state)
{
	struct whip_receive r;
	struct rtcp_report out;

	whip_receive_begin(&r, 42, 90000);
	for (int i = 0; i < 100; i++)
		if (i % 10 != 5)
			whip_receive_packet(&r, (uint16_t)(65500 + i), (uint32_t)i * 3600, 1000 + i * 40);
	whip_receive_sender(&r, UINT64_C(0x0123456789abcdef), 5000);
	out = whip_receive_report(&r, 5500);
	assert_int_equal(out.ssrc, 42);
	assert_int_equal(out.highest, 65599);
	assert_int_equal(out.lost, 10);
	assert_int_equal(out.fraction, 25);
	assert_int_equal(out.jitter, 0);
	assert_int_equal(out.lsr, 0x456789ab);
	assert_int_equal(out.dlsr, 32768);
	whip_receive_packet(&r, (uint16_t)65600, 100 * 3600, 1000 + 100 * 40 + 16);
	out = whip_receive_report(&r, 6500);
	assert_int_equal(out.fraction, 0);
	assert_int_equal(out.lost, 10);
	assert_int_equal(out.jitter, 90);			/* 16 ms late are 1440 ticks, a sixteenth of which counts */
}

static void
test_etag(void **state)
{
	assert_int_equal(etag_match("\"abcd\"", "abcd"), 0);
	assert_int_equal(etag_match("*", "abcd"), 0);
	assert_int_equal(etag_match("\"x\", \"abcd\"", "abcd"), 0);
	assert_int_equal(etag_match("", "abcd"), ENODATA);
	assert_int_equal(etag_match("W/\"abcd\"", "abcd"), ESTALE);
	assert_int_equal(etag_match("\"abcde\"", "abcd"), ESTALE);
	assert_int_equal(etag_match("abcd", "abcd"), ESTALE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reorder), cmocka_unit_test(test_gap), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_jump), cmocka_unit_test(test_flush), cmocka_unit_test(test_clock_wraps),
		cmocka_unit_test(test_clock_jump), cmocka_unit_test(test_clock_aligns),
		cmocka_unit_test(test_pictures), cmocka_unit_test(test_picture_lost),
		cmocka_unit_test(test_torn_before_key), cmocka_unit_test(test_new_header),
		cmocka_unit_test(test_sprop), cmocka_unit_test(test_sound), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_receive), cmocka_unit_test(test_etag),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
