/* frames_proto.c and frames_clock.c: every message of the protocol, every way to get one wrong, and what is said then. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/frames_base64.h"
#include "ingest/frames_clock.h"
#include "ingest/frames_proto.h"

/* 16 x 8 pixels, as base64: /9j/wAALCAAIABABASIA/9oAAgD/2Q== */
static const uint8_t jpeg[] = { 0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x22, 0, 0xff, 0xda, 0, 2, 0, 0xff,
	0xd9 };
#define JPEG64 "/9j/wAALCAAIABABASIA/9oAAgD/2Q=="

static struct frames_proto p;
static char said[1024], got[1024], media[64];
static unsigned nsaid;
static struct frames_media last;

static void
on_connect(void *ctx, const struct frames_connect *c)
{
	snprintf(got, sizeof(got), "connect %.*s%s%s%s", c->id != NULL ? (int)c->id_len : 6,
	    c->id != NULL ? c->id : "(none)", c->mux ? " mux" : "", c->live ? " live" : "", c->extended ? " extended" : "");
}

static void
take(const char *what, const struct frames_media *m)
{
	last = *m;
	memcpy(media, m->data, m->len < sizeof(media) ? m->len : sizeof(media));
	snprintf(got, sizeof(got), "%s %zu", what, m->len);
}

static void
on_video(void *ctx, const struct frames_media *m)
{
	take("video", m);
}

static void
on_audio(void *ctx, const struct frames_media *m)
{
	take("audio", m);
}

static void
on_play(void *ctx, const char *file, size_t len)
{
	snprintf(got, sizeof(got), "play %s", file != NULL ? file : "(any)");
}

static void
on_close(void *ctx)
{
	snprintf(got, sizeof(got), "close");
}

static void
on_say(void *ctx, const char *text, size_t len)
{
	snprintf(said, sizeof(said), "%.*s", (int)len, text);
	nsaid++;
}

static const struct frames_ops ops = { on_connect, on_video, on_audio, on_play, on_close, on_say };

static int
setup(void **state)
{
	frames_proto_init(&p, &ops, NULL, 1000000);
	nsaid = 0;
	return 0;
}

static int
teardown(void **state)
{
	frames_proto_free(&p);
	return 0;
}

static void
say_bytes(const void *data, size_t len, bool binary)
{
	char *exact = malloc(len);	/* so that a sanitizer sees one byte too many */

	memcpy(exact, data, len);
	got[0] = said[0] = '\0';
	frames_proto_message(&p, exact, len, binary, 1);
	free(exact);
}

static void
say(const char *text)
{
	say_bytes(text, strlen(text), false);
}

#define WANT(text, want) do { say(text); assert_string_equal(got, want); assert_string_equal(said, ""); } while (0)
#define WRONG(text, field, part) do { \
	say(text); \
	assert_string_equal(got, ""); \
	assert_non_null(strstr(said, "{\"eventType\":\"ERROR\",\"field\":\"" field "\",\"error\":\"")); \
	assert_non_null(strstr(said, part)); \
} while (0)

static void
old_messages_are_understood(void **state)
{
	WANT("{\"eventType\":\"CONNECT\",\"id\":\"cam one\"}", "connect cam one");
	WANT("{\"eventType\":\"CONNECT\",\"id\":17}", "connect 17");
	WANT("{\"eventType\":\"CONNECT\"}", "connect (none)");
	WANT("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"VIDEO\",\"encodedMediaChunk\":\"" JPEG64 "\"}", "video 22");
	assert_memory_equal(media, jpeg, sizeof(jpeg));
	assert_int_equal(last.width, 16);
	assert_int_equal(last.height, 8);
	assert_false(last.timed);
	WANT("{\"encodedMediaChunk\":\"AAEC/w==\",\"mediaSourceType\":\"AUDIO\",\"eventType\":\"STREAM\",\"x\":[]}", "audio 4");
	assert_memory_equal(media, "\0\1\2\xff", 4);
	WANT("{\"eventType\":\"REQUEST_AUDIO_STREAM_PLAYBACK\"}", "play (any)");
	WANT("  {\"eventType\":\"CLOSE\"}\n", "close");
	assert_int_equal(p.messages, 7);
	assert_int_equal(nsaid, 0);
}

static void
newer_ones_too(void **state)
{
	WANT("{\"eventType\":\"CONNECT\",\"id\":\"a\",\"mux\":true,\"live\":true}", "connect a mux live extended");
	WANT("{\"eventType\":\"CONNECT\",\"id\":\"a\",\"mux\":false}", "connect a extended");
	WANT("{\"eventType\":\"REQUEST_AUDIO_STREAM_PLAYBACK\",\"file\":\"x.wav\"}", "play x.wav");
	WANT("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"encodedMediaChunk\":\"AAE=\",\"timestamp\":12.5}", "audio 2");
	assert_true(last.timed && last.time_ms == 12.5);
}

