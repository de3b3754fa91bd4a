/*
 * Containers as they stream in: what they are, where their beginning ends, where one can begin
 * again; FLV to its tags; what waits for ffmpeg. Each fed whole and split at every byte: every byte
 * passes, once and in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flv_read.h"
#include "ingest/container.h"
#include "ingest/intake_queue.h"

struct bytes { uint8_t p[8192]; size_t n; };

static void
put(struct bytes *b, const char *hex)
{
	for (; *hex != '\0'; hex += 2)
		b->p[b->n++] = (uint8_t)strtol((char[]){ hex[0], hex[1], 0 }, NULL, 16);
}

static void
put_text(struct bytes *b, const char *text)
{
	memcpy(b->p + b->n, text, strlen(text));
	b->n += strlen(text);
}

struct seen {
	struct bytes out;
	char log[2000];		/* POINT and NEW with their offsets */
	size_t init;		/* bytes of it */
};

static void
on_bytes(void *ctx, enum container_what what, const uint8_t *p, size_t n)
{
	struct seen *s = ctx;
	size_t at = strlen(s->log);

	if (what == CONTAINER_POINT || what == CONTAINER_NEW)
		snprintf(s->log + at, sizeof(s->log) - at, "%s%zu ", what == CONTAINER_NEW ? "new" : "", s->out.n);
	if (what == CONTAINER_INIT)
		s->init += n;
	memcpy(s->out.p + s->out.n, p, n);
	s->out.n += n;
}

static void
expect(const struct bytes *b, enum container_kind kind, const char *log, size_t init, bool h264, bool aac, bool can)
{
	assert_int_equal(container_sniff(b->p, b->n, false), kind);
	for (size_t step = 1; step <= b->n; step++) {
		struct seen *s = calloc(1, sizeof(*s));
		struct container c;

		container_begin(&c, kind, on_bytes, s);
		for (size_t at = 0; at < b->n; at += step)
			container_feed(&c, b->p + at, b->n - at < step ? b->n - at : step);
		container_end(&c);
		assert_int_equal(s->out.n, b->n);
		assert_memory_equal(s->out.p, b->p, b->n);
		assert_string_equal(s->log, log);
		assert_int_equal(s->init, init);
		assert_int_equal(c.h264, h264);
		assert_int_equal(c.aac, aac);
		assert_int_equal(container_can_restart(&c), can);
		free(s);
	}
}

#define EBML "1a45dfa384" "01020304"
#define SEGMENT_LIVE "1853806701ffffffffffffff"
#define CLUSTER_LIVE "1f43b67501ffffffffffffff" "e78101"	/* and its Timestamp */
#define BLOCK "a388" "8100008000000000"

static void
put_tracks(struct bytes *b, const char *video, const char *audio)
{
	put(b, "1654ae6b");
	b->p[b->n++] = (uint8_t)(0x80 | (strlen(video) + strlen(audio)));
	put_text(b, video);
	put_text(b, audio);
}

static void
test_matroska(void **state)
{
	struct bytes b = { .n = 0 };
	char log[100];
	size_t init, second, third;

	put(&b, EBML SEGMENT_LIVE "1549a96682" "0000");
	put_tracks(&b, "V_MPEG4/ISO/AVC", "A_OPUS");
	init = b.n;
	put(&b, CLUSTER_LIVE BLOCK BLOCK);
	second = b.n;
	put(&b, CLUSTER_LIVE BLOCK "a0" "84" "1f43b675");	/* an ID inside a payload is none */
	third = b.n;
	put(&b, "1f43b6758a" BLOCK "1c53bb6b" "81" "00");	/* of known size, then Cues */
	snprintf(log, sizeof(log), "%zu %zu %zu ", init, second, third);
	expect(&b, CONTAINER_MATROSKA, log, init, true, false, true);
	put(&b, EBML SEGMENT_LIVE);	/* the sender begins again: VP8 and AAC now */
	put_tracks(&b, "V_VP8", "A_AAC/MPEG4");
	second = b.n;
	put(&b, CLUSTER_LIVE BLOCK);
	snprintf(log + strlen(log), 40, "new%zu %zu ", third + 5 + 10 + 6, second);
	expect(&b, CONTAINER_MATROSKA, log, init + second - (third + 21) - 5, false, true, true);
}

static void
test_matroska_lost(void **state)
{
	struct bytes b = { .n = 0 };

	put(&b, EBML SEGMENT_LIVE "00112233445566778899");	/* no ID begins so */
	expect(&b, CONTAINER_MATROSKA, "", 31, false, false, false);
	b.n = 0;
	put(&b, EBML SEGMENT_LIVE "1549a966ff0102");		/* endless, which only two may be */
	expect(&b, CONTAINER_MATROSKA, "", 28, false, false, false);
}

