/*
 * sink_push.c with a supervisor and an ffmpeg of our own: where a push begins and goes on, what
 * it skips when its target is slow, when it is judged dead, what it asks for by codec.
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

#include "ingest/sink_push.h"
#include "util.h"

enum { IN, ERR, CHILD_FDS };

static struct board_page page;
static struct svc svc;
static struct ring ring;
static struct ring_gen *gen;
static struct sink *sink;
static int supervisor = -1, child[CHILD_FDS];
static json_t *spawn;			/* the last SPAWN */
static char reason[100], action[16];	/* of the last OUTPUT_DOWN */

static const struct flv_info video_info = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1') };
static const struct flv_info audio_info = { .type = FLV_AUDIO, .codec = FLV_FOURCC('m', 'p', '4', 'a') };
static const struct flv_info hevc_info = { .type = FLV_VIDEO, .codec = FLV_FOURCC('h', 'v', 'c', '1'), .enhanced = true };

static void
on_message(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static struct ring_gen *
new_gen(const struct flv_info *video)
{
	struct ring_gen *g = ring_gen_new(NULL);

	if (video != NULL)
		ring_gen_set(g, video, (const uint8_t *)"\x17\0VIDEO", 7);
	ring_gen_set(g, &audio_info, (const uint8_t *)"\xaf\0AUDIO", 7);
	g->settled = true;
	return g;
}

static void
use_gen(const struct flv_info *video)
{
	ring_gen_unref(&gen);
	gen = new_gen(video);
}

static int
setup(void **state)
{
	struct push_target target = { "one", 1, false };
	struct sink_env env = { .svc = &svc, .ring = &ring, .name = "alice", .app = "live" };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	supervisor = sv[1];
	svc.base = event_base_new();
	svc.control = msg_chan_new(svc.base, sv[0], on_message, NULL);
	svc.page = &page;
	svc.conf = json_pack("{s:i, s:i, s:i}", "push_batch", 33, "push_lag", 10000, "push_stuck", 5000);
	ring_init(&ring, 1 << 20);
	gen = new_gen(&video_info);
	child[IN] = child[ERR] = -1;
	sink = sink_push_new(&env, &target);
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
	if (sink != NULL)
		sink->ops->free(&sink);
	ring_free(&ring);
	assert_int_equal(gen->refs, 1);	/* nobody forgot one */
	ring_gen_unref(&gen);
	msg_chan_free(&svc.control);
	event_base_free(svc.base);
	close(supervisor);
	json_decref(svc.conf);
	json_decref(spawn);
	spawn = NULL;
	return 0;
}

static struct tag *
tag_of(bool audio, bool key, int64_t ms, size_t len)
{
	uint8_t *body = calloc(1, len);
	struct tag *t;

	body[0] = audio ? 0xaf : key ? 0x17 : 0x27;
	body[1] = 1;
	t = ring_append(&ring, gen, audio ? &audio_info : &video_info, body, len);
	free(body);
	t->dts_ms = t->pts_ms = ms;
	t->key = key;
	sink->ops->tag(sink, t);
	return t;
}

/* Video every 250 ms, a key frame each second; audio every 100 ms; from .. to - 1. */
static void
media(int64_t from, int64_t to, size_t len)
{
	for (int64_t ms = from; ms < to; ms += 50) {
		if (ms % 250 == 0)
			tag_of(false, ms % 1000 == 0, ms, len);
		if (ms % 100 == 50)
			tag_of(true, false, ms, 16);
	}
}

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
		json_decref(spawn);
		spawn = json_incref(body);
	} else if (type == MSG_EVENT)
		str_copy(reason, json_string_value(json_object_get(body, "text")), sizeof(reason));
	else {
		str_copy(reason, json_string_value(json_object_get(body, "reason")), sizeof(reason));
		str_copy(action, json_string_value(json_object_get(body, "action")), sizeof(action));
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
	int sv[2], size = 4096;

	child_gone();
	for (int i = 0; i < CHILD_FDS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
		setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		m.fds[i] = sv[0];
		child[i] = sv[1];
	}
	m.body = json_pack("{s:s, s:i, s:O}", "output", "push:one", "pid", 1, "params", json_object_get(spawn, "params"));
	sink->ops->message(sink, &m);
	json_decref(m.body);
}

static void
exited(int retry_ms)
{
	struct msg m = { .type = MSG_EXITED };

	m.body = json_pack("{s:s, s:i, s:s, s:i}", "output", "push:one", "code", 1, "reason", "test", "retry_ms", retry_ms);
	sink->ops->message(sink, &m);
	json_decref(m.body);
}

