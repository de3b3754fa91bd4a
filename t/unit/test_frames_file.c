/*
 * ingest/frames_file.c and workers/jobs/frames_raw.c: what is written is read again, with the WAV exact, also if a
 * crash tore it at any byte; names that clients give themselves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "be.h"
#include "ingest/frames_file.h"
#include "ingest/frames_find.h"
#include "ingest/frames_mp4.h"
#include "ingest/rec_file.h"
#include "util.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/frames_raw.h"

static char top[64], media[80];
static json_t *meta;
static struct rec_sync *rec_sync;

/* 300 x 200, with a comment in front of its frame header. */
static uint8_t jpeg[70000] = { 0xff, 0xd8 };
#define SMALL 40

static size_t
make_jpeg(uint8_t *p, unsigned comments)
{
	static const uint8_t rest[] = { 0xff, 0xc0, 0, 11, 8, 0, 200, 1, 44, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 7, 0xff, 0xd9 };
	size_t n = 2;

	while (comments-- > 0) {
		p[n++] = 0xff;
		p[n++] = 0xfe;
		p[n++] = 0x7f;
		p[n++] = 0xff;
		n += 0x7ffd;
	}
	memcpy(p + n, rest, sizeof(rest));
	return n + sizeof(rest);
}

static int
setup(void **state)
{
	static const char *const dirs[] = { "", "/video", "/audio", "/temp" };
	char path[120];

	snprintf(top, sizeof(top), "/tmp/millrace-unit-XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(media, sizeof(media), "%s/media", top);
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", media, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	meta = json_pack("{s:s, s:b, s:i}", "client", "cam", "mux", 1, "fps", 25);
	rec_sync = rec_sync_new();
	return 0;
}

static int
teardown(void **state)
{
	char command[120];

	rec_sync_free(&rec_sync);
	json_decref(meta);
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

static const char *
path_in(const char *folder, const char *name, const char *suffix)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s/%s%s", media, folder, name, suffix);
	return path;
}

/* Reads it; wav gets its sound, the whole file. */
static int
read_it(const char *path, struct frames_raw *r, uint8_t *wav, size_t size, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), out = memfd_create("wav", MFD_CLOEXEC), rc;

	memset(r, 0, sizeof(*r));
	assert_true(fd >= 0 && out >= 0);
	rc = frames_raw_read(fd, out, r);
	*len = (size_t)pread(out, wav, size, 0);
	close(fd);
	close(out);
	return rc;
}

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void
what_is_written_is_read(void **state)
{
	struct frames_file f;
	struct frames_raw r;
	uint8_t wav[200];
	char path[300];
	size_t n = make_jpeg(jpeg, 0), len;
	int fd;

	assert_int_equal(frames_file_open(&f, media, "cam", 1795269480124, meta), 0);
	assert_string_equal(f.name, "cam_1795269480124");
	snprintf(path, sizeof(path), "%s", path_in("temp", f.name, ".mkv"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	assert_int_equal(frames_file_audio(&f, (const uint8_t *)"\1", 1, 40), 0);	/* half a sample */
	assert_int_equal(frames_file_audio(&f, (const uint8_t *)"\2\3\4\5\6", 5, 50), 0);
	assert_int_equal(frames_file_video(&f, jpeg, n, 70, true), 0);
	assert_int_equal(frames_file_video(&f, jpeg, n, 70, true), 0);	/* 71: no two at once */
	assert_int_equal(frames_file_audio(&f, (const uint8_t *)"\7\x8\x9", 3, 30), 0);
	assert_int_equal(f.samples, 4);
	frames_file_close(&f, rec_sync);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(fd);

	assert_int_equal(read_it(path, &r, wav, sizeof(wav), &len), 0);
	assert_int_equal(r.frames, 2);
	assert_int_equal(r.samples, 4);
	assert_true(r.mux && r.timed);
	assert_int_equal(r.fps, 25);
	assert_int_equal(r.width, 300);
	assert_int_equal(r.height, 200);
	assert_int_equal(r.video_ms, 70);
	assert_int_equal(r.video_end_ms, 71);
	assert_int_equal(r.audio_ms, 50);
	assert_int_equal(r.torn_bytes, 0);
	assert_true(frames_raw_timed(&r));
	r.timed = false;
	r.frames = 26;
	r.video_end_ms = r.video_ms + 500;
	assert_true(frames_raw_timed(&r));	/* as they came */
	r.video_end_ms--;
	assert_false(frames_raw_timed(&r));	/* all at once */
	r.video_end_ms += 1000;
	r.mux = false;
	assert_false(frames_raw_timed(&r));
	assert_int_equal(len, 52);
	assert_memory_equal(wav + 44, "\1\2\3\4\5\6\7\x8", 8);
	assert_memory_equal(wav, "RIFF", 4);
	assert_int_equal(le32(wav + 4), 44);
	assert_memory_equal(wav + 8, "WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\x8\0\0\0", 36);
}

/* Whatever a crash left, all that is whole in it is found. */
static void
torn_anywhere(void **state)
{
	struct frames_file f;
	struct frames_raw r;
	uint8_t wav[200], whole[2000];
	size_t n = make_jpeg(jpeg, 0), len, size, head = 0;
	int64_t ends[4];
	char path[300];
	int fd;

	frames_file_open(&f, media, "cam", 1795269480124, meta);
	head = (size_t)f.bytes;
	for (int i = 0; i < 4; i++) {
		if (i % 2 == 0)
			frames_file_video(&f, jpeg, n, i, false);
		else
			frames_file_audio(&f, (const uint8_t *)"abcd", 4, i);
		ends[i] = f.bytes;
	}
	size = (size_t)f.bytes;
	snprintf(path, sizeof(path), "%s", path_in("temp", f.name, ".mkv"));
	frames_file_close(&f, rec_sync);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, whole, sizeof(whole), 0), size);
	for (size_t cut = size; cut-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		if (cut < head) {
			assert_int_equal(read_it(path, &r, wav, sizeof(wav), &len), -1);
			continue;
		}
		assert_int_equal(read_it(path, &r, wav, sizeof(wav), &len), 0);
		assert_int_equal(r.frames, (cut >= (size_t)ends[0]) + (cut >= (size_t)ends[2]));
		assert_int_equal(r.samples, 2 * ((cut >= (size_t)ends[1]) + (cut >= (size_t)ends[3])));
		assert_int_equal(len, 44 + 2 * r.samples);
		assert_int_equal(le32(wav + 40), 2 * r.samples);
	}
	/* other people's bytes */
	for (size_t i = 0; i < size; i++) {
		memset(whole + i, 0xff, 1);
		assert_int_equal(pwrite(fd, whole, size, 0), size);
		read_it(path, &r, wav, sizeof(wav), &len);
		assert_in_range(r.frames, 0, 2);
	}
	close(fd);
}