static void
put_box(struct bytes *b, const char *type, const char *body)
{
	put(b, "000000");
	b->p[b->n++] = (uint8_t)(8 + strlen(body));
	put_text(b, type);
	put_text(b, body);
}

static void
test_mp4(void **state)
{
	struct bytes b = { .n = 0 };
	char log[60];
	size_t init, second;

	put_box(&b, "ftyp", "isom");
	put_box(&b, "moov", "....avc1....mp4a....");
	init = b.n;
	put_box(&b, "moof", "traf");
	put_box(&b, "mdat", "xmoofx");
	put_box(&b, "styp", "");
	second = b.n;
	put_box(&b, "moof", "");
	put(&b, "000000016d6461740000000000000012" "aabb");	/* a 64-bit length */
	snprintf(log, sizeof(log), "%zu %zu ", init, second);
	expect(&b, CONTAINER_MP4, log, init, true, true, true);
	b.n = 0;
	put_box(&b, "ftyp", "isom");
	put(&b, "00000003" "6d6f6f66" "0000");	/* shorter than itself */
	expect(&b, CONTAINER_MP4, "", b.n, false, false, false);
}

static void
put_packet(struct bytes *b, const char *head)
{
	size_t from = b->n;

	put(b, head);
	memset(b->p + b->n, 0xff, 188 - (b->n - from));
	b->n = from + 188;
}

static void
test_ts(void **state)
{
	struct bytes b = { .n = 0 };

	put_packet(&b, "47010010");		/* before anything is known */
	put_packet(&b, "47400010" "00" "00b00d0001c10000" "0001f000" "2ab104b2");
	put_packet(&b, "47500010" "00" "02b01c0001c10000" "e100f000" "1be100f000" "0fe101f000" "06e102f000" "11223344");
	put_packet(&b, "47410030" "0140");	/* a key frame */
	put_packet(&b, "47010010");		/* more of it */
	put_packet(&b, "47410010");		/* another frame */
	put_packet(&b, "47410110");		/* audio */
	put_packet(&b, "47410030" "0140");
	expect(&b, CONTAINER_MPEGTS, "564 1316 ", 376, true, true, true);
	b.n = 0;				/* without marks each frame is one */
	put_packet(&b, "47400010" "00" "00b00d0001c10000" "0001f000" "2ab104b2");
	put_packet(&b, "47500010" "00" "02b0120001c10000" "e100f000" "1be100f000" "11223344");
	put_packet(&b, "47410010");
	put(&b, "0102");			/* out of step: the next packet is found */
	put_packet(&b, "47410010");
	expect(&b, CONTAINER_MPEGTS, "376 566 ", 376, true, false, true);
}

/* A new file amid a block of the old one. */
static void
test_cut(void **state)
{
	struct bytes b = { .n = 0 };
	struct seen *s = calloc(1, sizeof(*s));
	struct container c;
	size_t half;

	put(&b, EBML SEGMENT_LIVE CLUSTER_LIVE "a3887700");
	half = b.n;
	put(&b, EBML SEGMENT_LIVE CLUSTER_LIVE);
	container_begin(&c, CONTAINER_MATROSKA, on_bytes, s);
	container_feed(&c, b.p, half);
	container_cut(&c);
	container_feed(&c, b.p + half, b.n - half);
	assert_string_equal(s->log, "21 new40 61 ");
	free(s);
}

