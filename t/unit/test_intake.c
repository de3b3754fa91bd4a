/* intake.c, target.c and flv_walk.c: an upload's files, where it goes, and what is in its FLV. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flv.h"
#include "intake.h"
#include "target.h"
#include "util.h"
#include "workers/jobs/flv_walk.h"
#include "workers/jobs/intake_look.h"

static char dir[64];

static int
setup(void **state)
{
	char path[100];

	str_copy(dir, "/tmp/millrace-intake-XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/" INTAKE_DIR, dir);
	return mkdir(path, 0750);
}

static int
teardown(void **state)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/" INTAKE_DIR, dir);
	return rmdir(path) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

/* What is here counts, unless its job is dead: then it waits for somebody. */
static void
what_is_over_does_not_count(void **state)
{
	struct intake in = { .state = INTAKE_RECEIVING, .from = "::1" };
	int64_t own;
	int fd;

	assert_int_equal(intake_count(dir, "::1", &own), 0);
	assert_int_equal(intake_new_id(in.id), 0);
	fd = intake_lock(dir, in.id, true);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(intake_write(dir, &in), 0);
	assert_int_equal(intake_count(dir, "::2", &own), 1);
	assert_int_equal(own, 0);
	assert_int_equal(intake_count(dir, "::1", &own), 1);
	assert_int_equal(own, 1);
	in.state = INTAKE_RECEIVED;
	assert_int_equal(intake_write(dir, &in), 0);
	assert_int_equal(intake_count(dir, "::1", &own), 1);
	assert_int_equal(own, 0);
	intake_set_over(dir, in.id, true);
	assert_int_equal(intake_count(dir, "::1", &own), 0);
	intake_set_over(dir, in.id, false);
	assert_int_equal(intake_count(dir, "::1", &own), 1);
	intake_set_over(dir, in.id, true);
	assert_int_equal(intake_drop(dir, in.id), 0);
}

static void
what_is_written_is_read(void **state)
{
	struct intake in = { .state = INTAKE_CONVERTED, .name = "alice", .file = "Ferien.mp4", .meta = "filename RmVyaWVu",
		.from = "::ffff:1.2.3.4", .size = 77, .created_ms = 1, .changed_ms = 2, .duration_ms = 3, .tried_ms = 4 }, out;

	assert_int_equal(intake_new_id(in.id), 0);
	assert_true(intake_id_ok(in.id));
	assert_int_equal(intake_write(dir, &in), 0);
	assert_int_equal(intake_read(dir, in.id, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(intake_drop(dir, in.id), 0);
	assert_int_equal(intake_read(dir, in.id, &out), -1);
	assert_int_equal(errno, ENOENT);
}

static void
ids_lead_nowhere_else(void **state)
{
	static const char *const bad[] = { "", "..", "../../../../../../etc/passwd", "0123456789abcdef0123456789abcdeF",
		"0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcd/." };
	struct intake out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(intake_id_ok(bad[i]));
		assert_int_equal(intake_read(dir, bad[i], &out), -1);
		assert_int_equal(errno, ENOENT);
	}
}

static void
torn_and_strange_ones_are_refused(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	static const char *const bad[] = { "", "{", "[]", "{\"id\":\"0123456789abcdef0123456789abcdef\"}",
		"{\"id\":\"0123456789abcdef0123456789abcdef\",\"state\":\"x\"}", "{\"id\":\"1\",\"state\":\"done\"}" };
	char path[INTAKE_PATH];
	struct intake out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_replace(intake_path(dir, id, "json", path), bad[i], strlen(bad[i])), 0);
		assert_int_equal(intake_read(dir, id, &out), -1);
		assert_int_equal(errno, EBADMSG);
	}
	assert_int_equal(intake_drop(dir, id), 0);
}

