/*
 * sink_hls.c with a supervisor and an ffmpeg of our own: what it asks for, what it writes,
 * what it lists, and what another child gets after one died, was ended or took nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hls_state.h"
#include "ingest/hls_cut.h"
#include "ingest/sink_hls.h"
#include "util.h"

enum { IN, ERR, CSV, CHILD_FDS };

static struct board_page page;
static struct svc svc;
static struct ring ring;
static struct ring_gen *gen;
static struct sink *sink;
static int supervisor = -1, child[CHILD_FDS];
static json_t *params;		/* of the last SPAWN */
static char dir[64], warning[200];
static bool done;

static void
on_done(void *ctx)
{
	done = true;
}

static void
on_warn(void *ctx, const char *text)
{
	str_copy(warning, text, sizeof(warning));
}

static void
on_message(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static const struct flv_info video_info = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1') };
static const struct flv_info audio_info = { .type = FLV_AUDIO, .codec = FLV_FOURCC('m', 'p', '4', 'a') };

static int
setup(void **state)
{
	struct sink_env env = { &svc, &ring, "alice", "live", dir, on_done, NULL, on_warn, NULL };
	int64_t start_ms;
	bool resumed;
	int sv[2];

	strcpy(dir, "/tmp/millrace-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	supervisor = sv[1];
	svc.base = event_base_new();
	svc.control = msg_chan_new(svc.base, sv[0], on_message, NULL);
	memset(&page, 0, sizeof(page));
	svc.page = &page;
	svc.conf = json_pack("{s:{s:{s:i, s:i, s:i, s:i, s:i}}}", "streams", "hls", "segment", 1000, "window", 6,
	    "keep", 3, "batch", 250, "stuck", 5000);
	ring_init(&ring, 1 << 20);
	gen = ring_gen_new(NULL);
	ring_gen_set(gen, &video_info, (const uint8_t *)"\x17\0VIDEO", 7);
	ring_gen_set(gen, &audio_info, (const uint8_t *)"\xaf\0AUDIO", 7);
	gen->settled = true;
	child[IN] = child[ERR] = child[CSV] = -1;
	done = false;
	warning[0] = '\0';
	sink = sink_hls_new(&env, &start_ms, &resumed);
	assert_false(resumed);
	return 0;
}

static void
child_gone(void)
{
	for (int i = 0; i < CHILD_FDS; i++) {
		if (child[i] >= 0)
			close(child[i]);
		child[i] = -1;
	}
}

static int
teardown(void **state)
{
	child_gone();
	sink->ops->free(&sink);
	ring_free(&ring);
	assert_int_equal(gen->refs, 1);	/* nobody forgot one */
	ring_gen_unref(&gen);
	msg_chan_free(&svc.control);
	event_base_free(svc.base);
	close(supervisor);
	json_decref(svc.conf);
	json_decref(params);
	params = NULL;
	hls_dir_remove(dir);
	return 0;
}

static struct tag *
tag(bool audio, bool key, int64_t ms)
{
	uint8_t body[16] = { audio ? 0xaf : key ? 0x17 : 0x27, 1 };
	struct tag *t;

	snprintf((char *)body + 2, sizeof(body) - 2, "%c%lld", audio ? 'a' : 'v', (long long)ms);
	t = ring_append(&ring, gen, audio ? &audio_info : &video_info, body, sizeof(body));
	t->dts_ms = t->pts_ms = ms;
	t->key = key;
	t->came_ms = now_ms();
	t->wall_ms = 1700000000000 + ms;
	sink->ops->tag(sink, t);
	return t;
}

/* Video every 250 ms, a key frame each second; audio every 100 ms; from .. to - 1. */
static void
media(int64_t from, int64_t to)
{
	for (int64_t ms = from; ms < to; ms += 50) {
		if (ms % 250 == 0)
			tag(false, ms % 1000 == 0, ms);
		if (ms % 100 == 50)
			tag(true, false, ms);
	}
}

/* The next message to the supervisor has this type; a SPAWN's params are kept. */
static void
expect(uint16_t want)
{
	uint16_t type = 0;
	json_t *body = NULL;
	uint32_t id;

	event_base_loop(svc.base, EVLOOP_NONBLOCK);
	if (msg_read(supervisor, 20, &type, &id, &body) < 0)
		fail_msg("no message where %s was due", msg_type_name(want));
	assert_int_equal(type, want);
	if (type == MSG_SPAWN) {
		json_decref(params);
		params = json_incref(json_object_get(body, "params"));
	}
	json_decref(body);
}

static void
expect_nothing(void)
{
	uint16_t type;
	json_t *body;
	uint32_t id;

	event_base_loop(svc.base, EVLOOP_NONBLOCK);
	assert_int_equal(msg_read(supervisor, 20, &type, &id, &body), -1);
}

static void
spawned(void)
{
	struct msg m = { .type = MSG_SPAWNED, .nfds = CHILD_FDS };
	int sv[2];

	child_gone();
	for (int i = 0; i < CHILD_FDS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
		m.fds[i] = sv[0];
		child[i] = sv[1];
	}
	m.body = json_pack("{s:s, s:i, s:O}", "output", "hls", "pid", 1, "params", params);
	sink->ops->message(sink, &m);
	json_decref(m.body);
}

static void
exited(int code, int retry_ms)
{
	struct msg m = { .type = MSG_EXITED };

	m.body = json_pack("{s:s, s:i, s:s, s:i}", "output", "hls", "code", code, "reason", "test", "retry_ms", retry_ms);
	sink->ops->message(sink, &m);
	json_decref(m.body);
}

/* What the child was fed, as "v1000K a1050 ..." with its own times; "." at EOF. */
static const char *
fed(void)
{
	static char text[4000];
	static uint8_t buf[65536];
	size_t have = 0, at = 0, len = 0;
	ssize_t n;

	while ((n = read(child[IN], buf + have, sizeof(buf) - have)) > 0)
		have += (size_t)n;
	text[0] = '\0';
	if (have >= 13 && memcmp(buf, "FLV", 3) == 0) {
		len += (size_t)snprintf(text, sizeof(text), "FLV%d ", buf[4]);
		at = 13;
	}
	while (at + 11 <= have) {
		const uint8_t *p = buf + at;
		size_t size = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		long ms = (long)p[4] << 16 | (long)p[5] << 8 | p[6];
		bool key = p[0] == 9 && p[11] >> 4 == 1;

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s%ld%s ", p[0] == 9 ? 'v' : 'a',
		    p[12] == 0 ? "h" : "", ms, key && p[12] != 0 ? "K" : "");
		at += 11 + size + 4;
	}
	assert_int_equal(at, have);
	if (n == 0)
		snprintf(text + len, sizeof(text) - len, ".");
	return text;
}

static void
tick(void)
{
	sink->ops->tick(sink, now_ms() + 1000);		/* the batch is due */
}

/* It begins a segment's file. */
static void
begin(int number)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/s%lld_%06d.ts", dir,
	    (long long)json_integer_value(json_object_get(params, "run")), number);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

