/*
 * browsers.c (with sink_feed.c, sink_rtc.c, ring_cursor.c) with a supervisor and a worker of our own:
 * what is fed from where on, what goes by an ffmpeg, new headers in between, a worker that is slow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/browsers.h"
#include "util.h"

/* AVCDecoderConfigurationRecords as x264 makes them: High without and with B-frames. */
#define HIGH "\x01\x64\x00\x0d\xff\xe1\x00\x17\x67\x64\x00\x0d\xac\xb2\x02\x83\xf6\x02\x20\x00\x00\x03\x00\x20\x00" \
	"\x00\x07\x81\xe2\x85\x49"
#define HIGH_B "\x01\x64\x00\x0d\xff\xe1\x00\x19\x67\x64\x00\x0d\xac\xd9\x41\x41\xfb\x01\x10\x00\x00\x03\x00\x10" \
	"\x00\x00\x03\x03\xc0\xf1\x42\x99\x60"

static struct svc svc;
static struct ring ring;
static struct ring_gen *gen;
static struct browsers browsers;
static int supervisor = -1, worker = -1, child = -1;
static char told[400];			/* messages to the supervisor: "SPAWN opus, OUTPUT_DOWN h264" */
static json_t *spawn;			/* params of the last SPAWN */

static const struct flv_info avc = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1'), .payload = 5 };
static const struct flv_info hevc = { .type = FLV_VIDEO, .codec = FLV_FOURCC('h', 'v', 'c', '1'), .payload = 5,
	.enhanced = true };
static const struct flv_info aac = { .type = FLV_AUDIO, .codec = FLV_FOURCC('m', 'p', '4', 'a'), .payload = 2 };
static const struct flv_info opus = { .type = FLV_AUDIO, .codec = FLV_FOURCC('O', 'p', 'u', 's'), .payload = 5,
	.enhanced = true };
static const struct flv_info *audio_info;

