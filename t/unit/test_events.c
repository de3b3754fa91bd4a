/* events.c: ids, one line each, a new file for a new registry, and a bounded spool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

struct supervisor sv;
static struct child registry;
static bool registry_ready;
static char dir[64];

struct child *
child_first(enum child_kind kind)
{
	return registry_ready ? &registry : NULL;
}

const char *
child_kind_name(enum child_kind kind)
{
	return "registry";
}

static int
setup(void **state)
{
	char path[100];

	strcpy(dir, "/tmp/millrace-events-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/spool", dir);
	assert_int_equal(mkdir(path, 0750), 0);
	sv.base = event_base_new();
	strcpy(sv.host_id, "h1");
	strcpy(sv.host, "host");
	sv.conf = json_pack("{s:s, s:{s:i}}", "data_dir", dir, "events", "spool_max", 300000);
	registry_ready = false;
	memset(&registry, 0, sizeof(registry));
	events_start();
	return 0;
}

static int
teardown(void **state)
{
	char command[100];

	events_stop();
	if (registry.control != NULL)
		msg_chan_free(&registry.control);
	json_decref(sv.conf);
	event_base_free(sv.base);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void
spool(glob_t *g)
{
	char pattern[100];

	snprintf(pattern, sizeof(pattern), "%s/spool/events-*.jsonl", dir);
	assert_int_equal(glob(pattern, 0, NULL, g), 0);
}

static void
test_lines(void **state)
{
	char *text, *second;
	json_t *one, *two;
	glob_t g;

	events_emit(json_pack("{s:s}", "event", "a"));
	events_emit(json_pack("{s:s}", "event", "b"));
	spool(&g);
	assert_int_equal(g.gl_pathc, 1);
	text = file_read(g.gl_pathv[0], 10000, NULL);
	second = strchr(text, '\n');
	*second++ = '\0';
	one = json_loads(text, 0, NULL);
	two = json_loads(second, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(one, "event")), "a");
	assert_string_equal(json_string_value(json_object_get(two, "event")), "b");
	assert_memory_equal(json_string_value(json_object_get(one, "id")), "h1-", 3);
	assert_string_not_equal(json_string_value(json_object_get(one, "id")),
	    json_string_value(json_object_get(two, "id")));
	assert_non_null(json_object_get(one, "time"));
	assert_string_equal(json_string_value(json_object_get(one, "host")), "host");
	json_decref(one);
	json_decref(two);
	free(text);
	globfree(&g);
}

static void
ignore_cb(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static void
test_registry(void **state)
{
	uint16_t type;
	uint32_t id;
	json_t *body;
	int pair[2];
	glob_t g;

	events_emit(json_pack("{s:s}", "event", "before"));
	usleep(2000);	/* a file's name is its time */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	registry.pid = 77;
	registry.control = msg_chan_new(sv.base, pair[0], ignore_cb, NULL);
	registry_ready = true;
	events_emit(json_pack("{s:s}", "event", "after"));
	event_base_loop(sv.base, EVLOOP_NONBLOCK);
	assert_int_equal(msg_read(pair[1], 1000, &type, &id, &body), 0);
	assert_int_equal(type, MSG_EVENT);
	assert_string_equal(json_string_value(json_object_get(body, "event")), "after");
	json_decref(body);
	close(pair[1]);
	spool(&g);
	assert_int_equal(g.gl_pathc, 2);
	globfree(&g);
}

static void
test_bounded(void **state)
{
	char filler[1001];
	struct stat st;
	off_t total = 0;
	size_t i;
	glob_t g;

	memset(filler, 'x', 1000);
	filler[1000] = '\0';
	for (i = 0; i < 400; i++)
		events_emit(json_pack("{s:s}", "event", filler));
	spool(&g);
	assert_true(g.gl_pathc >= 2);
	for (i = 0; i < g.gl_pathc; i++) {
		assert_int_equal(stat(g.gl_pathv[i], &st), 0);
		assert_true(st.st_size <= 256 << 10);
		total += st.st_size;
	}
	assert_in_range(total, 295000, 300000);
	globfree(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