/* It lists what it has of a segment and ends. */
static void
flush(int number, double from, double to)
{
	char line[100];
	int n = snprintf(line, sizeof(line), "s%lld_%06d.ts,%f,%f\n",
	    (long long)json_integer_value(json_object_get(params, "run")), number, from, to);

	assert_int_equal(write(child[CSV], line, (size_t)n), n);
	event_base_loop(svc.base, EVLOOP_NONBLOCK);
}

static void
cut(int number, double from, double to)
{
	begin(number + 1);
	flush(number, from, to);
}

static int64_t
param(const char *key)
{
	return json_integer_value(json_object_get(params, key));
}

static struct hls_state
playlist(void)
{
	struct hls_state s;

	assert_int_equal(hls_state_read(dir, &s), 0);
	return s;
}

static void
up(void)
{
	tick();
	expect(MSG_SPAWN);
	spawned();
}

static void
a_child_gets_headers_and_the_tags_from_the_key_frame_on(void **state)
{
	media(1000, 1500);
	up();
	assert_int_equal(param("segment_ms"), 0);
	assert_int_equal(param("start_number"), 0);
	assert_int_equal(param("offset_ms"), 1000);
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 a250 a350 a450 ");
	media(1500, 1700);
	tick();
	assert_string_equal(fed(), "v500 a550 a650 ");
	expect_nothing();
}

static void
only_a_cut_is_told_as_a_key_frame(void **state)
{
	static const int keys[] = { 0, 500, 1000, 1400, 2000, 2850, 3700 };

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		tag(false, true, keys[i]);
	up();
	/* nine tenths of a second after the last one */
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K v500 v1000K v1400 v2000K v2850 v3700K ");
}

static void
audio_that_came_before_the_first_key_frame_goes_in(void **state)
{
	tag(true, false, 100);		/* too early */
	tag(true, false, 980);
	tag(false, true, 1500);
	tag(true, false, 1490);
	up();
	assert_int_equal(param("offset_ms"), 980);
	assert_string_equal(fed(), "FLV5 vh0 ah0 a0 v520K a510 ");
}

static void
a_cut_segment_is_listed_by_its_key_frames(void **state)
{
	media(0, 2050);
	up();
	cut(0, 0, 0.99);
	assert_int_equal(playlist().nsegments, 1);
	assert_int_equal(playlist().segments[0].duration_us, 1000000);
	assert_int_equal(playlist().segments[0].wall_ms, 1700000000000);
	assert_int_equal(page.media.segments, 1);
	cut(7, 1, 2);		/* not the next one */
	assert_int_equal(playlist().nsegments, 1);
	assert_int_equal(sink->ops->needs(sink)->dts_ms, 1000);
}

