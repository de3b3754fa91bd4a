/* workers/registry/spool.c: each line once and in order, over files, restarts and torn ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "util.h"
#include "workers/registry/spool.h"

static char dir[32];

static void
put(const char *file, const char *text)
{
	char path[100];
	FILE *f;

	path_join(path, sizeof path, dir, file);
	f = fopen(path, "a");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
there(const char *file)
{
	char path[100];

	path_join(path, sizeof path, dir, file);
	return access(path, F_OK) == 0;
}

/* Sends all there is; the lines joined by spaces. */
static const char *
drain(struct spool *s)
{
	static char out[4000];
	struct spool_batch b;
	int rounds = 0;

	out[0] = '\0';
	while (spool_next(s, &b) == 1) {
		assert_true(rounds++ < 100);
		for (int i = 0; i < b.nlines; i++)
			snprintf(out + strlen(out), sizeof out - strlen(out), "%s ", b.lines[i]);
		assert_int_equal(spool_done(s, &b), 0);
		spool_batch_free(&b);
	}
	return out;
}

static void
positions_are_read_back(void **state)
{
	static const char *const bad[] = { "", "events-1.jsonl", "events-1.jsonl \n", "x 5\n",
		"events-1.jsonl -1\n", "events-1.jsonl 5", "events-1.jsonl 5\nx", "../events-1.jsonl 5\n" };
	struct spool_pos p = { "events-123.jsonl", 456 }, q;
	char text[100];

	spool_pos_print(&p, text, sizeof text);
	assert_string_equal(text, "events-123.jsonl 456\n");
	assert_int_equal(spool_pos_parse(text, &q), 0);
	assert_string_equal(q.file, p.file);
	assert_int_equal(q.offset, 456);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(spool_pos_parse(bad[i], &q), -1);
		assert_string_equal(q.file, "");
	}
	assert_true(spool_is_file("events-1.jsonl"));
	assert_false(spool_is_file("events-.jsonl"));
	assert_false(spool_is_file("events-1.jsonl.tmp"));
	assert_false(spool_is_file("offset"));
}

static void
only_whole_lines_at_every_byte(void **state)
{
	static const char text[] = "{\"a\":1}\n\n{\"b\":2}\n{\"c";
	struct spool_batch b;

	for (size_t n = 0; n < sizeof text; n++) {
		char *copy = malloc(n + 1);
		size_t used, want = n < 8 ? 0 : n < 9 ? 8 : n < 17 ? 9 : 17;

		memcpy(copy, text, n);
		used = spool_split(copy, n, &b);
		assert_int_equal(used, want);
		assert_int_equal(b.nlines, n < 8 ? 0 : n < 17 ? 1 : 2);
		if (b.nlines > 0)
			assert_string_equal(b.lines[0], "{\"a\":1}");
		free(copy);
	}
}

static void
files_in_order_and_done_ones_deleted(void **state)
{
	struct spool s;

	put("events-1000.jsonl", "c\n");
	put("events-999.jsonl", "a\nb\n");
	put("notes.txt", "x\n");
	spool_open(&s, dir);
	assert_string_equal(drain(&s), "a b c ");
	assert_false(there("events-999.jsonl"));
	assert_true(there("events-1000.jsonl"));
	assert_true(there("notes.txt"));
	put("events-1000.jsonl", "d\ne");
	assert_string_equal(drain(&s), "d ");
	spool_open(&s, dir);			/* a restart of ours */
	assert_string_equal(drain(&s), "");
	put("events-1000.jsonl", "e\n");
	put("events-1001.jsonl", "f\n");
	assert_string_equal(drain(&s), "ee f ");
	assert_false(there("events-1000.jsonl"));
}

static void
what_was_not_confirmed_comes_again(void **state)
{
	struct spool_batch b;
	struct spool s;

	put("events-1.jsonl", "a\nb\n");
	spool_open(&s, dir);
	assert_int_equal(spool_next(&s, &b), 1);
	assert_int_equal(b.nlines, 2);
	spool_batch_free(&b);
	spool_open(&s, dir);
	assert_string_equal(drain(&s), "a b ");
	put("offset", "garbage");
	spool_open(&s, dir);
	assert_string_equal(drain(&s), "a b ");
}

static void
a_torn_end_of_an_old_file_is_left_behind(void **state)
{
	struct spool s;

	put("events-1.jsonl", "a\ntorn by a cra");
	put("events-2.jsonl", "b\n");
	spool_open(&s, dir);
	assert_string_equal(drain(&s), "a b ");
	assert_false(there("events-1.jsonl"));
}

static void
a_file_being_written_comes_last_and_stays(void **state)
{
	char path[100];
	struct spool s;
	int fd;

	put("events-9.jsonl", "old\n");
	path_join(path, sizeof path, dir, "events-5.jsonl");	/* the clock was set back */
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(write(fd, "new\n", 4), 4);
	spool_open(&s, dir);
	assert_string_equal(drain(&s), "old new ");
	assert_true(there("events-5.jsonl"));
	assert_int_equal(write(fd, "more\n", 5), 5);
	assert_string_equal(drain(&s), "more ");
	close(fd);
}

static void
batches_are_bounded_and_endless_lines_skipped(void **state)
{
	char *big = malloc(SPOOL_READ_BYTES + 2);
	struct spool_batch b;
	struct spool s;
	int n = 0;

	for (int i = 0; i < 2 * SPOOL_BATCH + 5; i++)
		put("events-1.jsonl", "x\n");
	spool_open(&s, dir);
	while (spool_next(&s, &b) == 1) {
		assert_true(b.nlines <= SPOOL_BATCH);
		n += b.nlines;
		spool_done(&s, &b);
		spool_batch_free(&b);
	}
	assert_int_equal(n, 2 * SPOOL_BATCH + 5);
	memset(big, 'y', SPOOL_READ_BYTES);
	memcpy(big + SPOOL_READ_BYTES, "\n", 2);
	put("events-2.jsonl", big);
	put("events-2.jsonl", "z\n");
	assert_string_equal(drain(&s), "z ");
	free(big);
	str_copy(s.dir, "/nonexistent", sizeof s.dir);
	assert_int_equal(spool_next(&s, &b), -1);
}

static int
remove_cb(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int
setup(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	str_copy(dir, "/tmp/test_spool.XXXXXX", sizeof dir);
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	return nftw(dir, remove_cb, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(positions_are_read_back),
		TEST(only_whole_lines_at_every_byte),
		TEST(files_in_order_and_done_ones_deleted),
		TEST(what_was_not_confirmed_comes_again),
		TEST(a_torn_end_of_an_old_file_is_left_behind),
		TEST(a_file_being_written_comes_last_and_stays),
		TEST(batches_are_bounded_and_endless_lines_skipped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