static void
test_sniff(void **state)
{
	static const struct { const char *p; size_t n; bool last; enum container_kind kind; } rows[] = {
		{ "\x1a\x45\xdf", 3, false, CONTAINER_UNKNOWN }, { "\x1a\x45\xdf", 3, true, CONTAINER_ANY },
		{ "FLV\1\5\0\0\0\t", 9, false, CONTAINER_FLV }, { "OggS\0\2\0\0", 8, false, CONTAINER_OGG },
		{ "\0\0\0\x18""ftypisom", 12, false, CONTAINER_MP4 }, { "RIFF....WAVE", 12, false, CONTAINER_ANY },
		{ "#EXTM3U\n", 8, false, CONTAINER_ANY }, { "G1234567", 8, false, CONTAINER_UNKNOWN },
		{ "G1234567", 8, true, CONTAINER_MPEGTS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(container_sniff((const uint8_t *)rows[i].p, rows[i].n, rows[i].last), rows[i].kind);
}

/* --- FLV --- */

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t n)
{
	char *log = ctx;

	snprintf(log + strlen(log), 60, "%d@%u:%.*s ", type, ts, (int)n, (const char *)body);
}

static void
on_script(void *ctx, const uint8_t *body, size_t n)
{
	char *log = ctx;

	snprintf(log + strlen(log), 60, "script:%zu ", n);
}

static void
expect_flv(const struct bytes *b, const char *want, const char *error)
{
	static const struct flv_read_ops ops = { on_media, on_script };

	for (size_t step = 1; step <= b->n; step++) {
		char log[500] = "";
		struct flv_read r;
		int rc = 0;

		flv_read_init(&r, 1000, &ops, log);
		for (size_t at = 0; at < b->n && rc == 0; at += step)
			rc = flv_read_feed(&r, b->p + at, b->n - at < step ? b->n - at : step);
		assert_string_equal(log, want);
		assert_int_equal(rc, error != NULL ? -1 : 0);
		if (error != NULL)
			assert_non_null(strstr(r.error, error));
		flv_read_free(&r);
	}
}

#define FLV "464c560105000000090000" "0000"

static void
test_flv(void **state)
{
	struct bytes b = { .n = 0 };

	put(&b, FLV);
	put(&b, "12" "000021" "000000" "00" "000000" "02000a6f6e4d65746144617461" "0300057769647468004074000000000000000009");
	put(&b, "0000002c");
	put(&b, "09" "000003" "00ffff" "01" "000000" "616263" "0000000e");
	put(&b, "08" "000001" "000000" "00" "000000" "7a" "0000000c");
	put(&b, "09" "000000" "000001" "00" "000000" "0000000b");	/* nothing in it */
	put(&b, "08" "000009" "00");					/* torn */
	expect_flv(&b, "script:33 9@16842751:abc 8@0:z ", NULL);
	b.n = 0;
	put(&b, FLV "0a0000010000000000000061");
	expect_flv(&b, "", "neither audio");
	b.n = 0;
	put(&b, FLV "090003e90000000000000061");
	expect_flv(&b, "", "longer than");
	b.n = 0;
	put(&b, "464c560205000000090000000000");
	expect_flv(&b, "", "header");
}

/* --- what waits for ffmpeg --- */

static void
test_queue(void **state)
{
	struct intake_queue q;
	uint8_t big[5000], got[20000];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	memset(big, 'x', sizeof(big));
	intake_queue_init(&q);
	intake_queue_add_init(&q, (const uint8_t *)"INIT", 4);
	big[0] = '1';
	intake_queue_add(&q, big, sizeof(big), true);
	big[0] = '2';
	intake_queue_add(&q, big, sizeof(big), true);
	assert_int_equal(intake_queue_write(&q, pair[0]), 4);
	assert_int_equal(intake_queue_bytes(&q), 10000);
	while (intake_queue_write(&q, pair[0]) > 0)
		;
	assert_int_equal(recv(pair[1], got, sizeof(got), 0), 10004);
	/* it died with all of that: the next gets the beginning, and what comes from the next point on */
	intake_queue_rewind(&q);
	intake_queue_add(&q, (const uint8_t *)"rest", 4, false);
	assert_int_equal(intake_queue_bytes(&q), 4);
	intake_queue_add(&q, (const uint8_t *)"point", 5, true);
	while (intake_queue_write(&q, pair[0]) > 0)
		;
	assert_int_equal(recv(pair[1], got, sizeof(got), 0), 9);
	assert_memory_equal(got, "INITpoint", 9);
	/* it died with a part: from the first point behind that */
	big[0] = '3';
	intake_queue_add(&q, big, sizeof(big), false);
	big[0] = '4';
	intake_queue_add(&q, big, sizeof(big), true);
	intake_queue_rewind(&q);
	assert_int_equal(intake_queue_bytes(&q), 4 + sizeof(big));
	while (intake_queue_write(&q, pair[0]) > 0)
		;
	recv(pair[1], got, sizeof(got), 0);
	assert_memory_equal(got, "INIT4xxx", 8);
	/* a beginning is bounded */
	for (int i = 0; i < 300; i++)
		intake_queue_add_init(&q, big, sizeof(big));
	assert_int_equal(q.init_len, INTAKE_INIT_MAX);
	intake_queue_free(&q);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matroska), cmocka_unit_test(test_matroska_lost), cmocka_unit_test(test_mp4),
		cmocka_unit_test(test_ts), cmocka_unit_test(test_cut), cmocka_unit_test(test_sniff), cmocka_unit_test(test_flv),
		cmocka_unit_test(test_queue),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