static void
a_dead_child_costs_nothing(void **state)
{
	media(0, 1050);
	tag(true, false, 1950);		/* by time: of the segment from 1000 on */
	media(2000, 2050);
	tag(true, false, 1970);		/* late */
	up();
	fed();
	cut(0, 0, 1);
	exited(-1, 500);
	expect(MSG_SPAWN);
	assert_int_equal(param("start_number"), 1);
	assert_int_equal(param("offset_ms"), 1000);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a950 v1000K a970 ");
	cut(1, 0, 1);
	assert_int_equal(playlist().nsegments, 2);
	assert_true(playlist().segments[1].discontinuity);
	assert_false(playlist().segments[0].discontinuity);
}

static void
what_one_flushes_before_its_time_is_done_again(void **state)
{
	media(0, 2100);			/* all of the next one is in its stdin */
	up();
	fed();
	cut(0, 0, 1);
	flush(1, 1, 1.5);
	assert_int_equal(playlist().nsegments, 1);
	exited(255, 500);
	assert_int_equal(playlist().nsegments, 1);
	expect(MSG_SPAWN);
	assert_int_equal(param("start_number"), 1);
	assert_int_equal(param("offset_ms"), 1000);
}

static void
a_segment_is_listed_once_the_next_one_has_begun(void **state)
{
	media(0, 2100);
	up();
	flush(0, 0, 1);
	assert_int_equal(page.media.segments, 0);
	begin(1);
	event_base_loop(svc.base, EVLOOP_ONCE);
	assert_int_equal(page.media.segments, 1);
	flush(1, 1, 2);
	assert_int_equal(page.media.segments, 1);
	cut(2, 2, 2.1);			/* it lists another */
	assert_int_equal(page.media.segments, 3);
}

static void
what_it_began_before_it_died_counts(void **state)
{
	media(0, 2100);
	up();
	flush(0, 0, 1);
	begin(1);
	exited(-1, 500);
	assert_int_equal(playlist().nsegments, 1);
	expect(MSG_SPAWN);
	assert_int_equal(param("offset_ms"), 1000);
}

static void
what_is_told_to_end_while_it_drains_is_replaced(void **state)
{
	media(0, 1050);
	up();
	cut(0, 0, 1);
	sink->ops->drain(sink);
	flush(1, 1, 1.01);
	exited(255, 0);
	assert_int_equal(playlist().nsegments, 1);
	assert_false(done);
	expect(MSG_SPAWN);
	assert_int_equal(param("start_number"), 1);
	spawned();
	flush(1, 0, 0.05);
	exited(0, 0);
	assert_true(done);
	assert_int_equal(playlist().nsegments, 2);
}

static void
audio_never_has_a_cuts_time(void **state)
{
	tag(false, true, 0);
	tag(true, false, 1000);
	assert_int_equal(tag(false, true, 1000)->dts_ms, 1001);
	assert_int_equal(tag(false, true, 2000)->dts_ms, 2000);
	assert_int_equal(tag(true, false, 2000)->dts_ms, 2001);
	assert_int_equal(tag(true, false, 2000)->dts_ms, 2001);
}

static void
new_headers_end_the_child_and_start_another(void **state)
{
	struct ring_gen *old = gen;

	media(0, 600);
	up();
	fed();
	gen = ring_gen_new(old);
	ring_gen_set(gen, &video_info, (const uint8_t *)"\x17\0OTHER", 7);
	tag(false, true, 600);
	tag(true, false, 580);
	tick();
	assert_string_equal(fed(), ".");
	expect_nothing();
	flush(0, 0, 0.55);
	exited(0, 0);
	assert_int_equal(playlist().segments[0].duration_us, 750000);	/* a frame is 250 ms long */
	expect(MSG_SPAWN);
	assert_int_equal(param("offset_ms"), 580);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v20K a0 ");
	ring_trim(&ring, sink->ops->needs(sink));
	sink->ops->drain(sink);
	flush(1, 0, 0.02);
	exited(0, 0);
	assert_true(done);
	assert_true(playlist().segments[1].discontinuity);
	ring_free(&ring);
	ring_gen_unref(&old);
}

static void
a_child_killed_at_its_end_is_replaced(void **state)
{
	media(0, 600);
	up();
	sink->ops->drain(sink);
	fed();
	exited(-1, 0);
	expect(MSG_SPAWN);
	assert_false(done);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 a250 a350 a450 v500 a550 .");
	flush(0, 0, 0.55);
	exited(0, 0);
	assert_true(done);
	assert_int_equal(playlist().nsegments, 1);
}