static void
base64_as_others_write_it(void **state)
{
#define AUDIO(b64) "{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"encodedMediaChunk\":\"" b64 "\"}"
	WANT(AUDIO("AAEC/w"), "audio 4");
	assert_memory_equal(media, "\0\1\2\xff", 4);
	WANT(AUDIO("AAEC_w"), "audio 4");
	assert_memory_equal(media, "\0\1\2\xff", 4);
	WANT(AUDIO("AAE\\r\\nC/w=="), "audio 4");
	WANT(AUDIO("AAE"), "audio 2");
	WANT(AUDIO("data:audio/L16;base64,AAEC/w=="), "audio 4");
	WRONG(AUDIO("AAEC!w=="), "encodedMediaChunk", "not base64");
	WRONG(AUDIO("AAEC/w==AAEC"), "encodedMediaChunk", "not base64");
	WRONG(AUDIO("A"), "encodedMediaChunk", "not base64");
	WRONG(AUDIO("===="), "encodedMediaChunk", "not base64");
	WRONG(AUDIO("AAE\\u0000"), "message", "no JSON");
	WRONG(AUDIO(""), "encodedMediaChunk", "empty");
}

/* Every length, cut by line ends anywhere; and every byte that is none. */
static void
base64_whole(void **state)
{
	uint8_t data[40], out[FRAMES_BASE64_BYTES(80)];
	char text[80], broken[90];
	size_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 200);
	for (size_t len = 1; len <= sizeof(data); len++) {
		size_t chars = BASE64_ENCODE_RAW_LENGTH(len);

		base64_encode_raw(text, len, data);
		for (size_t cut = 0; cut <= chars; cut++) {
			memcpy(broken, text, cut);
			memcpy(broken + cut, "\r\n", 2);
			memcpy(broken + cut + 2, text + cut, chars - cut);
			assert_int_equal(frames_base64_decode(broken, chars + 2, out, &n), 0);
			assert_int_equal(n, len);
			assert_memory_equal(out, data, len);
		}
	}
	for (int c = 1; c < 256; c++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\r\n\v\f", c) == NULL) {
			memcpy(broken, "AAAABBBBCCCC", 12);
			broken[6] = (char)c;
			assert_int_equal(frames_base64_decode(broken, 12, out, &n), -1);
		}
}

/* It is found wherever it stands, and nothing else is taken for it. */
static void
base64_in_other_places(void **state)
{
	WANT("{ \"encodedMediaChunk\" :\n \"AAEC/w==\" , \"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\"}", "audio 4");
	WANT("{\"x\":{\"encodedMediaChunk\":\"AAEC\"},\"encodedMediaChunk\":\"AAEC/w==\",\"eventType\":\"STREAM\","
	    "\"mediaSourceType\":\"AUDIO\"}", "audio 4");
	WANT("{\"mediaSourceType\":\"AUDIO\",\"x\":\"\\\"encodedMediaChunk\\\":\\\"AAEC\\\"\",\"encodedMediaChunk\":\"AAEC/w==\","
	    "\"eventType\":\"STREAM\"}", "audio 4");
	WANT(AUDIO("AAEC\\/w=="), "audio 4");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"x\":{\"encodedMediaChunk\":\"AAEC\"}}", "encodedMediaChunk",
	    "missing");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"x\":\"encodedMediaChunk\"}", "encodedMediaChunk", "missing");
	WRONG("{\"encodedMediaChunk\":\"AAEC", "message", "no JSON");
	WRONG("{\"eventType\":\"STREAM\",\"encodedMediaChunk\":\"AAEC\"", "message", "no JSON");
	WRONG("\"encodedMediaChunk\":\"AAEC\"", "message", "no JSON");
	WRONG("\"encodedMediaChunk\"", "message", "no JSON");
	WRONG("\"encodedMediaChunk\":", "message", "no JSON");
	WANT("{\"encodedMediaChunk\":\"AAEC\",\"eventType\":\"CLOSE\"}", "close");
}