static void
on_message(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static void
add(struct ring_gen *g, const struct flv_info *info, const void *config, size_t len)
{
	uint8_t body[80] = { 0 };
	struct flv_info i = *info;

	i.payload_len = len;
	memcpy(body + i.payload, config, len);
	ring_gen_set(g, &i, body, i.payload + len);
}

/* The tags that follow are of these tracks; config NULL: no video. */
static void
use(const struct flv_info *video, const char *config, size_t len, const struct flv_info *audio)
{
	ring_gen_unref(&gen);
	gen = ring_gen_new(NULL);
	if (video != NULL)
		add(gen, video, config, len);
	add(gen, audio, "OpusHead\1\2\0\0\0\0\0\0\0\0\0", 19);
	gen->settled = true;
	audio_info = audio;
}

static int
setup(void **state)
{
	struct sink_env env = { .svc = &svc, .ring = &ring, .name = "alice", .app = "live" };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	supervisor = sv[1];
	svc.base = event_base_new();
	svc.control = msg_chan_new(svc.base, sv[0], on_message, NULL);
	svc.conf = json_pack("{s:{s:i, s:s, s:i, s:i}, s:{s:{s:i}}}", "webrtc", "workers", 1, "transcode", "auto", "batch",
	    20, "lag", 2000, "streams", "hls", "stuck", 5000);
	ring_init(&ring, 1 << 20);
	browsers_open(&browsers, &env);
	use(&avc, HIGH, sizeof(HIGH) - 1, &aac);
	return 0;
}

static int
teardown(void **state)
{
	browsers_free(&browsers);
	ring_free(&ring);
	assert_int_equal(gen->refs, 1);	/* nobody forgot one */
	ring_gen_unref(&gen);
	msg_chan_free(&svc.control);
	event_base_free(svc.base);
	close(supervisor);
	close(worker);
	close(child);
	worker = child = -1;
	json_decref(svc.conf);
	json_decref(spawn);
	spawn = NULL;
	return 0;
}

static void
tag_of(bool audio, bool key, int64_t ms, int64_t pts_ms, size_t len)
{
	const struct flv_info *video = gen->video_codec == avc.codec ? &avc : &hevc;
	struct flv_info info = audio ? *audio_info : *video;
	uint8_t *body = calloc(1, len);
	struct tag *t;

	body[0] = audio ? 0xaf : key ? 0x17 : 0x27;
	body[1] = 1;
	info.keyframe = key;
	info.payload_len = len - info.payload;
	t = ring_append(&ring, gen, &info, body, len);
	free(body);
	t->dts_ms = ms;
	t->pts_ms = pts_ms;
	browsers_tag(&browsers, t);
}

/* Video every 250 ms, a key frame each second; audio every 100 ms; from .. to - 1. */
static void
media(int64_t from, int64_t to, size_t len)
{
	for (int64_t ms = from; ms < to; ms += 50) {
		if (ms % 250 == 0 && gen->video)
			tag_of(false, ms % 1000 == 0, ms, ms, len);
		if (ms % 100 == 50)
			tag_of(true, false, ms, ms, 16);
	}
}

/* What the supervisor has heard since. */
static const char *
heard(void)
{
	uint16_t type;
	json_t *body;
	uint32_t id;

	told[0] = '\0';
	event_base_loop(svc.base, EVLOOP_NONBLOCK);
	while (msg_read(supervisor, 5, &type, &id, &body) == 0) {
		size_t n = strlen(told);

		snprintf(told + n, sizeof(told) - n, "%s%s %s", n > 0 ? ", " : "", msg_type_name(type),
		    json_string_value(json_object_get(body, "output")));
		if (type == MSG_SPAWN) {
			json_decref(spawn);
			spawn = json_incref(json_object_get(body, "params"));
		}
		json_decref(body);
	}
	return told;
}

static int
pair_to(int *ours)
{
	int sv[2], size = 4096;

	if (*ours >= 0)
		close(*ours);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*ours = sv[1];
	return sv[0];
}

static void
feed_on(bool on)
{
	struct msg m = { .type = MSG_FEED, .nfds = on };

	m.fds[0] = on ? pair_to(&worker) : -1;
	m.body = json_pack("{s:b}", "on", on);
	assert_true(browsers_message(&browsers, &m));
	json_decref(m.body);
}

static void
spawned(const char *output)
{
	struct msg m = { .type = MSG_SPAWNED, .nfds = 2 };
	static int err = -1;

	m.fds[0] = pair_to(&child);
	m.fds[1] = pair_to(&err);
	close(err);
	err = -1;
	m.body = json_pack("{s:s, s:i, s:O}", "output", output, "pid", 1, "params", spawn);
	assert_true(browsers_message(&browsers, &m));
	json_decref(m.body);
}

static void
tick(void)
{
	browsers_tick(&browsers, now_ms() + 100);
}

/* What came out at fd, as "FLV5 vh1000 v1000K a1050 ..."; "." at EOF, "Matroska" if it is that. */
static const char *
came(int fd)
{
	static char text[6000];
	static uint8_t buf[1 << 20];
	size_t have = 0, at = 0, len = 0;
	ssize_t n;

	for (int idle = 0; idle < 3; idle++) {
		while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
			have += (size_t)n;
			idle = 0;
		}
		event_base_loop(svc.base, EVLOOP_NONBLOCK);
	}
	text[0] = '\0';
	if (have > 4 && memcmp(buf, "\x1a\x45\xdf\xa3", 4) == 0)
		return "Matroska";
	if (have >= 13 && memcmp(buf, "FLV", 3) == 0) {
		len += (size_t)snprintf(text, sizeof(text), "FLV%d ", buf[4]);
		at = 13;
	}
	while (at + 11 <= have) {
		const uint8_t *p = buf + at;
		size_t size = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		long ms = (long)p[4] << 16 | (long)p[5] << 8 | p[6];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s%ld%s ", p[0] == 9 ? 'v' : 'a',
		    p[12] == 0 ? "h" : "", ms, p[0] == 9 && p[11] >> 4 == 1 && p[12] != 0 ? "K" : "");
		at += 11 + size + 4;
	}
	assert_int_equal(at, have);
	if (n == 0)
		snprintf(text + len, sizeof(text) - len, ".");
	return text;
}

static struct board_feed
board(void)
{
	struct board_feed f;

	browsers_board(&browsers, &f);
	return f;
}

/* --- tests --- */

