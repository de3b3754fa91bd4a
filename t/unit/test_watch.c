/* workers/watch: which names count, and when a file has settled, by a clock of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "workers/watch/name.h"
#include "workers/watch/settle.h"

#define QUIET 2000

static void
extensions(void **state)
{
	static const char *const list[] = { "mp4", "tar.gz", NULL }, *const none[] = { NULL };

	assert_true(name_has_extension("a.mp4", list));
	assert_true(name_has_extension("A.B.Mp4", list));
	assert_true(name_has_extension("x.TAR.gz", list));
	assert_true(name_has_extension("日本.mp4", list));
	assert_false(name_has_extension("mp4", list));
	assert_false(name_has_extension(".mp4", list));
	assert_false(name_has_extension("amp4", list));
	assert_false(name_has_extension("a.mp4 ", list));
	assert_false(name_has_extension("a.mp4.txt", list));
	assert_false(name_has_extension("a.mp45", list));
	assert_false(name_has_extension("a.gz", list));
	assert_false(name_has_extension("", list));
	assert_false(name_has_extension("a.mp4", none));
}

static void
unfinished_names(void **state)
{
	static const char *const yes[] = { "", ".", "..", ".a.mp4", "a.mp4.part", "a.PART", "a.tmp", "a.mp4~",
		"a.mp4.filepart", "a.mp4.crdownload", "a.partial" };
	static const char *const no[] = { "a.mp4", "part", "apart", "tmp", "a.part.mp4", "~a.mp4", "a.tmpx" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (!name_is_temporary(yes[i]))
			fail_msg("\"%s\" counts", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		if (name_is_temporary(no[i]))
			fail_msg("\"%s\" does not count", no[i]);
}

static void
text(void **state)
{
	assert_true(name_is_text("/a/Füße \"x\" \\ ☺.mp4"));
	assert_false(name_is_text("a\nb.mp4"));
	assert_false(name_is_text("a\033b.mp4"));
	assert_false(name_is_text("a\177b.mp4"));
	assert_false(name_is_text("a\xff.mp4"));
	assert_false(name_is_text("a\xc3"));
	assert_false(name_is_text("\xed\xa0\x80"));	/* a surrogate */
}

static void
objects(void **state)
{
	char out[NAME_OBJECT_BYTES], longest[NAME_OBJECT_BYTES], longer[NAME_OBJECT_BYTES + 1];

	assert_int_equal(name_object("in/", "a/b.mp4", out), 0);
	assert_string_equal(out, "in/a/b.mp4");
	assert_int_equal(name_object("", "b.mp4", out), 0);
	assert_string_equal(out, "b.mp4");
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(name_object("", longest, out), 0);
	assert_int_equal(strlen(out), 1024);
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(name_object("", longer, out), -1);
	assert_int_equal(name_object("y", longest, out), -1);
	assert_int_equal(name_depth("a.mp4"), 0);
	assert_int_equal(name_depth("a/b/c.mp4"), 2);
}

static struct settle_id
id(int64_t size, int64_t mtime_ns, uint64_t inode)
{
	return (struct settle_id){ size, mtime_ns, inode };
}

static void
quiet_time(void **state)
{
	struct settle s = { .since_ms = 0 };
	struct settle_id one = id(10, 1000, 7), grown = id(11, 1000, 7), touched = id(11, 1001, 7), other = id(11, 1001, 8);

	assert_false(settle_is_quiet(&s, 100000, QUIET));	/* never seen */
	assert_true(settle_see(&s, &one, 1000));
	assert_false(settle_is_quiet(&s, 1000 + QUIET - 1, QUIET));
	assert_true(settle_is_quiet(&s, 1000 + QUIET, QUIET));
	assert_int_equal(settle_due(&s, QUIET), 1000 + QUIET);
	assert_false(settle_see(&s, &one, 2000));		/* unchanged: the time runs on */
	assert_true(settle_is_quiet(&s, 3000, QUIET));
	assert_true(settle_see(&s, &grown, 3000));
	assert_false(settle_is_quiet(&s, 4999, QUIET));
	assert_true(settle_see(&s, &touched, 5000));
	assert_true(settle_see(&s, &other, 6000));		/* renamed over, same size and time */
	assert_false(settle_is_quiet(&s, 7999, QUIET));
	assert_true(settle_is_quiet(&s, 8000, QUIET));
}

/* Still open for writing: quiet again only a whole quiet time later. */
static void
a_writer(void **state)
{
	struct settle s = { .since_ms = 0 };
	struct settle_id one = id(0, 5, 7);

	settle_see(&s, &one, 1000);
	settle_written(&s, 3000);
	assert_false(settle_see(&s, &one, 3500));
	assert_false(settle_is_quiet(&s, 4999, QUIET));
	assert_true(settle_is_quiet(&s, 5000, QUIET));
}

/* A time in the future or before 1970 is only another time. */
static void
odd_times(void **state)
{
	struct stat st = { .st_size = 5, .st_ino = 3, .st_mtim = { .tv_sec = -1, .tv_nsec = 999999999 } };
	struct settle_id before = settle_id_of(&st), future = id(5, INT64_MAX, 3);
	struct settle s = { .since_ms = 0 };

	assert_int_equal(before.mtime_ns, -1);
	assert_true(settle_see(&s, &before, 1000));
	assert_true(settle_see(&s, &future, 1500));
	assert_true(settle_is_quiet(&s, 3500, QUIET));
	assert_true(settle_see(&s, &before, 4000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions), cmocka_unit_test(unfinished_names), cmocka_unit_test(text),
		cmocka_unit_test(objects), cmocka_unit_test(quiet_time), cmocka_unit_test(a_writer),
		cmocka_unit_test(odd_times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