static void
an_error_names_its_field(void **state)
{
	WRONG("nonsense", "message", "no JSON");
	WRONG("{\"eventType\":\"CONNECT\"", "message", "no JSON");
	WRONG("[1]", "message", "no JSON object");
	WRONG("{}", "eventType", "missing");
	WRONG("{\"eventType\":3}", "eventType", "missing, or no string");
	WRONG("{\"eventType\":\"DANCE\"}", "eventType", "\\\"DANCE\\\" is unknown");
	WRONG("{\"eventType\":\"STREAM\"}", "mediaSourceType", "must be");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"SMELL\",\"encodedMediaChunk\":\"AAEC\"}", "mediaSourceType", "not SMELL");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\"}", "encodedMediaChunk", "missing");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"encodedMediaChunk\":7}", "encodedMediaChunk", "string");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"VIDEO\",\"encodedMediaChunk\":\"AAEC\"}", "encodedMediaChunk", "no JPEG");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"VIDEO\",\"encodedMediaChunk\":\"/9j/wAALCAAIABAB\"}", "encodedMediaChunk", "cut off");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"encodedMediaChunk\":\"AAEC\",\"timestamp\":\"7\"}", "timestamp", "number");
	WRONG("{\"eventType\":\"STREAM\",\"mediaSourceType\":\"AUDIO\",\"encodedMediaChunk\":\"AAEC\",\"timestamp\":1e99}", "timestamp", "number");
	WRONG("{\"eventType\":\"REQUEST_AUDIO_STREAM_PLAYBACK\",\"file\":1}", "file", "string");
	assert_non_null(strstr(said, "\"message\":15"));
	/* who it is does matter, but nothing is lost by it */
	say("{\"eventType\":\"CONNECT\",\"id\":{},\"mux\":1}");
	assert_string_equal(got, "connect (none) extended");
	assert_non_null(strstr(said, "\"field\":\"mux\""));
	assert_int_equal(p.errors, 17);
}

/* An 8 MiB message of empty objects would take half a gigabyte. */
static void
values_are_counted(void **state)
{
	char text[4000] = "{\"eventType\":\"CLOSE\",\"x\":[0";
	size_t n = strlen(text);

	for (int i = 0; i < 996; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",0");
	memcpy(text + n, "]}", 3);
	WANT(text, "close");
	memcpy(text + n, ",{}]}", 6);
	WRONG(text, "message", "too many values");
}

static void
errors_are_not_without_end(void **state)
{
	for (int i = 0; i < 1000; i++)
		say("x");
	assert_int_equal(nsaid, 20);
	assert_int_equal(p.unsaid, 980);
	frames_proto_message(&p, "x", 1, false, 202);
	assert_int_equal(nsaid, 21);
	assert_non_null(strstr(said, "\"unsaid\":980"));
}

static size_t
binary(uint8_t *out, char kind, double ms, const void *data, size_t len)
{
	uint64_t bits;

	memcpy(&bits, &ms, sizeof(bits));
	out[0] = (uint8_t)kind;
	for (int i = 0; i < 8; i++)
		out[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
	memcpy(out + 9, data, len);
	return 9 + len;
}

static void
binary_messages(void **state)
{
	uint8_t b[100];
	size_t n = binary(b, 'V', 1234.5, jpeg, sizeof(jpeg));

	say_bytes(b, n, true);
	assert_string_equal(got, "video 22");
	assert_true(last.timed && last.time_ms == 1234.5);
	say_bytes(b, binary(b, 'A', NAN, "\1\2\3\4", 4), true);
	assert_string_equal(got, "audio 4");
	assert_false(last.timed);
	say_bytes("{\"eventType\":\"CLOSE\"}", 21, true);
	assert_string_equal(got, "close");
	n = binary(b, 'V', 0, jpeg, sizeof(jpeg));
	for (size_t i = 0; i < n; i++) {
		p.credit = 20000;
		say_bytes(b, i, true);
		assert_string_equal(got, "");
		assert_non_null(strstr(said, "\"ERROR\""));
	}
	say_bytes(b, binary(b, 'A', INFINITY, "\1\2", 2), true);
	assert_non_null(strstr(said, "\"field\":\"timestamp\""));
	say_bytes(b, binary(b, 'X', 0, "\1\2", 2), true);
	assert_non_null(strstr(said, "\"field\":\"message\""));
}

static void
clocks(void **state)
{
	struct frames_clock c = { .started = false };

	/* none: as they come */
	assert_int_equal(frames_clock_map(&c, false, 0, 5000), 0);
	assert_int_equal(frames_clock_map(&c, false, 0, 5100), 100);
	/* one that starts anywhere and is sent faster than it runs */
	assert_int_equal(frames_clock_map(&c, true, 1e9, 5200), 200);
	assert_int_equal(frames_clock_map(&c, true, 1e9 + 60000.4, 5201), 60200);
	assert_int_equal(frames_clock_map(&c, true, 1e9 + 59000, 5202), 59200);
	/* it jumps: goes on from there */
	assert_int_equal(frames_clock_map(&c, true, 5, 5203), 59200);
	assert_int_equal(frames_clock_map(&c, true, 105, 5204), 59300);
	assert_int_equal(frames_clock_map(&c, true, 1e12, 5205), 59300);
	c = (struct frames_clock){ .started = false };
	frames_clock_map(&c, true, 9000, 0);
	assert_int_equal(frames_clock_map(&c, true, 100, 0), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(old_messages_are_understood), T(newer_ones_too), T(base64_as_others_write_it), T(base64_whole), T(base64_in_other_places),
		T(an_error_names_its_field),
		T(values_are_counted), T(errors_are_not_without_end), T(binary_messages), T(clocks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
