/* hls_state.c and hls_list.c: the playlist's text, state there and back, what rolls out, what is deleted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hls_state.h"
#include "ingest/hls_list.h"
#include "util.h"

static char dir[64];
static struct hls_list list;

static int
setup(void **state)
{
	strcpy(dir, "/tmp/millrace-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	memset(&list, 0, sizeof(list));
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(hls_dir_remove(dir), 0);
	return 0;
}

static bool
there(const char *file)
{
	char path[200];

	assert_int_equal(path_join(path, sizeof(path), dir, file), 0);
	return access(path, F_OK) == 0;
}

static void
touch(const char *file)
{
	char path[200];
	int fd;

	assert_int_equal(path_join(path, sizeof(path), dir, file), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	close(fd);
}

static void
add(unsigned number, int64_t duration_us)
{
	char uri[64];

	snprintf(uri, sizeof(uri), "s1_%06u.ts", number);
	touch(uri);
	hls_list_add(&list, uri, duration_us, 1700000000000 + number * 1000, number * 1000 + 1000);
	list.listed_ms[list.state.nsegments - 1] = 0;	/* long ago: it may roll out */
}

static void
has(const char *what, bool yes)
{
	char path[200], *text;

	path_join(path, sizeof(path), dir, "live.m3u8");
	text = file_read(path, 65536, NULL);
	assert_non_null(text);
	if ((strstr(text, what) != NULL) != yes)
		fail_msg("%s %s in:\n%s", what, yes ? "is not" : "is", text);
	free(text);
}

static void
the_text_is_as_rfc_8216_wants_it(void **state)
{
	struct hls_state s = { .first_sequence = 7, .discontinuity_sequence = 2, .target_sec = 2, .nsegments = 2,
		.segments = {
			{ .uri = "s1_000007.ts", .duration_us = 2000000, .wall_ms = 1700000000000 },
			{ .uri = "s2_000008.ts", .duration_us = 1033333, .wall_ms = 1700000002000, .discontinuity = true },
		} };
	char *text = hls_playlist_render(&s, false);

	assert_string_equal(text, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n"
	    "#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-INDEPENDENT-SEGMENTS\n"
	    "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n#EXTINF:2.000000,\ns1_000007.ts\n"
	    "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z\n#EXTINF:1.033333,\n"
	    "s2_000008.ts\n");
	free(text);
	text = hls_playlist_render(&s, true);
	assert_non_null(strstr(text, "s2_000008.ts\n#EXT-X-ENDLIST\n"));
	free(text);
	s.discontinuity_sequence = 0;
	str_copy(s.segments[1].uri, "s2_000008.m4s", sizeof(s.segments[1].uri));
	text = hls_playlist_render(&s, false);
	assert_non_null(strstr(text, "#EXT-X-VERSION:7\n"));
	assert_non_null(strstr(text, "s1_000007.ts\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"s2_init.mp4\"\n#EXT-X-PRO"));
	assert_null(strstr(text, "s1_init"));
	assert_true(hls_state_names(&s, "s2_init.mp4"));
	assert_false(hls_state_names(&s, "s1_init.mp4"));
	assert_true(hls_state_fmp4(&s));
	assert_null(strstr(text, "DISCONTINUITY-SEQUENCE"));
	free(text);
}

static void
the_state_comes_back_as_it_was(void **state)
{
	struct hls_state s = { .name = "alice", .app = "live", .first_sequence = 5, .next_sequence = 7,
		.discontinuity_sequence = 1, .target_sec = 3, .next_ts_ms = 123456789012, .segment_ms = 1000,
		.ended = true, .nsegments = 1,
		.segments = { { .uri = "s1_000006.ts", .duration_us = 999, .wall_ms = 5, .discontinuity = true } },
		.nold = 1, .old = { "s1_000005.ts" } }, back;

	assert_int_equal(hls_state_write(dir, &s), 0);
	assert_int_equal(hls_state_read(dir, &back), 0);
	assert_memory_equal(&s, &back, sizeof(s));
}

static void
no_or_a_damaged_state_is_an_error(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{\"name\":5}",
		"{\"name\":\"a\",\"segments\":[{\"uri\":\"../x\"}]}", "{\"name\":\"a\",\"old\":[\"/etc/passwd\"]}",
		"{\"name\":\"a\",\"segments\":[{}]}" };
	struct hls_state s;
	char path[200];

	assert_int_equal(hls_state_read(dir, &s), -1);
	assert_int_equal(errno, ENOENT);
	path_join(path, sizeof(path), dir, "state");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_replace(path, bad[i], strlen(bad[i])), 0);
		assert_int_equal(hls_state_read(dir, &s), -1);
		assert_int_equal(errno, EBADMSG);
	}
}