static void
a_size_behind_long_comments(void **state)
{
	struct frames_file f;
	struct frames_raw r;
	uint8_t wav[60];
	size_t len;

	frames_file_open(&f, media, "cam", 1, meta);
	frames_file_video(&f, jpeg, make_jpeg(jpeg, 2), 0, false);
	assert_int_equal(read_it(path_in("temp", f.name, ".mkv"), &r, wav, sizeof(wav), &len), 0);
	assert_int_equal(r.width, 300);
	assert_false(r.timed);
	frames_file_close(&f, rec_sync);
}

static void
no_name_twice(void **state)
{
	struct frames_file a, b, c;

	close(open(path_in("audio", "cam_6", ".wav"), O_CREAT | O_WRONLY, 0600));
	frames_file_open(&a, media, "cam", 5, meta);
	frames_file_open(&b, media, "cam", 5, meta);
	close(open(path_in("video", "cam_8", ".mp4"), O_CREAT | O_WRONLY, 0600));
	frames_file_open(&c, media, "cam", 5, meta);
	assert_string_equal(a.name, "cam_5");
	assert_string_equal(b.name, "cam_7");
	assert_string_equal(c.name, "cam_9");
	frames_file_close(&a, rec_sync);
	frames_file_close(&b, rec_sync);
	frames_file_close(&c, rec_sync);
}

