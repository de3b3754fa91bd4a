/* replace_links.c: of all links those are due whose MP4 is verified, or of which there is nothing to wait for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"
#include "workers/jobs/replace_links.h"
#include "workers/jobs/upload_mark.h"

#define ID(n) "0123456789abcdef0123456789abcde" #n

static char dir[] = "/tmp/millrace-links-XXXXXX";

static void
make(const char *name, const char *text)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int
setup(void **state)
{
	char *command;
	int rc;

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	command = xasprintf("mkdir -p %s/uploads %s/recordings", mkdtemp(dir), dir);
	rc = system(command);
	free(command);
	return rc;
}

static int
teardown(void **state)
{
	char *command = xasprintf("rm -r %s", dir);
	int rc = system(command);

	free(command);
	return rc;
}

static struct replace_links *
read_all(bool marks)
{
	struct replace_links *l = replace_links_new(dir, "host", "media");

	l->marks = marks;
	assert_int_equal(replace_links_read(l), 0);
	return l;
}

#define LINK(mp4) "{\"raw\": \"r\", \"mp4\": \"" mp4 "\"}"
#define DONE(bucket) "{\"path\": \"/nowhere\", \"bucket\": \"" bucket "\", \"size\": 1, \"mtime_ns\": 1}"

static void
what_is_due_is_found(void **state)
{
	struct replace_links *l;

	make("recordings/waits.mp4", "x");
	make("uploads/" ID(5) ".link", LINK("recordings/waits.mp4"));	/* its MP4 is not verified */
	make("uploads/" ID(5) ".done", DONE("media"));
	make("uploads/" ID(1) ".link", LINK("recordings/gone.mp4"));	/* it was deleted here */
	make("uploads/" ID(1) ".done", DONE("media"));
	make("uploads/" ID(3) ".link", LINK("recordings/waits.mp4"));	/* in a bucket of before */
	make("uploads/" ID(3) ".done", DONE("other"));
	make("uploads/" ID(2) ".link", LINK("recordings/waits.mp4"));	/* nothing of it is there */
	make("uploads/" ID(4) ".link", LINK(""));			/* nothing was in it */
	make("uploads/" ID(4) ".json", "{}");
	make("uploads/" ID(6) ".link", LINK("recordings/waits.mp4"));	/* it is still on its way */
	make("uploads/" ID(6) ".json", "{}");
	make("uploads/" ID(7) ".link", "torn");
	make("uploads/short.link", LINK(""));
	l = read_all(false);
	assert_int_equal(l->n, 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(l->list[i].id[LEDGER_ID - 2], '1' + (int)i);
		assert_int_equal(l->list[i].due, i < 4);
		assert_null(l->list[i].mark);
	}
	replace_links_free(l);
}

static void
it_is_due_when_the_mp4_has_its_mark(void **state)
{
	char path[300], id[LEDGER_ID];
	struct replace_links *l;
	struct stat st;
	json_t *mark;

	make("recordings/a.mp4", "x");
	make("uploads/" ID(1) ".link", LINK("recordings/a.mp4"));
	make("uploads/" ID(1) ".done", DONE("media"));
	snprintf(path, sizeof path, "%s/recordings/a.mp4", dir);
	assert_int_equal(stat(path, &st), 0);
	ledger_id_of("host", path, id);
	mark = json_pack("{s:s, s:i, s:I}", "path", path, "size", 1, "mtime_ns",
	    (json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	assert_int_equal(upload_mark_write(dir, id, mark), 0);
	json_decref(mark);
	l = read_all(true);
	assert_int_equal(l->n, 1);
	assert_true(l->list[0].due);
	assert_true(json_is_false(json_object_get(l->list[0].mark, "local")));
	replace_links_free(l);
	make("recordings/a.mp4", "xx");
	l = read_all(false);
	assert_false(l->list[0].due);
	replace_links_free(l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(what_is_due_is_found), T(it_is_due_when_the_mp4_has_its_mark),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