/* What the child was fed, as "v1000K a1050 ..." with its own times; "." at EOF. */
static const char *
fed(void)
{
	static char text[4000];
	static uint8_t buf[1 << 20];
	size_t have = 0, at = 0, len = 0;
	ssize_t n;

	for (;;) {
		while ((n = read(child[IN], buf + have, sizeof(buf) - have)) > 0)
			have += (size_t)n;
		if (n == 0 || event_base_loop(svc.base, EVLOOP_NONBLOCK) != 0 ||
		    recv(child[IN], buf + have, 1, MSG_PEEK) <= 0)
			break;
	}
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
tick_at(int64_t ms)
{
	sink->ops->tick(sink, now_ms() + ms);
}

static void
up(void)
{
	tick_at(100);
	expect(MSG_SPAWN);
	spawned();
}

static void
says(const char *line)
{
	assert_int_equal(write(child[ERR], line, strlen(line)), (ssize_t)strlen(line));
	event_base_loop(svc.base, EVLOOP_NONBLOCK);
}

static struct board_push
board(void)
{
	struct board_push b = { 0 };

	sink_push_board(sink, &b);
	return b;
}

static bool
param(const char *key)
{
	return json_is_true(json_object_get(json_object_get(spawn, "params"), key));
}

/* --- tests --- */

static void
all_from_the_first_key_frame_on_with_its_key_frames(void **state)
{
	media(1250, 2300, 16);
	tick_at(100);
	expect(MSG_SPAWN);
	assert_string_equal(json_string_value(json_object_get(spawn, "output")), "push:one");
	assert_true(param("video") && param("audio"));
	assert_false(param("matroska") || param("transcode_video") || param("transcode_audio"));
	media(2300, 3300, 16);		/* meanwhile */
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 a250 a350 a450 v500 a550 a650 v750 a750 a850 a950 "
	    "v1000K a1050 a1150 v1250 a1250 ");
	assert_int_equal(board().state, BOARD_PUSH_CONNECTING);
	says("[info] Output #0, flv, to 'rtmp://h/a/k':\n");
	assert_int_equal(board().state, BOARD_PUSH_UP);
	assert_int_equal(board().frames, 19);
	assert_int_equal(board().dropped, 0);
	media(3300, 3400, 16);
	tick_at(100);
	assert_string_equal(fed(), "a1350 ");
	expect(MSG_EVENT);
	assert_string_equal(reason, "");	/* it works */
	expect_nothing();
}

