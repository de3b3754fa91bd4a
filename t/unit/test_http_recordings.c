/* accept.c, record.c, record_scan.c: who wants HTML; what names and heads of recordings say; the bounded list. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"
#include "workers/http/accept.h"
#include "workers/http/record_scan.h"

#define PATTERN "recordings/{stream}/{start}.mp4"

static void
who_wants_html(void **state)
{
	static const char *const html[] = { "text/html", "Text/HTML;q=0.5",
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
		"application/json;q=0.4, text/html;q=0.5", "text/*", "*/*;q=0.1, text/html ; level=1 ; q=0.25",
		"*/*, application/json;q=0.999" };
	static const char *const json[] = { "", "*/*", "application/json", "application/*", "text/html;q=0",
		"application/json, text/html;q=0.9", "text/html, application/json", "text/html;q=0.5, */*;q=0.8",
		"nonsense", ";;;,,,", "text/html;q=", "text/html;q" "=0.", "text/htm", "text/html2" };

	assert_false(accept_prefers_html(NULL));
	for (size_t i = 0; i < sizeof(html) / sizeof(html[0]); i++)
		if (!accept_prefers_html(html[i]))
			fail_msg("not HTML: %s", html[i]);
	for (size_t i = 0; i < sizeof(json) / sizeof(json[0]); i++)
		if (accept_prefers_html(json[i]))
			fail_msg("HTML: %s", json[i]);
}

static void
names(void **state)
{
	static const char *const good[] = { "a.mp4", "alice/20261121T135800.123Z.mp4", "a/b/c/d", "two words/\xc3\xa9.mp4" };
	static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.b", ".a/b",
		"a\nb", "a\x7f", "\xff", "a/\xc3" };
	char text[400];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(record_file_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (record_file_ok(bad[i]))
			fail_msg("taken: %s", bad[i]);
	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	assert_false(record_file_ok(text));
	text[256] = 'a';
	text[200] = '/';
	text[RECORD_FILE_MAX - 1] = '\0';
	assert_true(record_file_ok(text));
	text[RECORD_FILE_MAX - 1] = 'a';
	text[RECORD_FILE_MAX] = '\0';
	assert_false(record_file_ok(text));
	assert_null(record_type_of("a.tmp"));
	assert_null(record_type_of("mp4"));
	assert_null(record_type_of("a.flv"));
	assert_string_equal(record_type_of("x/a.MP4")->type, "video/mp4");
	assert_true(record_type_of("a.wav")->audio);
}

static void
what_names_say(void **state)
{
	static const struct { const char *pattern, *file, *stream; int64_t ms; } cases[] = {
		{ PATTERN, "alice/20261121T135800.123Z.mp4", "alice", 1795269480123 },
		{ PATTERN, "alice/20261121T135800.123Z.m4a", "alice", 1795269480123 },
		{ PATTERN, "alice/nothing.mp4", "alice", -1 },
		{ PATTERN, "alice/2026-11-21/20261121T135800.123Z.mp4", "alice", 1795269480123 },
		{ PATTERN, "20261121T135800.123Z.mp4", "", 1795269480123 },
		{ PATTERN, "my show/film.mp4", "", -1 },
		{ "recordings/{date}/{stream}-{start}.mp4", "2026-11-21/a-b-20261121T135800.123Z.mp4", "a-b", 1795269480123 },
		{ "recordings/{start}/{stream}/{stream}.mp4", "20261121T135800.123Z/a.b/a.b.mp4", "a.b", 1795269480123 },
		{ "recordings/{start}/{stream}/{stream}.mp4", "20261121T135800.123Z/a/b.mp4", "20261121T135800.123Z", -1 },
		{ "recordings/{date}/{start}.mp4", "2026-11-21/20261121T135800.123Z.mp4", "", 1795269480123 },
		{ "", "alice/20261121T135800.123Z.mp4", "alice", 1795269480123 },
	};
	char stream[STREAM_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(record_describe(cases[i].pattern, cases[i].file, stream), cases[i].ms);
		assert_string_equal(stream, cases[i].stream);
	}
}

static void
what_heads_say(void **state)
{
	static const uint8_t mp4[] = "\0\0\0\x10" "ftypisom\0\0\0\0" "\0\0\x10\0" "moov" "\0\0\0\x6c" "mvhd"
	    "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\x03\xe8" "\0\0\x30\x39" "\0\1\0\0" "\1\0\0\0\0\0\0\0\0\0\0\0";
	uint8_t copy[sizeof(mp4)];

	assert_int_equal(record_mp4_ms(mp4, sizeof(mp4)), 12345);
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(record_mp4_ms(mp4, n), -1);
	memcpy(copy, mp4, sizeof(mp4));
	copy[47] = copy[46] = 0;			/* a time scale of 0 */
	assert_int_equal(record_mp4_ms(copy, sizeof(copy)), -1);
	memcpy(copy, mp4, sizeof(mp4));
	copy[3] = 4;					/* a box smaller than its head */
	assert_int_equal(record_mp4_ms(copy, sizeof(copy)), -1);
}

/* --- the list --- */

