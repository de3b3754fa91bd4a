/* sink_rec.c, rec_sync.c: what ends up in which raw file, their locks, a disk without room, and one that takes nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ingest/rec_file.h"
#include "ingest/sink_rec.h"
#include "lib/util.h"

static struct svc svc;
static struct ring ring;
static struct ring_gen *gen;
static struct sink *sink;
static int supervisor = -1;
static char dir[64], warning[200];
static int warnings;

/* A disk that is slow or fails is the kernel's to make: here is its door. */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static int disk_error, synced_fd;

int
fdatasync(int fd)
{
	int rc;

	pthread_mutex_lock(&disk);
	synced_fd = fd;
	rc = disk_error == 0 ? (int)syscall(SYS_fdatasync, fd) : -1;
	if (disk_error != 0)
		errno = disk_error;
	pthread_mutex_unlock(&disk);
	return rc;
}

static void
set_disk_error(int error)
{
	pthread_mutex_lock(&disk);
	disk_error = error;
	pthread_mutex_unlock(&disk);
}

static const struct flv_info video_info = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1') };
static const struct flv_info audio_info = { .type = FLV_AUDIO, .codec = FLV_FOURCC('m', 'p', '4', 'a') };

static void
on_warn(void *ctx, const char *text)
{
	str_copy(warning, text, sizeof(warning));
	warnings++;
}