static void
a_stopped_video_is_given_apart_from_the_audio_after_it(void **state)
{
	struct ring_gen *old = gen;

	media(0, 1500);
	for (int ms = 1550; ms < 3500; ms += 100)
		tag(true, false, ms);
	up();
	fed();
	cut(0, 0, 1);
	gen = ring_gen_new(old);
	gen->video = false;
	sink->ops->regen(sink, ring_regen(&ring, gen));
	assert_string_equal(fed(), ".");
	flush(1, 1, 3.45);		/* does not count */
	assert_int_equal(playlist().nsegments, 1);
	exited(0, 0);
	expect(MSG_SPAWN);
	assert_int_equal(param("offset_ms"), 1000);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 .");
	flush(1, 0, 0.25);
	exited(0, 0);
	expect(MSG_SPAWN);
	assert_int_equal(param("offset_ms"), 1250);	/* came after the last frame of the video */
	assert_int_equal(param("segment_ms"), 1000);
	spawned();
	assert_memory_equal(fed(), "FLV4 ah0 a0 a100 ", 17);
	cut(2, 0, 1);
	assert_int_equal(playlist().nsegments, 3);
	assert_int_equal(sink->ops->needs(sink)->dts_ms, 2250);
	sink->ops->drain(sink);
	exited(0, 0);
	assert_true(done);
	ring_free(&ring);
	ring_gen_unref(&old);
}

static void
an_overrun_goes_on_at_the_next_key_frame(void **state)
{
	struct tag *first;

	media(0, 500);
	up();
	first = tag(false, true, 5000);
	sink->ops->overrun(sink, first);
	ring_trim(&ring, first);
	expect(MSG_OUTPUT_DOWN);
	fed();
	cut(0, 0, 0.5);			/* torn */
	exited(0, 500);
	expect(MSG_SPAWN);
	assert_int_equal(page.media.segments, 0);
	assert_int_equal(param("start_number"), 0);
	assert_int_equal(param("offset_ms"), 5000);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K ");
}

static void
a_child_that_takes_nothing_is_replaced(void **state)
{
	static const uint8_t big[60000] = { 0x27, 1 };

	media(0, 250);
	up();
	for (int i = 0; i < 40; i++) {
		struct tag *t = ring_append(&ring, gen, &video_info, big, sizeof(big));

		t->dts_ms = t->pts_ms = 300 + i;
		sink->ops->tag(sink, t);
	}
	tick();
	sink->ops->tick(sink, now_ms() + 4000);
	expect_nothing();
	sink->ops->tick(sink, now_ms() + 7000);
	expect(MSG_OUTPUT_DOWN);
}

static void
a_given_up_output_holds_nothing(void **state)
{
	media(0, 250);
	up();
	exited(1, -1);
	assert_non_null(strstr(warning, "HLS failed"));
	assert_null(sink->ops->needs(sink));
	ring_trim(&ring, NULL);
	media(1000, 1200);
	tick();
	expect_nothing();
	assert_null(sink->ops->needs(sink));
	sink->ops->drain(sink);
	assert_true(done);
}

static void
without_a_supervisor_the_end_of_the_list_is_the_end(void **state)
{
	media(0, 1250);
	up();
	msg_chan_free(&svc.control);
	sink->ops->drain(sink);
	fed();
	cut(0, 0, 1);
	flush(1, 1, 1.25);
	assert_false(done);
	close(child[CSV]);
	child[CSV] = -1;
	event_base_loop(svc.base, EVLOOP_NONBLOCK);
	assert_true(done);
	assert_int_equal(playlist().nsegments, 2);
	assert_false(playlist().ended);
	sink_hls_endlist(sink);
	assert_true(playlist().ended);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_child_gets_headers_and_the_tags_from_the_key_frame_on),
		T(only_a_cut_is_told_as_a_key_frame),
		T(audio_that_came_before_the_first_key_frame_goes_in),
		T(a_cut_segment_is_listed_by_its_key_frames),
		T(a_dead_child_costs_nothing),
		T(what_one_flushes_before_its_time_is_done_again),
		T(a_segment_is_listed_once_the_next_one_has_begun),
		T(what_it_began_before_it_died_counts),
		T(what_is_told_to_end_while_it_drains_is_replaced),
		T(audio_never_has_a_cuts_time),
		T(new_headers_end_the_child_and_start_another),
		T(a_child_killed_at_its_end_is_replaced),
		T(a_stopped_video_is_given_apart_from_the_audio_after_it),
		T(an_overrun_goes_on_at_the_next_key_frame),
		T(a_child_that_takes_nothing_is_replaced),
		T(a_given_up_output_holds_nothing),
		T(without_a_supervisor_the_end_of_the_list_is_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
