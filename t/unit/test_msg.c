/* msg*.c: packets whole with their descriptors, bad ones dropped, queues bounded, text made JSON. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "msg.h"

struct seen {
	int messages, ends;
	uint16_t type;
	uint32_t id;
	char name[32];
	int fd;			/* taken from the message, -1 = none */
	bool free_in_cb;
};

static struct event_base *base;

static void
seen_cb(struct msg_chan *c, struct msg *m, void *ctx)
{
	struct seen *s = ctx;

	if (!m) {
		s->ends++;
		msg_chan_free(&c);
		return;
	}
	s->messages++;
	s->type = m->type;
	s->id = m->id;
	snprintf(s->name, sizeof s->name, "%s", msg_str_or(m, "name", ""));
	s->fd = msg_take_fd(m, 0);
	if (s->free_in_cb)
		msg_chan_free(&c);
}

static int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void
turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
pair(int sv[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
}

static void
arrives_whole_with_descriptors(void **state)
{
	struct seen s = { .fd = -1 };
	int sv[2], p[2], before, n;
	struct msg_chan *a, *b;
	char byte;

	before = open_fds();
	pair(sv);
	assert_int_equal(pipe(p), 0);
	a = msg_chan_new(base, sv[0], seen_cb, &s);
	b = msg_chan_new(base, sv[1], seen_cb, &s);
	assert_int_equal(msg_send(a, MSG_CONN, 7, json_pack("{s:s}", "name", "alice"), p, 2), 0);
	turn();
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.type, MSG_CONN);
	assert_int_equal(s.id, 7);
	assert_string_equal(s.name, "alice");
	/* One was taken, the other closed: so the pipe has no writer, and ours was sent away. */
	assert_true(s.fd >= 0);
	assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
	n = (int)read(s.fd, &byte, 1);
	assert_int_equal(n, 0);
	close(s.fd);
	msg_chan_free(&a);
	assert_null(a);
	turn();
	assert_int_equal(s.ends, 1);
	assert_int_equal(open_fds(), before);
	(void)b;
}

static void
bad_packets_are_dropped_and_their_descriptors_closed(void **state)
{
	struct proto_header good = { .version = PROTO_VERSION, .type = MSG_READY, .json_len = 2 };
	struct seen s = { .fd = -1 };
	uint8_t buf[sizeof good + 16];
	struct msg_chan *c;
	int sv[2];

	pair(sv);
	c = msg_chan_new(base, sv[0], seen_cb, &s);
	memcpy(buf, &good, sizeof good);
	memcpy(buf + sizeof good, "{}", 2);
	for (size_t n = 1; n < sizeof good + 2; n++)	/* split at every byte */
		assert_int_equal(send(sv[1], buf, n, 0), (ssize_t)n);
	turn();
	turn();
	assert_int_equal(s.messages, 0);
	memcpy(buf + sizeof good, "[]", 2);
	send(sv[1], buf, sizeof good + 2, 0);
	memcpy(buf + sizeof good, "{\xff", 2);
	send(sv[1], buf, sizeof good + 2, 0);
	memcpy(buf + sizeof good, "{}{", 3);
	send(sv[1], buf, sizeof good + 3, 0);
	memcpy(buf + sizeof good, "{}", 2);
	good.version = PROTO_VERSION + 1;
	memcpy(buf, &good, sizeof good);
	send(sv[1], buf, sizeof good + 2, 0);
	turn();
	assert_int_equal(s.messages, 0);
	good.type = MSG_STOP;	/* passes with any version */
	memcpy(buf, &good, sizeof good);
	send(sv[1], buf, sizeof good + 2, 0);
	turn();
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.type, MSG_STOP);
	close(sv[1]);
	turn();
	assert_int_equal(s.ends, 1);
	(void)c;
}

static void
a_channel_may_be_freed_in_its_callback(void **state)
{
	struct seen s = { .fd = -1, .free_in_cb = true };
	struct msg_chan *a, *b;
	int sv[2];

	pair(sv);
	a = msg_chan_new(base, sv[0], seen_cb, &s);
	b = msg_chan_new(base, sv[1], seen_cb, &s);
	for (int i = 0; i < 3; i++)
		assert_int_equal(msg_send(b, MSG_READY, 0, NULL, NULL, 0), 0);
	turn();
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.ends, 1);
	(void)a;
}

