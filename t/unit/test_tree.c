/* tree.c: recordings and raw ones are found; marks are believed, and read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"
#include "workers/jobs/tree.h"
#include "workers/jobs/upload_mark.h"

#define RAW "20261121T135800.123Z.flv"

static char dir[64];
static struct tree *tree;

static const char *
path_of(const char *file)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return path;
}

static void
make(const char *file)
{
	int fd = open(path_of(file), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, file, strlen(file)), strlen(file));
	close(fd);
}

static int
setup(void **state)
{
	static const char *const dirs[] = { "recordings", "recordings/alice", "recordings/bob", "uploads", "rec", "rec/alice" };

	strcpy(dir, "/tmp/test_tree.XXXXXX");
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_int_equal(mkdir(path_of(dirs[i]), 0700), 0);
	return 0;
}

static int
teardown(void **state)
{
	char cmd[100];

	tree_free(&tree);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

/* The next walk, knowing of the one before. */
static void
walk(bool texts, bool orphans)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	t->data_dir = xstrdup(dir);
	t->host_id = xstrdup("H");
	t->recordings = true;
	t->texts = texts;
	t->orphans = orphans;
	t->before = tree;
	tree = t;
	tree_walk(t);
}

static struct tree_file *
file(const char *name)
{
	for (size_t i = 0; i < tree->nfiles; i++)
		if (strcmp(tree->files[i].file, name) == 0)
			return &tree->files[i];
	return NULL;
}

/* Of this file as it is; as upload_kind.c writes it. */
static void
mark(const char *name, int64_t bigger)
{
	const struct tree_file *f = file(name);
	json_t *o = json_pack("{s:s, s:I, s:I, s:s}", "path", path_of(name), "size", (json_int_t)(f->size + bigger), "mtime_ns",
	    (json_int_t)f->mtime_ns, "etag", "e");

	assert_int_equal(upload_mark_write(dir, f->id, o), 0);
	json_decref(o);
}

static bool
is_there(const char *file)
{
	return access(path_of(file), F_OK) == 0;
}

/* Not of a stream that is live or may come back, nor while somebody holds it, nor what is no stream's. */
static void
empty_folders_go(void **state)
{
	int fd;

	assert_int_equal(mkdir(path_of("rec/bob"), 0700), 0);
	assert_int_equal(mkdir(path_of("rec/no name"), 0700), 0);
	assert_int_equal(mkdir(path_of("hls"), 0700), 0);
	assert_int_equal(mkdir(path_of("hls/alice"), 0700), 0);
	make("rec/bob/" RAW);
	walk(false, false);
	assert_true(is_there("rec/alice") && is_there("rec/bob") && is_there("rec/no name"));
	assert_int_equal(unlink(path_of("rec/bob/" RAW)), 0);
	assert_int_equal(rmdir(path_of("hls/alice")), 0);
	fd = open(path_of("rec/alice"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	walk(false, false);
	assert_true(is_there("rec/alice") && !is_there("rec/bob"));
	close(fd);
	walk(false, false);
	assert_true(!is_there("rec/alice") && is_there("rec"));
}

static void
recordings_are_found(void **state)
{
	make("recordings/bob/b.mp4");
	make("recordings/alice/a.mp4");
	make("recordings/c.mp4");
	make("recordings/alice/.a.mp4.tmp");
	make("recordings/alice/.hidden.mp4");
	make("recordings/alice/a.txt");
	make("recordings/.mp4");
	walk(false, false);
	assert_int_equal(tree->nfiles, 3);
	assert_string_equal(tree->files[0].file, "recordings/alice/a.mp4");
	assert_string_equal(tree->files[1].file, "recordings/bob/b.mp4");
	assert_string_equal(tree->files[2].file, "recordings/c.mp4");
	assert_int_equal(tree->files[0].size, 22);
	assert_false(tree->files[0].verified);
}

static void
raw_ones_are_found_and_whether_they_are_free(void **state)
{
	int fd;

	make("rec/alice/" RAW);
	make("rec/alice/other.flv");
	fd = open(path_of("rec/alice/" RAW), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	walk(false, false);
	assert_int_equal(tree->nraws, 1);
	assert_string_equal(tree->raws[0].file, "rec/alice/" RAW);
	assert_false(tree->raws[0].is_free);
	close(fd);
	walk(false, false);
	assert_true(tree->raws[0].is_free);
	assert_false(tree->failed);
}

static void
marks_are_believed_of_this_content_only(void **state)
{
	make("recordings/alice/a.mp4");
	make("recordings/bob/b.mp4");
	walk(false, false);
	mark("recordings/alice/a.mp4", 0);
	mark("recordings/bob/b.mp4", 1);
	walk(false, false);
	assert_true(file("recordings/alice/a.mp4")->verified);
	assert_false(file("recordings/bob/b.mp4")->verified);
	assert_null(file("recordings/alice/a.mp4")->mark);
	file("recordings/alice/a.mp4")->asked_ms = 5;
	walk(true, false);
	assert_non_null(strstr(file("recordings/alice/a.mp4")->mark, "\"etag\":\"e\""));
	assert_int_equal(file("recordings/alice/a.mp4")->asked_ms, 5);
	make("recordings/alice/a.mp4");		/* another content, or at least another time */
	walk(false, false);
	assert_false(file("recordings/alice/a.mp4")->verified);
	assert_int_equal(file("recordings/alice/a.mp4")->asked_ms, 0);
}

/* The same file for the same recording is not read again: what stands in it now is not seen. One that went is. */
static void
a_mark_is_read_once(void **state)
{
	char path[300];
	struct timespec times[2];
	struct stat st;
	int fd;

	make("recordings/alice/a.mp4");
	walk(false, false);
	mark("recordings/alice/a.mp4", 0);
	walk(false, false);
	snprintf(path, sizeof(path), "%s/uploads/%s.done", dir, tree->files[0].id);
	assert_int_equal(stat(path, &st), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "?", 1), 1);
	times[0] = times[1] = st.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	walk(false, false);
	assert_true(tree->files[0].verified);
	assert_int_equal(write(fd, "?", 1), 1);
	times[1].tv_sec++;
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	walk(false, false);
	assert_false(tree->files[0].verified);
	mark("recordings/alice/a.mp4", 0);
	walk(false, false);
	assert_true(tree->files[0].verified);
	upload_mark_remove(dir, tree->files[0].id);
	walk(false, false);
	assert_false(tree->files[0].verified);
}

static void
marks_without_their_recording_are_found(void **state)
{
	make("recordings/alice/a.mp4");
	make("recordings/bob/b.mp4");
	walk(false, false);
	mark("recordings/alice/a.mp4", 0);
	mark("recordings/bob/b.mp4", 0);
	make("uploads/torn.done");
	unlink(path_of("recordings/bob/b.mp4"));
	walk(false, true);
	assert_int_equal(tree->nlost, 1);
	assert_string_equal(tree->lost[0], path_of("recordings/bob/b.mp4"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(empty_folders_go), T(recordings_are_found), T(raw_ones_are_found_and_whether_they_are_free),
		T(marks_are_believed_of_this_content_only), T(a_mark_is_read_once),
		T(marks_without_their_recording_are_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