static void
a_full_window_rolls_and_keeps_some_files(void **state)
{
	assert_false(hls_list_open(&list, dir, "alice", "live", 1000, 3, 2));
	for (unsigned i = 0; i < 7; i++)
		add(i, 1000000);
	has("#EXT-X-MEDIA-SEQUENCE:4\n", true);
	has("s1_000003.ts", false);
	has("s1_000006.ts", true);
	assert_false(there("s1_000001.ts"));
	assert_true(there("s1_000002.ts"));
	assert_true(there("s1_000003.ts"));
}

static void
discontinuities_are_counted_as_they_roll_out(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	for (unsigned i = 0; i < 5; i++) {
		list.discontinuity = i == 1 || i == 2;
		add(i, 1000000);
	}
	has("#EXT-X-MEDIA-SEQUENCE:2\n", true);
	has("#EXT-X-DISCONTINUITY-SEQUENCE:1\n", true);
	has("#EXT-X-DISCONTINUITY\n", true);
	add(5, 1000000);
	has("#EXT-X-DISCONTINUITY-SEQUENCE:2\n", true);
	has("#EXT-X-DISCONTINUITY\n", false);
}

static void
many_at_once_stay_for_a_while(void **state)
{
	char uri[64];

	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(uri, sizeof(uri), "s1_%06u.ts", i);
		hls_list_add(&list, uri, 1000000, 0, 0);
	}
	has("#EXT-X-MEDIA-SEQUENCE:0\n", true);
	has("s1_000009.ts", true);
}

/* RFC 8216 6.2.2: nothing may leave while the rest is shorter than three targets. */
static void
short_segments_after_a_long_one_stay_for_three_targets(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	add(0, 10000000);
	has("#EXT-X-TARGETDURATION:10\n", true);
	for (unsigned i = 1; i <= 29; i++)
		add(i, 1000000);
	has("#EXT-X-MEDIA-SEQUENCE:0\n", true);
	add(30, 1000000);
	has("#EXT-X-MEDIA-SEQUENCE:1\n", true);
	for (unsigned i = 31; i < 40; i++)
		add(i, 1000000);
	has("#EXT-X-MEDIA-SEQUENCE:10\n", true);
}

static void
the_target_covers_every_segment_and_never_falls(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	add(0, 1033000);
	has("#EXT-X-TARGETDURATION:2\n", true);
	add(1, 2490000);
	has("#EXT-X-TARGETDURATION:2\n", true);
	add(2, 2500000);
	has("#EXT-X-TARGETDURATION:3\n", true);
	add(3, 500000);
	has("#EXT-X-TARGETDURATION:3\n", true);
}

static void
it_goes_on_where_it_stopped_with_one_discontinuity(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	for (unsigned i = 0; i < 5; i++)
		add(i, 1000000);
	touch("s1_000005.ts");	/* was never announced */
	assert_true(hls_list_open(&list, dir, "alice", "live", 1000, 3, 1));
	assert_false(there("s1_000005.ts"));
	assert_true(there("s1_000001.ts"));
	assert_true(there("s1_000004.ts"));
	assert_int_equal(list.state.next_sequence, 5);
	assert_int_equal(list.state.next_ts_ms, 5000);
	for (int i = 0; i < list.state.nsegments; i++)
		list.listed_ms[i] = 0;
	add(5, 1000000);
	has("#EXT-X-MEDIA-SEQUENCE:3\n", true);
	has("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:25.000Z\n#EXTINF:1.000000,\ns1_000005.ts",
	    true);
}

static void
after_its_end_another_one_begins(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	add(0, 1000000);
	hls_list_write(&list, true);
	has("#EXT-X-ENDLIST", true);
	assert_false(hls_list_open(&list, dir, "alice", "live", 1000, 3, 1));
	assert_int_equal(list.state.next_sequence, 0);
	assert_false(there("live.m3u8"));
	assert_false(there("s1_000000.ts"));
}

static void
dates_follow_the_durations_unless_the_clock_was_set(void **state)
{
	hls_list_open(&list, dir, "alice", "live", 1000, 3, 1);
	hls_list_add(&list, "s1_000000.ts", 1000000, 1700000000000, 0);
	hls_list_add(&list, "s1_000001.ts", 1000000, 1700000001250, 0);
	has("#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:21.000Z\n", true);
	hls_list_add(&list, "s1_000002.ts", 1000000, 1700000100000, 0);
	has("#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:15:00.000Z\n", true);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_text_is_as_rfc_8216_wants_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_state_comes_back_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(no_or_a_damaged_state_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_window_rolls_and_keeps_some_files, setup, teardown),
		cmocka_unit_test_setup_teardown(discontinuities_are_counted_as_they_roll_out, setup, teardown),
		cmocka_unit_test_setup_teardown(many_at_once_stay_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(short_segments_after_a_long_one_stay_for_three_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(the_target_covers_every_segment_and_never_falls, setup, teardown),
		cmocka_unit_test_setup_teardown(it_goes_on_where_it_stopped_with_one_discontinuity, setup, teardown),
		cmocka_unit_test_setup_teardown(after_its_end_another_one_begins, setup, teardown),
		cmocka_unit_test_setup_teardown(dates_follow_the_durations_unless_the_clock_was_set, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