/* No room: the file ends with the last whole frame, and goes on later. */
static void
a_full_disk(void **state)
{
	struct rlimit old, small;
	struct frames_file f;
	struct frames_raw r;
	uint8_t wav[60];
	size_t n = make_jpeg(jpeg, 0), len;

	frames_file_open(&f, media, "cam", 5, meta);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = (rlim_t)f.bytes + 40;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(frames_file_video(&f, jpeg, n, 0, false), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(f.frames, 0);
	assert_int_equal(frames_file_video(&f, jpeg, n, 5, false), 0);
	assert_int_equal(read_it(path_in("temp", f.name, ".mkv"), &r, wav, sizeof(wav), &len), 0);
	assert_int_equal(r.frames, 1);
	assert_int_equal(r.torn_bytes, 0);
	frames_file_close(&f, rec_sync);
}

/* The WAV has no room for all of the sound: that is told, or what it was made of would go. */
static void
a_full_disk_for_the_wav(void **state)
{
	static const uint8_t sound[1000];
	struct rlimit old, small;
	struct frames_file f;
	struct frames_raw r;
	int fd, wav, rc, error;

	frames_file_open(&f, media, "cam", 5, meta);
	frames_file_audio(&f, sound, sizeof(sound), 0);
	fd = open(path_in("temp", f.name, ".mkv"), O_RDONLY | O_CLOEXEC);
	wav = open(path_in("audio", "x", ".wav"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 20; room < 1044; room += 500) {	/* for half of its head, and of its sound */
		small = old;
		small.rlim_cur = room;
		setrlimit(RLIMIT_FSIZE, &small);
		memset(&r, 0, sizeof(r));
		assert_int_equal(ftruncate(wav, 0), 0);
		errno = 0;
		rc = frames_raw_read(fd, wav, &r);
		error = errno;
		setrlimit(RLIMIT_FSIZE, &old);
		assert_int_equal(rc, -1);
		assert_true(error == ENOSPC || error == EFBIG);
	}
	close(fd);
	close(wav);
	frames_file_close(&f, rec_sync);
}

static void
client_names(void **state)
{
	static const char *const same[] = { "cam", "Cam-1.x_y", "17", "_" };
	static const struct { const char *id, *start; } changed[] = { { "two words", "two_words-" }, { "../../etc", "_._.._etc-" },
		{ ".hidden", "_hidden-" }, { "a/b", "a_b-" }, { "$(rm -r /)", "__rm_-r___-" }, { "\xc3\xa9", "__-" } };
	char out[FRAMES_CLIENT_MAX + 1], other[FRAMES_CLIENT_MAX + 1], text[100];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		frames_client_name(same[i], strlen(same[i]), out);
		assert_string_equal(out, same[i]);
	}
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		frames_client_name(changed[i].id, strlen(changed[i].id), out);
		if (strncmp(out, changed[i].start, strlen(changed[i].start)) != 0 || strlen(out) != strlen(changed[i].start) + 8)
			fail_msg("%s became %s", changed[i].id, out);
	}
	frames_client_name("a/b", 3, out);
	frames_client_name("a b", 3, other);
	assert_string_not_equal(out, other);
	memset(text, 'x', sizeof(text));
	frames_client_name(text, FRAMES_CLIENT_MAX, out);
	assert_int_equal(strlen(out), FRAMES_CLIENT_MAX);
	assert_null(strchr(out, '-'));
	frames_client_name(text, sizeof(text), out);
	assert_int_equal(strlen(out), FRAMES_CLIENT_MAX);
	assert_non_null(strchr(out, '-'));
	frames_client_name("", 0, out);
	frames_client_name("", 0, other);
	assert_memory_equal(out, "client-", 7);
	assert_string_not_equal(out, other);
}

static void
paths_of_jobs(void **state)
{
	static const char *const bad[] = { "media/temp/cam.mkv", "media/temp/cam_.mkv", "media/temp/cam_1x.mkv", "media/temp/.cam_1.mkv",
		"media/temp/cam_1.flv", "media/temp/a/b_1.mkv", "media/video/cam_1.mkv", "media/temp/../../x_1.mkv", "", ".mkv",
		"media/temp/_1.mkv", "media/temp/a b_1.mkv" };
	struct frames_raw r;

	assert_int_equal(frames_raw_parse_path("media/temp/cam_x_17.mkv", &r), 0);
	assert_string_equal(r.name, "cam_x_17");
	assert_string_equal(r.client, "cam_x");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (frames_raw_parse_path(bad[i], &r) == 0)
			fail_msg("taken: %s", bad[i]);
}