static void
one_lock_at_a_time(void **state)
{
	char id[INTAKE_ID];
	int fd;

	assert_int_equal(intake_new_id(id), 0);
	assert_int_equal(intake_lock(dir, id, false), -1);
	assert_int_equal(errno, ENOENT);
	fd = intake_lock(dir, id, true);
	assert_true(fd >= 0);
	assert_int_equal(intake_lock(dir, id, true), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	fd = intake_lock(dir, id, false);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(intake_pos(dir, id), 0);
	intake_set_pos(dir, id, 12345);
	assert_int_equal(intake_pos(dir, id), 12345);
	assert_int_equal(intake_drop(dir, id), 0);
}

/* --- targets --- */

static json_t *
conf(const char *target, const char *base)
{
	return json_pack("{s:{s:s, s:s}}", "upload", "target", target, "target_base", base);
}

static void
expands(const char *target, const char *base, const char *want)
{
	char url[TARGET_URL];
	json_t *c = conf(target, base);

	target_expand(c, "alice", url, sizeof(url));
	assert_string_equal(url, want);
	json_decref(c);
}

static void
names_go_into_urls(void **state)
{
	expands("rtmp://h/live/stream", "", "rtmp://h/live/stream");
	expands("rtmp://h/live/{name}?key=1", "", "rtmp://h/live/alice?key=1");
	expands("rtmp://h/{name}/{name}", "", "rtmp://h/alice/alice");
	expands("rtmp://h/live/stream", "rtmp://b/app", "rtmp://b/app/alice");
	expands("rtmp://h/live/stream", "rtmp://b/app//", "rtmp://b/app/alice");
}

static void
urls_are_urls(void **state)
{
	static const char *const bad[] = { "", "http://h/a", "rtmp://", "rtmp:///a", "rtmp://h", "rtmp://h/", "rtmp://h/a b",
		"rtmp://h/a\n", "-i", "file:/etc/passwd", "rtmp://h/\"" };

	assert_true(target_ok("rtmp://h/a"));
	assert_true(target_ok("rtmps://u:p@h:443/a/b?key={name}"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(target_ok(bad[i]));
}

static void
lanes_are_targets(void **state)
{
	json_t *one = conf("rtmp://h/live/x", ""), *each = conf("rtmp://h/live/{name}", ""), *local = conf("rtmp://u@LOCALHOST:1/a", "");
	char x[TARGET_LANE], y[TARGET_LANE];

	target_lane(one, "alice", "A", x);
	target_lane(one, "bob", "B", y);
	assert_string_equal(x, y);
	target_lane(each, "alice", "A", x);
	target_lane(each, "bob", "A", y);
	assert_string_not_equal(x, y);
	target_lane(local, "alice", "A", x);
	target_lane(local, "alice", "B", y);
	assert_string_not_equal(x, y);
	json_decref(one);
	json_decref(each);
	json_decref(local);
}

/* --- FLV --- */

struct flv { uint8_t bytes[4096]; size_t n; };

static void
tag(struct flv *f, enum flv_type type, uint32_t ms, const char *body, uint32_t len)
{
	flv_write_tag_head(f->bytes + f->n, type, ms, len);
	memcpy(f->bytes + f->n + FLV_TAG_HEAD_BYTES, body, len);
	flv_write_tag_tail(f->bytes + f->n + FLV_TAG_HEAD_BYTES + len, len);
	f->n += FLV_TAG_HEAD_BYTES + len + FLV_TAG_TAIL_BYTES;
}

static int
walk(const struct flv *f, size_t len, int64_t want, struct flv_walk *out)
{
	char path[100];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/x.flv", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, f->bytes, len), len);
	rc = flv_walk(fd, want, out);
	close(fd);
	unlink(path);
	return rc;
}

static void
tags_are_walked(void **state)
{
	struct flv f = { .n = FLV_HEADER_BYTES };
	struct flv_walk w;
	size_t ends[16], n = 0;

	flv_write_header(f.bytes, true, true);
	tag(&f, FLV_VIDEO, 0, "\x17\0\0\0\0avcC", 9);
	tag(&f, FLV_AUDIO, 0, "\xaf\0\x12\x10", 4);
	ends[n++] = f.n;
	tag(&f, FLV_VIDEO, 0, "\x17\1\0\0\0key", 8);
	tag(&f, FLV_VIDEO, 2000, "\x17\1\0\0\0key", 8);
	tag(&f, FLV_AUDIO, 2500, "\xaf\1x", 3);
	tag(&f, FLV_VIDEO, 3000, "\x27\1\0\0\0inter", 10);
	tag(&f, FLV_VIDEO, 0x1000000, "\x17\1\0\0\0key", 8);
	ends[n++] = f.n;
	assert_int_equal(walk(&f, f.n, 2999, &w), 0);
	assert_true(w.video && w.audio);
	assert_int_equal(w.begin_ms, 2000);
	assert_int_equal(w.duration_ms, 0x1000000);
	assert_int_equal(w.key_gap_ms, 0x1000000 - 2000);
	assert_int_equal(walk(&f, f.n, 1999, &w), 0);
	assert_int_equal(w.begin_ms, 0);
	assert_int_equal(walk(&f, ends[0], 0, &w), 0);
	assert_false(w.video || w.audio);
	for (size_t i = ends[1] - 30; i < ends[1]; i++)	/* cut anywhere in its last tag but one */
		if (walk(&f, i, 0, &w) == 0)
			assert_int_equal(w.duration_ms, 3000);
	assert_int_equal(walk(&f, 3, 0, &w), -1);
	f.bytes[0] = 'f';
	assert_int_equal(walk(&f, f.n, 0, &w), -1);
}

/* Beside the loop: what has work to do is told, what nobody comes back for is gone. */
static void
a_look_at_all_of_them(void **state)
{
	static const struct { enum intake_state state; int64_t age_ms; int seen; bool goes; } rows[] = {
		{ INTAKE_RECEIVED, 0, INTAKE_SEEN_WORK, false }, { INTAKE_CONVERTED, 99999, INTAKE_SEEN_WORK, false },
		{ INTAKE_RECEIVING, 99999, INTAKE_SEEN_DROPPED, true }, { INTAKE_RECEIVING, 0, -1, false },
		{ INTAKE_DONE, 99999, INTAKE_SEEN_DROPPED, true }, { INTAKE_DONE, 0, -1, false },
	};
	struct intake_look *l = intake_look_new(dir, 5000, 5000);
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	char path[INTAKE_PATH], torn[INTAKE_PATH];
	struct intake in[6], out;
	size_t seen = 0;
	int fd;

	for (int i = 0; i < 6; i++) {
		in[i] = (struct intake){ .state = rows[i].state, .name = "alice", .created_ms = wall_ms() - rows[i].age_ms,
			.changed_ms = wall_ms() - rows[i].age_ms };
		assert_int_equal(intake_new_id(in[i].id), 0);
		assert_int_equal(intake_write(dir, &in[i]), 0);
		fd = open(intake_path(dir, in[i].id, "part", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(futimens(fd, old), 0);
		close(fd);
	}
	fd = open(intake_path(dir, "00112233445566778899aabbccddeeff", "json", torn), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "{", 1), 1);
	close(fd);
	fd = open(intake_path(dir, "00112233445566778899aabbccddeef0", "tmp", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(futimens(fd, old), 0);
	close(fd);
	intake_look_work(l);
	assert_int_equal(l->n, 4 + 2);		/* the torn one, and what nobody knows */
	assert_int_equal(access(path, F_OK), -1);
	for (size_t k = 0; k < l->n; k++)
		for (int i = 0; i < 6; i++)
			if (strcmp(l->list[k].id, in[i].id) == 0) {
				seen++;
				assert_int_equal(l->list[k].what, rows[i].seen);
				if (rows[i].seen == INTAKE_SEEN_WORK)
					assert_string_equal(l->list[k].name, "alice");
			}
	assert_int_equal(seen, 4);
	intake_look_free(&l);
	unlink(torn);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(intake_read(dir, in[i].id, &out), rows[i].goes ? -1 : 0);
		intake_drop(dir, in[i].id);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(what_is_over_does_not_count), cmocka_unit_test(ids_lead_nowhere_else),
		cmocka_unit_test(torn_and_strange_ones_are_refused), cmocka_unit_test(one_lock_at_a_time),
		cmocka_unit_test(names_go_into_urls), cmocka_unit_test(urls_are_urls), cmocka_unit_test(lanes_are_targets),
		cmocka_unit_test(tags_are_walked), cmocka_unit_test(a_look_at_all_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
