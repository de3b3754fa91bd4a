/*
 * cli_ask.c - one question to the supervisor over run_dir/control.sock, blocking, with a limit.
 *
 * Every failure says what to do next. Status needs none of this; only the other hosts of a
 * cluster are asked for here, 300 ms in all.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "msg.h"
#include "supervisor/cli.h"
#include "util.h"

#define ASK_MS 10000
#define CALL_MS 5000
#define CLUSTER_MS 300
#define CLUSTER_PAGES 16

static int
open_socket(const char *run_dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval limit = { 5, 0 };
	int fd, saved;

	if (path_join(sun.sun_path, sizeof(sun.sun_path), run_dir, "control.sock") == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
not_running(const struct cli *c)
{
	fprintf(stderr, "millrace: millraced is not running in %s%s%s\n", c->run_dir,
	    c->conf_path != NULL ? ", run_dir of " : "", c->conf_path != NULL ? c->conf_path : "");
	cli_print_start(c, stderr);
}

/* To control.sock, or -1 after a message. */
static int
connect_to(const struct cli *c)
{
	int fd = open_socket(c->run_dir);

	if (fd != -1)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		not_running(c);
	else if (errno == EACCES || errno == EPERM)
		cli_not_permitted(c, "control.sock");
	else
		fprintf(stderr, "millrace: %s/control.sock: %s\n", c->run_dir, strerror(errno));
	return -1;
}

static int
converse(int fd, uint16_t type, json_t *body, int timeout_ms, json_t **answer)
{
	uint16_t got;
	uint32_t id;

	if (msg_write(fd, type, 1, body) == -1)
		return -1;
	for (;;) {
		if (msg_read(fd, timeout_ms, &got, &id, answer) == -1)
			return -1;
		if (got == MSG_REPLY && id == 1)
			return 0;
		json_decref(*answer);
	}
}

int
cli_ask(const struct cli *c, uint16_t type, json_t *body, json_t **reply)
{
	int fd = connect_to(c), rc;
	json_t *answer;

	if (fd == -1) {
		json_decref(body);
		return -1;
	}
	rc = converse(fd, type, body, ASK_MS, &answer);
	close(fd);
	if (rc == -1) {
		fprintf(stderr, "millrace: millraced does not answer (%s); `millrace status` works without it\n",
		    errno == EPIPE || errno == ECONNRESET ? "it closed the connection: root, its own user or "
		    "control.group may ask, limits.control of them at once; its log says which it was" :
		    strerror(errno));
		return -1;
	}
	rc = (int)json_integer_value(json_object_get(answer, "rc"));
	if (reply != NULL)
		*reply = json_incref(json_object_get(answer, "body"));
	json_decref(answer);
	return rc;
}

int
cli_call(const struct cli *c, const char *to, const char *verb, json_t *args, json_t **reply)
{
	return cli_ask(c, MSG_CALL, json_pack("{s:s, s:s, s:o, s:i}", "to", to, "verb", verb, "args", args,
	    "deadline_ms", CALL_MS), reply);
}

void
cli_call_failed(const char *what, int rc, const json_t *body)
{
	const char *text = json_string_value(json_object_get(body, "text"));

	if (rc == EHOSTDOWN)
		fprintf(stderr, "millrace: Redis is away; what runs goes on. `millrace status` says since when\n");
	else if (rc == ENOTCONN || rc == EPIPE)
		fprintf(stderr, "millrace: no worker is ready to answer; `millrace status` says why\n");
	else if (rc == ETIMEDOUT)
		fprintf(stderr, "millrace: no answer within %d s; is Redis hanging?\n", CALL_MS / 1000);
	else if (rc == EBUSY)
		fprintf(stderr, "millrace: %s: too many questions are under way (limits.calls); try again\n", what);
	else if (rc != -1)
		fprintf(stderr, "millrace: %s: %s\n", what, text != NULL ? text : strerror(rc));
}

/* One CALL of the registry; its body, or NULL. */
static json_t *
call_registry(int fd, const char *verb, json_t *args, int64_t deadline)
{
	int64_t left = deadline - now_ms();
	json_t *answer, *body, *q;

	q = json_pack("{s:s, s:s, s:o, s:I}", "to", "registry", "verb", verb, "args", args,
	    "deadline_ms", (json_int_t)left);
	if (left <= 0) {
		json_decref(q);
		return NULL;
	}
	if (converse(fd, MSG_CALL, q, (int)left, &answer) == -1)
		return NULL;
	body = json_integer_value(json_object_get(answer, "rc")) == 0 ?
	    json_incref(json_object_get(answer, "body")) : NULL;
	json_decref(answer);
	return body;
}

static json_t *
all_streams(int fd, int64_t deadline)
{
	json_t *all = json_array(), *cursor = NULL, *args, *body;
	int page;

	for (page = 0; page < CLUSTER_PAGES; page++) {
		args = cursor != NULL ? json_pack("{s:o}", "cursor", cursor) : json_object();
		cursor = NULL;
		body = call_registry(fd, "streams", args, deadline);
		json_array_extend(all, json_object_get(body, "streams"));
		cursor = json_incref(json_object_get(body, "cursor"));
		json_decref(body);
		if (cursor == NULL || json_is_null(cursor) ||
		    (json_is_string(cursor) && json_string_length(cursor) == 0) ||
		    (json_is_integer(cursor) && json_integer_value(cursor) == 0))
			break;
	}
	json_decref(cursor);
	return all;
}

void
cli_ask_cluster(const struct cli *c, struct cli_snap *s)
{
	const struct board_registry *r = cli_snap_registry(s);
	int64_t deadline = now_ms() + CLUSTER_MS;
	json_t *body;
	int fd;

	if (s->state != CLI_STATE_UP || r == NULL || r->hosts <= 1)
		return;
	s->registry_silent = true;
	fd = open_socket(c->run_dir);
	if (fd == -1)
		return;
	body = call_registry(fd, "hosts", json_object(), deadline);
	if (json_is_array(json_object_get(body, "hosts"))) {
		s->hosts = json_incref(json_object_get(body, "hosts"));
		s->cluster = all_streams(fd, deadline);
		s->registry_silent = false;
	}
	json_decref(body);
	close(fd);
}