static void
on_message(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static void
reserve(json_int_t bytes)
{
	json_object_set_new(json_object_get(svc.conf, "disk"), "reserve", json_integer(bytes));
}

static int
setup(void **state)
{
	struct sink_env env = { .svc = &svc, .ring = &ring, .name = "alice", .app = "live", .dir = dir, .warn = on_warn };
	int sv[2];

	strcpy(dir, "/tmp/test_sink_rec.XXXXXX");
	if (mkdtemp(dir) == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return -1;
	warning[0] = '\0';
	warnings = 0;
	svc.base = event_base_new();
	svc.control = msg_chan_new(svc.base, sv[0], on_message, NULL);
	supervisor = sv[1];
	svc.conf = json_pack("{s:{s:i}, s:{s:{s:i, s:i, s:i}}}", "disk", "reserve", 0, "streams", "record", "split", 2000,
	    "split_size", 0, "sync", 100);
	ring_init(&ring, 1 << 20);
	gen = ring_gen_new(NULL);
	ring_gen_set(gen, &video_info, (const uint8_t *)"\x17\0\0\0\0avcC", 9);
	ring_gen_set(gen, &audio_info, (const uint8_t *)"\xaf\0\x11\x90", 4);
	gen->settled = true;
	sink = sink_rec_new(&env);
	return sink == NULL;
}

static int
teardown(void **state)
{
	char command[100];

	sink->ops->free(&sink);
	ring_free(&ring);
	ring_gen_unref(&gen);
	msg_chan_free(&svc.control);
	event_base_free(svc.base);
	close(supervisor);
	json_decref(svc.conf);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void
tag(bool audio, bool key, int64_t ms)
{
	uint8_t body[16] = { audio ? 0xaf : key ? 0x17 : 0x27, 1 };
	struct tag *t = ring_append(&ring, gen, audio ? &audio_info : &video_info, body, sizeof(body));

	t->dts_ms = t->pts_ms = ms;
	t->key = key;
	t->wall_ms = 1700000000000 + ms;
	sink->ops->tag(sink, t);
}

/* Video every 500 ms, a key frame each second, audio between them; from .. to - 1. */
static void
media(int64_t from, int64_t to)
{
	for (int64_t ms = from; ms < to; ms += 250)
		tag(ms % 500 != 0, ms % 1000 == 0, ms);
}

static void
tick(void)
{
	sink->ops->tick(sink, now_ms());
	ring_trim(&ring, sink->ops->needs(sink));
}

/* "a250 v500 ..." of the n-th file by name, K for key frames. */
static const char *
file(int n, bool *locked)
{
	static char text[1000];
	struct dirent **names;
	int count = scandir(dir, &names, NULL, alphasort), fd;
	uint8_t buf[20000], *p;
	char path[400];
	ssize_t len;

	text[0] = '\0';
	if (n + 2 < count) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[n + 2]->d_name);
		fd = open(path, O_RDONLY);
		len = read(fd, buf, sizeof(buf));
		*locked = flock(fd, LOCK_SH | LOCK_NB) < 0;
		close(fd);
		assert_memory_equal(buf, "FLV\1\5", 5);
		for (p = buf + 13; p < buf + len; p += 15 + (p[1] << 16 | p[2] << 8 | p[3]))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%c%s%d%s ", p[0] == 9 ? 'v' : 'a',
			    p[12] == 0 ? "h" : "", p[4] << 16 | p[5] << 8 | p[6], p[11] == 0x17 && p[12] ? "K" : "");
		assert_ptr_equal(p, buf + len);		/* whole tags only */
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return text;
}

static void
is_file(int n, const char *want, bool want_locked)
{
	bool locked = false;

	assert_string_equal(file(n, &locked), want);
	assert_int_equal(locked, want_locked);
}

static void
expect_recorded(void)
{
	uint16_t type = 0;
	json_t *body = NULL;
	uint32_t id;

	event_base_loop(svc.base, EVLOOP_NONBLOCK);
	assert_int_not_equal(msg_read(supervisor, 20, &type, &id, &body), -1);
	assert_int_equal(type, MSG_EVENT);
	assert_string_equal(json_string_value(json_object_get(body, "event")), "recorded");
	assert_memory_equal(json_string_value(json_object_get(body, "file")), "rec/alice/2023", 14);
	json_decref(body);
}

static void
all_that_came_is_in_the_file_at_once(void **state)
{
	media(0, 1000);
	tick();
	is_file(0, "vh0 ah0 v0K a250 v500 a750 ", true);
	assert_null(sink->ops->needs(sink));
	media(1000, 1500);
	sink->ops->drain(sink);
	is_file(0, "vh0 ah0 v0K a250 v500 a750 v1000K a1250 ", false);
	expect_recorded();
}

static void
it_is_split_at_a_key_frame(void **state)
{
	media(0, 1750);
	tick();
	media(1750, 3250);		/* 2,000 is a key frame */
	tick();
	is_file(0, "vh0 ah0 v0K a250 v500 a750 v1000K a1250 v1500 a1750 ", false);
	is_file(1, "vh0 ah0 v0K a250 v500 a750 v1000K ", true);
	expect_recorded();
}

/* Also a size that not even the headers keep: a key frame a file, none without. */
static void
it_is_split_by_size(void **state)
{
	json_t *conf = json_object_get(json_object_get(svc.conf, "streams"), "record");

	json_object_set_new(conf, "split", json_integer(0));
	json_object_set_new(conf, "split_size", json_integer(150));	/* a frame has 31 bytes */
	media(0, 1000);
	tick();
	media(1000, 4250);
	tick();
	is_file(0, "vh0 ah0 v0K a250 v500 a750 ", false);
	json_object_set_new(conf, "split_size", json_integer(1));
	media(4250, 5250);
	tick();
	is_file(2, "vh0 ah0 v0K ", true);
	is_file(3, "", false);
}

static void
it_waits_until_the_tracks_are_known(void **state)
{
	struct sink_rec_stats st;

	gen->settled = false;
	media(0, 500);
	tick();
	sink_rec_stats(sink, &st);
	assert_false(st.recording);
	assert_non_null(sink->ops->needs(sink));
	gen->settled = true;
	tick();
	is_file(0, "vh0 ah0 v0K a250 ", true);
}

static void
new_headers_begin_a_new_file(void **state)
{
	struct ring_gen *old = gen;

	media(0, 500);
	gen = ring_gen_new(old);
	ring_gen_set(gen, &video_info, (const uint8_t *)"\x17\0\0\0\0OTHER", 10);
	tag(false, true, 500);
	tick();
	is_file(0, "vh0 ah0 v0K a250 ", false);
	is_file(1, "vh0 ah0 v0K ", true);
	ring_gen_unref(&old);
}

static void
without_room_it_pauses_and_goes_on_at_a_key_frame(void **state)
{
	struct sink_rec_stats st;

	media(0, 500);
	tick();
	reserve((json_int_t)1 << 60);
	sink->ops->tick(sink, now_ms() + 1500);
	media(500, 1500);
	sink->ops->tick(sink, now_ms() + 3000);
	assert_non_null(strstr(warning, "disk.reserve"));
	is_file(0, "vh0 ah0 v0K a250 ", false);
	sink_rec_stats(sink, &st);
	assert_true(st.paused && !st.recording);
	assert_int_equal(st.lost, 4);
	reserve(0);
	media(1500, 2250);
	sink->ops->tick(sink, now_ms() + 6000);
	assert_string_equal(warning, "");
	is_file(1, "vh0 ah0 v0K ", true);
	sink_rec_stats(sink, &st);
	assert_true(st.recording && !st.paused);
}

static void
a_pause_says_what_is_in_the_way(void **state)
{
	struct sink_rec_stats st;
	char away[80];

	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	media(0, 500);
	tick();
	sink_rec_stats(sink, &st);
	assert_true(st.paused);
	assert_int_equal(st.paused_errno, ENOENT);
	assert_non_null(strstr(warning, "No such file or directory"));
	assert_null(strstr(warning, "space"));
	assert_int_equal(rename(away, dir), 0);
	media(500, 1500);
	sink->ops->tick(sink, now_ms() + 3000);
	assert_string_equal(warning, "");
	is_file(0, "vh0 ah0 v0K a250 ", true);	/* from 1000 ms on */
}

static void
an_overrun_is_a_gap_between_two_files(void **state)
{
	gen->settled = false;		/* so that nothing is written */
	media(0, 2250);
	sink->ops->overrun(sink, ring.head->next->next->next->next);
	gen->settled = true;
	tick();
	is_file(0, "vh0 ah0 v0K a250 v500 a750 v1000K ", true);
}

/* What came is behind until the sync of a tick after it is through; a pause has no lag. */
static void
what_is_not_on_disk_is_behind(void **state)
{
	struct sink_rec_stats st;
	int64_t end = now_ms() + 5000;

	sink_rec_stats(sink, &st);
	assert_int_equal(st.lag_ms, 0);
	media(0, 250);
	usleep(5000);
	sink_rec_stats(sink, &st);
	assert_true(st.lag_ms >= 5);
	do {
		tick();
		usleep(1000);
		sink_rec_stats(sink, &st);
	} while (st.lag_ms > 0 && now_ms() < end);
	assert_int_equal(st.lag_ms, 0);
	assert_true(st.recording);
	reserve((json_int_t)1 << 60);
	media(250, 500);
	sink->ops->tick(sink, now_ms() + 2000);
	sink_rec_stats(sink, &st);
	assert_true(st.paused);
	assert_int_equal(st.lag_ms, 0);
}

/* It stands while that file is written, though the next sync is well. */
static void
what_the_disk_did_not_take_is_told(void **state)
{
	int64_t now = now_ms(), end = now + 5000;

	set_disk_error(EIO);
	media(0, 250);
	for (; warnings == 0 && now_ms() < end; usleep(1000))
		sink->ops->tick(sink, now += 100);
	assert_string_equal(warning, "the disk did not take all that was recorded (Input/output error): a part of it may be lost");
	set_disk_error(0);
	media(250, 500);
	for (int i = 0; i < 20; i++, usleep(1000))
		sink->ops->tick(sink, now += 100);
	assert_int_equal(warnings, 1);
	media(500, 2250);
	tick();
	assert_string_equal(warning, "");
}

static void
a_sync_that_fails_is_an_errno_once(void **state)
{
	struct rec_sync *s = rec_sync_new();
	int64_t end = now_ms() + 5000;
	int fd = open(dir, O_RDONLY | O_DIRECTORY), error = 0;

	rec_sync_give(s, -1, false, 5);
	for (; error == 0 && now_ms() < end; usleep(1000))
		error = rec_sync_error(s);
	assert_int_equal(error, EBADF);
	assert_int_equal(rec_sync_error(s), 0);
	assert_int_equal(rec_sync_done_ms(s), 0);
	rec_sync_give(s, fd, true, 7);
	while (rec_sync_done_ms(s) != 7 && now_ms() < end)
		usleep(1000);
	assert_int_equal(rec_sync_done_ms(s), 7);
	rec_sync_give(s, -1, false, 9);
	assert_int_equal(rec_sync_free(&s), EBADF);
}

/* More orders than the pipe takes: the syncs are left out, the closes are not. */
static void
a_close_waits_until_there_is_room(void **state)
{
	struct rec_sync *s = rec_sync_new();
	int file = open(dir, O_RDONLY | O_DIRECTORY), closed[3];

	pthread_mutex_lock(&disk);
	for (int i = 0; i < 10000; i++)
		rec_sync_give(s, file, false, i);
	for (int i = 0; i < 3; i++) {
		closed[i] = dup(file);
		rec_sync_give(s, closed[i], true, 0);
	}
	assert_int_equal(rec_sync_error(s), 0);
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(fcntl(closed[i], F_GETFD), -1);
	pthread_mutex_unlock(&disk);
	assert_int_equal(rec_sync_free(&s), 0);
	assert_int_equal(synced_fd, closed[2]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fcntl(closed[i], F_GETFD), -1);
	close(file);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(all_that_came_is_in_the_file_at_once), T(it_is_split_at_a_key_frame), T(it_is_split_by_size),
		T(it_waits_until_the_tracks_are_known), T(new_headers_begin_a_new_file),
		T(without_room_it_pauses_and_goes_on_at_a_key_frame), T(an_overrun_is_a_gap_between_two_files),
		T(a_pause_says_what_is_in_the_way),
		T(what_is_not_on_disk_is_behind), T(what_the_disk_did_not_take_is_told),
		T(a_sync_that_fails_is_an_errno_once), T(a_close_waits_until_there_is_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