static void
nobody_watches(void **state)
{
	const struct tag *needs[BROWSERS_NEEDS];

	media(1000, 2600, 16);
	tick();
	assert_string_equal(heard(), "");
	assert_int_equal(browsers_budget_ms(&browsers, 250), 250);
	assert_int_equal(browsers_needs(&browsers, needs), 1);
	assert_int_equal(needs[0]->dts_ms, 2000);	/* for who comes next */
	assert_false(board().on);
	assert_int_equal(board().video, BOARD_WAY_COPY);
	assert_int_equal(board().audio, BOARD_WAY_TRANSCODE);
	assert_string_equal(board().audio_why, "aac");
}

static void
video_from_the_newest_key_frame_and_sound_live(void **state)
{
	media(1000, 2600, 16);
	feed_on(true);
	tick();
	assert_string_equal(heard(), "SPAWN opus");
	assert_false(json_is_true(json_object_get(spawn, "matroska")));
	assert_string_equal(came(worker), "FLV1 vh0 v2000K v2250 v2500 ");
	assert_int_equal(browsers_budget_ms(&browsers, 250), 20);
	media(2600, 2700, 16);
	spawned("opus");
	assert_string_equal(came(child), "FLV4 ah0 a2650 ");
	media(2700, 3100, 16);
	tick();
	assert_string_equal(came(worker), "v2750 v3000K ");
	assert_string_equal(came(child), "a2750 a2850 a2950 a3050 ");
	assert_int_equal(board().frames, 5);
	assert_string_equal(heard(), "");
	feed_on(false);
	assert_string_equal(heard(), "OUTPUT_DOWN opus");
	assert_string_equal(came(worker), ".");
	assert_string_equal(came(child), ".");
	media(3100, 4100, 16);
	tick();
	assert_string_equal(heard(), "");
}

/* Somebody waited for the publisher; which tracks he has is known a little later still. */
static void
fed_from_the_first_tag_on(void **state)
{
	feed_on(true);
	tick();
	gen->settled = false;
	media(1000, 1100, 16);
	tick();
	assert_string_equal(came(worker), "");
	assert_string_equal(heard(), "");
	gen->settled = true;
	media(1100, 1600, 16);
	tick();
	assert_string_equal(came(worker), "FLV1 vh0 v1000K v1250 v1500 ");
	assert_string_equal(heard(), "SPAWN opus");
}

static void
opus_goes_as_it_came(void **state)
{
	use(&avc, HIGH, sizeof(HIGH) - 1, &opus);
	media(1000, 2300, 16);
	feed_on(true);
	tick();
	assert_string_equal(heard(), "");
	assert_string_equal(came(worker), "FLV5 vh0 ah0 v2000K a2050 a2150 v2250 a2250 ");
}

static void
b_frames_go_by_an_ffmpeg(void **state)
{
	use(&avc, HIGH_B, sizeof(HIGH_B) - 1, &aac);
	media(1000, 2600, 16);
	feed_on(true);
	tick();
	assert_string_equal(heard(), "SPAWN opus, SPAWN h264");
	assert_int_equal(json_integer_value(json_object_get(spawn, "from_ms")), 2550);
	spawned("h264");
	assert_string_equal(came(child), "FLV1 vh0 v2000K v2250 v2500 ");
	assert_string_equal(came(worker), "");
	assert_string_equal(board().video_why, "B-frames");
}

static void
another_codec_goes_as_matroska(void **state)
{
	use(&hevc, HIGH, sizeof(HIGH) - 1, &aac);
	media(1000, 1600, 16);
	feed_on(true);
	tick();
	assert_string_equal(heard(), "SPAWN opus, SPAWN h264");
	assert_true(json_is_true(json_object_get(spawn, "matroska")));
	spawned("h264");
	assert_string_equal(came(child), "Matroska");
}

static void
sound_alone(void **state)
{
	use(NULL, NULL, 0, &aac);
	media(1000, 1500, 16);
	feed_on(true);
	tick();
	assert_string_equal(heard(), "SPAWN opus");
	spawned("opus");
	assert_string_equal(came(child), "FLV4 ah0 a1450 ");
	assert_string_equal(came(worker), "");
}

static void
new_headers_in_between(void **state)
{
	media(1000, 1600, 16);
	feed_on(true);
	tick();
	came(worker);
	use(&avc, HIGH, sizeof(HIGH) - 1, &opus);
	media(2000, 2300, 16);
	tick();
	assert_string_equal(came(worker), "vh2000 ah2000 v2000K a2050 a2150 v2250 a2250 ");
	assert_string_equal(heard(), "SPAWN opus, OUTPUT_DOWN opus");
}