static void
the_queue_is_bounded_and_its_age_known(void **state)
{
	struct seen s = { .fd = -1 };
	int sv[2], p[2], before, sent = 0;
	struct msg_chan *c;

	before = open_fds();
	pair(sv);
	c = msg_chan_new(base, sv[0], seen_cb, &s);
	while (msg_send(c, MSG_READY, 0, NULL, NULL, 0) == 0 && sent < 100000)
		sent++;
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(msg_chan_queued(c), PROTO_QUEUE_MAX);
	usleep(30000);
	assert_true(msg_chan_stuck_ms(c) >= 25);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(msg_send(c, MSG_READY, 0, NULL, p, 2), -1);	/* closed all the same */
	msg_flush(c, 20);
	assert_int_equal(msg_chan_queued(c), PROTO_QUEUE_MAX);
	close(sv[1]);
	turn();
	assert_int_equal(s.ends, 1);
	assert_int_equal(open_fds(), before);
}

static void
too_big_and_gone_are_told(void **state)
{
	struct seen s = { .fd = -1 };
	static char big[PROTO_MSG_MAX];
	struct msg_chan *c;
	int sv[2];

	memset(big, 'x', sizeof big - 1);
	pair(sv);
	c = msg_chan_new(base, sv[0], seen_cb, &s);
	assert_int_equal(msg_send(c, MSG_READY, 0, json_pack("{s:s}", "x", big), NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(msg_chan_stuck_ms(c), 0);
	close(sv[1]);
	msg_send(c, MSG_READY, 0, NULL, NULL, 0);
	assert_int_equal(msg_send(c, MSG_READY, 0, NULL, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	turn();
	assert_int_equal(s.ends, 1);
}

static void
the_blocking_pair(void **state)
{
	uint16_t type = 0;
	uint32_t id = 0;
	json_t *body = NULL;
	int sv[2];

	pair(sv);
	assert_int_equal(msg_write(sv[0], MSG_KICK, 9, json_pack("{s:s}", "name", "x")), 0);
	assert_int_equal(msg_read(sv[1], 100, &type, &id, &body), 0);
	assert_int_equal(type, MSG_KICK);
	assert_int_equal(id, 9);
	assert_string_equal(json_string_value(json_object_get(body, "name")), "x");
	json_decref(body);
	assert_int_equal(msg_read(sv[1], 20, &type, &id, &body), -1);
	assert_int_equal(errno, ETIMEDOUT);
	close(sv[0]);
	assert_int_equal(msg_read(sv[1], 20, &type, &id, &body), -1);
	assert_int_equal(errno, EPIPE);
	close(sv[1]);
}

static void
keys_are_there_or_reported(void **state)
{
	struct msg m = { .type = MSG_CLAIM, .body = json_pack("{s:s, s:i}", "s", "x", "i", 5) };
	int64_t n = 0;

	assert_string_equal(msg_str(&m, "s"), "x");
	assert_int_equal(msg_int(&m, "i", &n), 0);
	assert_int_equal(n, 5);
	errno = 0;
	assert_null(msg_str(&m, "i"));
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(msg_int(&m, "s", &n), -1);
	assert_null(msg_str(&m, "none"));
	assert_string_equal(msg_str_or(&m, "i", "d"), "d");
	assert_int_equal(msg_int_or(&m, "s", -3), -3);
	assert_string_equal(msg_type_name(MSG_CLAIM), "CLAIM");
	assert_string_equal(msg_type_name(31), "unknown");
	assert_string_equal(msg_type_name(60000), "unknown");
	json_decref(m.body);
}

static void
foreign_bytes_become_text(void **state)
{
	static const struct { const char *in; size_t len; const char *out; } t[] = {
		{ "plain", 5, "plain" }, { "", 0, "" }, { "a\0b", 3, "a\xef\xbf\xbd" "b" },
		{ "\xc3\xa4", 2, "\xc3\xa4" }, { "\xc3", 1, "\xef\xbf\xbd" },
		{ "\xff\xfe", 2, "\xef\xbf\xbd\xef\xbf\xbd" }, { "\xed\xa0\x80", 3,
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		json_t *s = msg_text(t[i].in, t[i].len);

		assert_string_equal(json_string_value(s), t[i].out);
		json_decref(s);
	}
}

static int
setup(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	base = event_base_new();
	return base ? 0 : -1;
}

static int
teardown(void **state)
{
	event_base_free(base);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrives_whole_with_descriptors),
		cmocka_unit_test(bad_packets_are_dropped_and_their_descriptors_closed),
		cmocka_unit_test(a_channel_may_be_freed_in_its_callback),
		cmocka_unit_test(the_queue_is_bounded_and_its_age_known),
		cmocka_unit_test(too_big_and_gone_are_told),
		cmocka_unit_test(the_blocking_pair),
		cmocka_unit_test(keys_are_there_or_reported),
		cmocka_unit_test(foreign_bytes_become_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