static void
soon_again_it_replays_the_gop(void **state)
{
	media(1000, 2600, 16);
	up();
	fed();
	says("[error] rtmp://h/a/k: Connection refused\n");
	exited(1000);
	expect(MSG_SPAWN);
	assert_string_equal(json_string_value(json_object_get(spawn, "said")), "connection refused: nothing listens there");
	assert_int_equal(board().state, BOARD_PUSH_WAITS);
	media(2600, 3300, 16);
	spawned();
	assert_non_null(strstr(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 a250 a350 a450 v500 a550 a650 v750 "));
}

static void
much_later_it_begins_at_the_newest_key_frame(void **state)
{
	media(1000, 2600, 16);
	up();
	exited(8000);
	expect(MSG_SPAWN);
	media(2600, 5300, 16);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 a150 v250 a250 ");
}

static void
what_is_needed_stays_in_the_ring(void **state)
{
	struct tag *first;

	media(1000, 1100, 16);
	first = ring.head;
	tick_at(0);
	expect(MSG_SPAWN);
	assert_ptr_equal(sink->ops->needs(sink), first);
	spawned();
	assert_ptr_equal(sink->ops->needs(sink), first);	/* for a replay */
	media(1100, 2300, 16);
	tick_at(100);
	assert_ptr_not_equal(sink->ops->needs(sink), first);
	assert_int_equal(((const struct tag *)sink->ops->needs(sink))->dts_ms, 2000);
}

static void
too_far_behind_it_goes_on_at_a_key_frame(void **state)
{
	const char *text;

	media(1000, 1300, 3000);
	up();
	media(1300, 13000, 3000);	/* nobody reads */
	assert_true(board().dropped > 20);
	assert_true(board().behind_ms <= 10000);
	for (int i = 0; i < 20; i++)
		tick_at(0);
	text = fed();
	assert_non_null(strstr(text, "FLV5 vh0 ah0 v0K "));
	assert_null(strstr(text, "v5000K"));
	assert_non_null(strstr(text, "v11000K"));
	assert_int_equal(board().behind_ms, 0);
	expect_nothing();
}

static void
it_gives_way_before_the_ring_is_full(void **state)
{
	media(1000, 1300, 16000);
	up();
	media(1300, 10500, 16000);
	assert_true(board().dropped > 0);
	while (ring.head != NULL && ring.head != sink->ops->needs(sink))
		ring_trim(&ring, sink->ops->needs(sink));
	assert_true(ring.bytes < ring.limit * 2 / 3);
}

static void
an_overrun_leaves_no_cursor_behind(void **state)
{
	struct tag *first;

	media(1000, 3300, 16);
	up();
	media(3300, 3900, 16);
	first = ring.head;
	while (first->next->next != NULL)
		first = first->next;
	sink->ops->overrun(sink, first);
	ring_trim(&ring, first);
	media(3900, 5100, 16);
	tick_at(100);
	expect(MSG_OUTPUT_DOWN);		/* no key frame to go on from */
	assert_string_equal(action, "restart");
	exited(1000);
	expect(MSG_SPAWN);
	spawned();
	assert_string_equal(fed(), "FLV5 vh0 ah0 v0K a50 ");
}

static void
one_that_takes_nothing_is_judged_dead(void **state)
{
	media(1000, 1300, 3000);
	up();
	media(1300, 3000, 3000);
	tick_at(4000);
	expect_nothing();
	tick_at(6000);
	expect(MSG_OUTPUT_DOWN);
	assert_string_equal(action, "restart");
	assert_string_equal(reason, "its target took nothing for 5 s");
	tick_at(12000);
	expect_nothing();			/* once */
	exited(1000);
	expect(MSG_SPAWN);
}

static void
a_quiet_stream_is_not_a_dead_target(void **state)
{
	media(1000, 1300, 16);
	up();
	fed();
	tick_at(60000);
	expect_nothing();
}

static void
new_headers_make_a_new_session_from_their_first_key_frame(void **state)
{
	media(1000, 1800, 16);
	up();
	use_gen(&video_info);
	media(2000, 4300, 16);
	tick_at(100);
	expect(MSG_OUTPUT_DOWN);
	assert_string_equal(action, "stop");
	assert_non_null(strstr(fed(), "v750 a750 ."));
	tick_at(100);
	expect(MSG_SPAWN);
	assert_string_equal(json_string_value(json_object_get(spawn, "said")), "");
	spawned();
	assert_non_null(strstr(fed(), "v2250 a2250 "));
}

static void
when_the_video_ends_the_sound_goes_on(void **state)
{
	struct ring_gen *sound = new_gen(NULL);

	media(1000, 1800, 16);
	for (int64_t ms = 1850; ms < 4000; ms += 100)
		tag_of(true, false, ms, 16);
	up();
	sink->ops->regen(sink, ring_regen(&ring, sound));
	ring_gen_unref(&gen);
	gen = sound;
	expect(MSG_OUTPUT_DOWN);
	assert_string_equal(action, "stop");
	tick_at(100);
	expect(MSG_SPAWN);
	assert_false(param("video"));
	assert_true(param("audio"));
	spawned();
	assert_non_null(strstr(fed(), "FLV4 ah0 a0 a100 a200 "));
}

static void
hevc_is_refused_until_it_is_h264(void **state)
{
	use_gen(&hevc_info);
	media(1000, 1800, 16);
	tick_at(100);
	expect(MSG_EVENT);
	assert_string_equal(reason, "the video is hevc, RTMP targets take H.264: set transcode: true");
	tick_at(200);
	expect_nothing();		/* once */
	assert_int_equal(board().state, BOARD_PUSH_REFUSED);
	assert_string_equal(board().reason, "the video is hevc, RTMP targets take H.264: set transcode: true");
	use_gen(&video_info);
	media(2000, 2300, 16);
	tick_at(100);
	expect(MSG_SPAWN);
	assert_int_equal(board().state, BOARD_PUSH_WAITS);
}

static void
transcode_makes_h264_of_it(void **state)
{
	struct push_target target = { "one", 1, true };
	struct sink_env env = sink->env;

	sink->ops->free(&sink);
	sink = sink_push_new(&env, &target);
	use_gen(&hevc_info);
	media(1000, 1800, 16);
	tick_at(100);
	expect(MSG_SPAWN);
	assert_true(param("transcode_video") && param("matroska"));
	assert_false(param("transcode_audio"));
}

static void
at_the_end_all_is_handed_over(void **state)
{
	media(1000, 1800, 16);
	up();
	fed();
	media(1800, 2100, 16);
	sink->ops->drain(sink);
	assert_false(sink_push_busy(sink));
	assert_string_equal(fed(), "a850 a950 v1000K a1050 .");
	exited(1000);
	expect_nothing();
}

static void
at_the_end_a_slow_one_is_busy(void **state)
{
	media(1000, 1800, 30000);
	up();
	sink->ops->drain(sink);
	assert_true(sink_push_busy(sink));
	assert_non_null(strstr(fed(), "v750 a750 ."));
	assert_false(sink_push_busy(sink));
}

static void
removed_it_says_so(void **state)
{
	media(1000, 1800, 16);
	up();
	sink_push_remove(&sink);
	assert_null(sink);
	expect(MSG_OUTPUT_DOWN);
	assert_string_equal(action, "stop");
	assert_non_null(strchr(fed(), '.'));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_from_the_first_key_frame_on_with_its_key_frames), T(soon_again_it_replays_the_gop),
		T(much_later_it_begins_at_the_newest_key_frame), T(what_is_needed_stays_in_the_ring),
		T(too_far_behind_it_goes_on_at_a_key_frame), T(it_gives_way_before_the_ring_is_full),
		T(an_overrun_leaves_no_cursor_behind), T(one_that_takes_nothing_is_judged_dead),
		T(a_quiet_stream_is_not_a_dead_target), T(new_headers_make_a_new_session_from_their_first_key_frame),
		T(when_the_video_ends_the_sound_goes_on), T(hevc_is_refused_until_it_is_h264), T(transcode_makes_h264_of_it),
		T(at_the_end_all_is_handed_over), T(at_the_end_a_slow_one_is_busy), T(removed_it_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