static void
b_frames_come_and_go(void **state)
{
	media(1000, 1600, 16);
	feed_on(true);
	tick();
	heard();
	use(&avc, HIGH_B, sizeof(HIGH_B) - 1, &aac);
	media(2000, 2300, 16);
	tick();
	assert_string_equal(heard(), "SPAWN h264");
	assert_string_equal(came(worker), "FLV1 vh0 v1000K v1250 v1500 ");
	use(&avc, HIGH, sizeof(HIGH) - 1, &aac);
	media(3000, 3300, 16);
	tick();
	assert_string_equal(heard(), "OUTPUT_DOWN h264");
	assert_string_equal(came(worker), "vh3000 v3000K v3250 ");
}

/* The next tag tells what is left; until then nothing is sent, least of all what was sent before. */
static void
the_video_ends(void **state)
{
	struct ring_gen *alone = ring_gen_new(gen);

	media(1000, 1600, 16);
	feed_on(true);
	tick();
	came(worker);
	media(1650, 1700, 16);		/* sound that was not looked at yet */
	alone->video = false;
	ring_gen_unref(&gen);
	gen = alone;
	browsers_regen(&browsers, ring_regen(&ring, gen));
	browsers_tick(&browsers, now_ms() + 200);
	assert_string_equal(came(worker), "");
	media(1700, 2300, 16);
	tick();
	assert_string_equal(came(worker), "");
}

static void
a_slow_worker_loses_what_is_before_a_key_frame(void **state)
{
	const char *text;

	media(1000, 1100, 3000);
	feed_on(true);
	tick();
	media(1100, 9000, 3000);	/* nobody reads */
	assert_true(board().dropped > 10);
	assert_true(board().behind_ms <= 2000);
	tick();
	text = came(worker);
	assert_non_null(strstr(text, "FLV1 vh0 v1000K "));
	assert_null(strstr(text, "v4000K"));
	assert_non_null(strstr(text, "v8000K v8250 "));
}

/* Its place is gone and no key frame has come since: it goes on at the next one, and no tag is torn. */
static void
an_overrun(void **state)
{
	const struct tag *needs[BROWSERS_NEEDS];
	struct tag *last;
	unsigned n;

	media(1000, 1100, 30000);	/* more than the socket takes */
	feed_on(true);
	tick();
	media(1100, 1800, 3000);
	for (last = ring.head; last->next != NULL; last = last->next)
		;
	browsers_overrun(&browsers, last);
	ring_trim(&ring, last);
	n = browsers_needs(&browsers, needs);
	for (unsigned i = 0; i < n; i++)
		assert_true(needs[i] == NULL || needs[i] == last);
	assert_string_equal(came(worker), "FLV1 vh0 v1000K ");
	media(1800, 2300, 3000);
	tick();
	assert_string_equal(came(worker), "vh2000 v2000K v2250 ");
}

static void
draining_closes_it(void **state)
{
	media(1000, 1600, 16);
	feed_on(true);
	tick();
	heard();
	spawned("opus");
	media(1600, 1800, 16);
	browsers_drain(&browsers);
	assert_string_equal(came(worker), "FLV1 vh0 v1000K v1250 v1500 v1750 .");
	assert_string_equal(came(child), "FLV4 ah0 a1550 a1650 a1750 .");
	feed_on(true);			/* too late */
	assert_string_equal(came(worker), ".");
}

static void
a_second_feed_replaces_the_first(void **state)
{
	media(1000, 1600, 16);
	feed_on(true);
	tick();
	came(worker);
	feed_on(true);
	tick();
	assert_string_equal(came(worker), "FLV1 vh0 v1000K v1250 v1500 ");
	assert_string_equal(heard(), "SPAWN opus");
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH(nobody_watches), WITH(video_from_the_newest_key_frame_and_sound_live), WITH(opus_goes_as_it_came),
		WITH(fed_from_the_first_tag_on),
		WITH(b_frames_go_by_an_ffmpeg), WITH(another_codec_goes_as_matroska), WITH(sound_alone),
		WITH(new_headers_in_between), WITH(b_frames_come_and_go), WITH(the_video_ends),
		WITH(a_slow_worker_loses_what_is_before_a_key_frame), WITH(an_overrun), WITH(draining_closes_it),
		WITH(a_second_feed_replaces_the_first),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