static void
what_is_played(void **state)
{
	static const char *const audio[] = { "cam_5.wav", "cam_12.wav", "cam_100.wav.tmp", "cam_x_999.wav", "came_77.wav", "cam_.wav",
		".cam_99.wav" };
	char found[FRAMES_FOUND_MAX];

	assert_int_equal(frames_find_latest(top, "cam", found), -1);
	for (size_t i = 0; i < sizeof(audio) / sizeof(audio[0]); i++)
		close(open(path_in("audio", audio[i], ""), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(frames_find_latest(top, "cam", found), 0);
	assert_string_equal(found, "media/audio/cam_12.wav");
	assert_int_equal(frames_find_named(top, "cam_5.wav", 9, found), 0);
	assert_string_equal(found, "media/audio/cam_5.wav");
	assert_int_equal(frames_find_named(top, "cam_5.mp4", 9, found), -1);
	assert_int_equal(frames_find_named(top, "cam_6.wav", 9, found), -1);
	assert_int_equal(frames_find_named(top, "../audio/cam_5.wav", 18, found), -1);
	assert_int_equal(frames_find_named(top, ".cam_99.wav", 11, found), -1);
	assert_int_equal(frames_find_named(top, "cam_5.wav\0x", 11, found), -1);
	assert_int_equal(frames_find_named(top, "", 0, found), -1);
}

/* A box of `len` bytes around what is in `content`; its end. */
static uint8_t *
box(uint8_t *p, const char *kind, const uint8_t *content, size_t len)
{
	memmove(p + 8, content, len);
	be_put(p, 4, len + 8);
	memcpy(p + 4, kind, 4);
	return p + len + 8;
}

static void
what_an_mp4_counts(void **state)
{
	static const char *const around[] = { "stbl", "minf", "mdia", "trak", "moov" };
	static const uint8_t stsz[12] = { [10] = 1, [11] = 2 }, other[30];
	uint8_t mp4[400], inner[400];
	const char *path = path_in("video", "x", ".mp4");
	size_t len = (size_t)(box(mp4, "stsz", stsz, sizeof(stsz)) - mp4);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		memcpy(inner, mp4, len);
		memcpy(box(mp4, "free", other, i * 3), inner, len);	/* something in front of it */
		len += i * 3 + 8;
		len = (size_t)(box(mp4, around[i], mp4, len) - mp4);
	}
	assert_int_equal(pwrite(fd, mp4, len, 0), len);
	assert_int_equal(frames_mp4_count(path), 258);
	for (size_t cut = len; cut-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		assert_int_equal(frames_mp4_count(path), -1);
	}
	close(fd);
	assert_int_equal(frames_mp4_count(path_in("video", "y", ".mp4")), -1);
}

/* Beside the loop: names of those that nobody writes; what never had a name goes. */
static void
a_look_for_sessions(void **state)
{
	struct frames_look *l = xcalloc(1, sizeof(*l));
	struct frames_file a, b;
	char unnamed[300];

	snprintf(l->data_dir, sizeof(l->data_dir), "%s", top);
	frames_file_open(&a, media, "cam", 5, meta);
	frames_file_open(&b, media, "two", 6, meta);
	frames_file_close(&b, rec_sync);
	snprintf(unnamed, sizeof(unnamed), "%s", path_in("temp", ".cam_5", ".new"));
	close(open(unnamed, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(open(path_in("temp", "other", ".txt"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	frames_look_work(l);
	assert_int_equal(l->n, 1);
	assert_string_equal(l->files[0], "media/temp/two_6.mkv");
	assert_int_equal(access(unnamed, F_OK), 0);	/* its ingest may be about to name it */
	assert_int_equal(utimensat(AT_FDCWD, unnamed, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), 0);
	free(l->files);
	l->files = NULL;
	l->n = 0;
	frames_look_work(l);
	assert_int_equal(access(unnamed, F_OK), -1);
	frames_look_free(&l);
	frames_file_close(&a, rec_sync);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read), T(torn_anywhere), T(a_size_behind_long_comments), T(no_name_twice), T(a_full_disk),
		T(a_full_disk_for_the_wav), T(client_names), T(paths_of_jobs), T(what_is_played), T(what_an_mp4_counts), T(a_look_for_sessions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