static void
make(const char *top, const char *file)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, file);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void
the_list(void **state)
{
	struct record_scan scan = { .pattern = PATTERN, .max = 3 };
	struct record_list *first;
	char path[600], top[600], alice[600], text[400] = "";
	struct dirent *e;
	DIR *d;
	struct stat a, b;

	snprintf(scan.data_dir, sizeof(scan.data_dir), "/tmp/millrace-unit-XXXXXX");
	assert_non_null(mkdtemp(scan.data_dir));
	snprintf(top, sizeof(top), "%.500s/recordings", scan.data_dir);
	assert_int_equal(mkdir(top, 0700), 0);
	snprintf(alice, sizeof(alice), "%.500s/alice", top);
	assert_int_equal(mkdir(alice, 0700), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "alice/202611%02dT135800.123Z.mp4", i + 1);
		make(top, path);
	}
	make(top, "alice/.20261122T135800.123Z.mp4");
	make(top, "alice/20261122T135800.123Z.mp4.tmp");
	snprintf(path, sizeof(path), "%.500s/alice/20261123T135800.123Z.mp4", top);
	assert_int_equal(symlink("/etc/passwd", path), 0);

	assert_int_equal(record_scan(&scan), 0);
	first = scan.list;
	assert_int_equal(first->n, 3);
	assert_int_equal(first->total, 20);
	assert_string_equal(first->r[0].file, "alice/20261120T135800.123Z.mp4");
	assert_string_equal(first->r[2].file, "alice/20261118T135800.123Z.mp4");
	assert_true(pread(first->text_fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "{\"video\":[\"alice/20261120T135800.123Z.mp4\",\"alice/20261119T135800.123Z.mp4\","
	    "\"alice/20261118T135800.123Z.mp4\"],\"audio\":[]}");

	scan.old = first;			/* nothing is new: the same text, the same ETag */
	assert_int_equal(record_scan(&scan), 0);
	assert_int_equal(fstat(first->text_fd, &a) | fstat(scan.list->text_fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	record_list_free(&scan.list);
	make(top, "alice/20261124T135800.123Z.wav");
	assert_int_equal(record_scan(&scan), 0);
	assert_int_equal(fstat(scan.list->text_fd, &b), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
	record_list_free(&scan.list);
	record_list_free(&first);

	assert_non_null(d = opendir(alice));
	while ((e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	assert_int_equal(rmdir(alice), 0);
	scan.old = NULL;
	assert_int_equal(rmdir(top) | rmdir(scan.data_dir), 0);
	assert_int_equal(record_scan(&scan), 0);	/* no folder: nothing was recorded */
	assert_int_equal(scan.list->n, 0);
	record_list_free(&scan.list);
	make("/tmp", strrchr(scan.data_dir, '/') + 1);	/* something else */
	assert_int_equal(record_scan(&scan), -1);
	assert_null(scan.list);
	unlink(scan.data_dir);
}

/* What frames sessions made stands beside it, under its bare name. */
static void
the_list_has_frames_sessions(void **state)
{
	static const char *const dirs[] = { "recordings", "media", "media/video", "media/audio" };
	static const char *const files[] = { "recordings/20261121T135800.123Z.mp4", "media/video/cam_1_1795269480124.mp4",
		"media/video/.cam_1_1795269480125.mp4.tmp", "media/audio/cam_1_1795269480124.wav" };
	struct record_scan scan = { .pattern = PATTERN, .max = 10 };
	char path[600], text[400] = "";

	snprintf(scan.data_dir, sizeof(scan.data_dir), "/tmp/millrace-unit-XXXXXX");
	assert_non_null(mkdtemp(scan.data_dir));
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%.500s/%s", scan.data_dir, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make(scan.data_dir, files[i]);
	assert_int_equal(record_scan(&scan), 0);
	assert_int_equal(scan.list->n, 3);
	assert_true(pread(scan.list->text_fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "{\"video\":[\"cam_1_1795269480124.mp4\",\"20261121T135800.123Z.mp4\"],\"audio\":["
	    "\"cam_1_1795269480124.wav\"]}");
	assert_string_equal(scan.list->r[0].stream, "cam_1");
	record_list_free(&scan.list);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%.500s/%s", scan.data_dir, files[i]);
		unlink(path);
	}
	for (int i = 3; i >= 0; i--) {
		snprintf(path, sizeof(path), "%.500s/%s", scan.data_dir, dirs[i]);
		assert_int_equal(rmdir(path), 0);
	}
	rmdir(scan.data_dir);
}

static void
frames_sessions_names_and_sound(void **state)
{
	uint8_t wav[44] = "RIFF....WAVEfmt ";
	char stream[STREAM_NAME_MAX + 1];

	assert_int_equal(record_describe_media("cam_1_1795269480124.mp4", stream), 1795269480124);
	assert_string_equal(stream, "cam_1");
	assert_int_equal(record_describe_media("film_17.mp4", stream), -1);
	assert_int_equal(record_describe_media("film.mp4", stream), -1);
	assert_string_equal(record_media_folder("a_1.mp4"), "media/video");
	assert_string_equal(record_media_folder("a_1.wav"), "media/audio");
	assert_null(record_media_folder("x/a_1.wav"));
	assert_null(record_media_folder("a_1.mkv"));
	memcpy(wav + 36, "data", 4);
	wav[29] = 1;			/* 256 bytes a second */
	wav[41] = 2;			/* 512 bytes */
	assert_int_equal(record_wav_ms(wav, sizeof(wav)), 2000);
	assert_int_equal(record_wav_ms(wav, sizeof(wav) - 1), -1);
	wav[29] = 0;
	assert_int_equal(record_wav_ms(wav, sizeof(wav)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_wants_html), cmocka_unit_test(names), cmocka_unit_test(what_names_say),
		cmocka_unit_test(what_heads_say), cmocka_unit_test(the_list),
		cmocka_unit_test(the_list_has_frames_sessions), cmocka_unit_test(frames_sessions_names_and_sound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
