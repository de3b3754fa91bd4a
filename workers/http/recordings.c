/*
 * recordings.c - /recordings, /recordings/FILE and /api/v1/recordings (contract in http.h), from
 * this host's data_dir/recordings, and from data_dir/media what frames sessions have made. The
 * folders are read on a thread, at most every FRESH_MS; who asks meanwhile waits for it. A file is
 * served as segments are: a name that is no recording's (hidden, of an unknown suffix) is not even
 * looked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "conf.h"
#include "http.h"
#include "log.h"
#include "record_scan.h"
#include "util.h"
#include "slow.h"

#define FRESH_MS 1000
#define PAGE 100
#define PREFIX "/recordings/"
#define CACHE "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"

struct waiter { uint64_t conn; void (*answer)(struct conn *c); };

static struct record_list *list;
static int64_t list_ms;
static struct record_scan *scan;	/* the one under way */
static struct slow *slow;
static struct waiter *waiters;
static size_t nwaiters;

/* --- the list --- */

static void
unavailable(struct conn *c)
{
	answer_text(c, 503, "The recordings cannot be read now.\n");
}

static void
scanned_cb(int rc, void *ctx)
{
	struct waiter *w = waiters;
	size_t n = nwaiters;
	struct conn *c;

	slow = NULL;
	if (rc != 0)
		log_warnx("cannot read %s/recordings or media; asked again with the next request", scan->data_dir);
	record_list_free(&list);
	list = scan->list;
	list_ms = now_ms();
	free(scan);
	scan = NULL;
	waiters = NULL;
	nwaiters = 0;
	for (size_t i = 0; i < n; i++) {
		c = conn_find(w[i].conn);
		if (c != NULL)
			(list != NULL && list->text_fd >= 0 ? w[i].answer : unavailable)(c);
	}
	free(w);
}

static void
start_scan(void)
{
	scan = xcalloc(1, sizeof(*scan));
	str_copy(scan->data_dir, http.limits.data_dir, sizeof(scan->data_dir));
	str_copy(scan->pattern, conf_str(http.svc->conf, "streams.record.path"), sizeof(scan->pattern));
	scan->max = (size_t)http.limits.max_recordings;
	scan->old = list;
	slow = slow_run(http.svc->base, record_scan, scanned_cb, scan);
	if (slow == NULL)
		scanned_cb(record_scan(scan), scan);
}

/* answer(c) now or as soon as the list is there. */
static void
with_list(struct conn *c, void (*answer)(struct conn *c))
{
	if (slow == NULL && list != NULL && list->text_fd >= 0 && now_ms() - list_ms < FRESH_MS) {
		answer(c);
	} else if (nwaiters >= (size_t)http.limits.max_waiting) {
		answer_text(c, 503, "Too many wait for the list of recordings (http.max_waiting); try again soon.\n");
	} else {
		waiters = xrealloc(waiters, (nwaiters + 1) * sizeof(*waiters));
		waiters[nwaiters++] = (struct waiter){ c->id, answer };
		if (slow == NULL)
			start_scan();
	}
}

/* --- handlers --- */

static void
answer_names(struct conn *c)
{
	int fd = fcntl(list->text_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		unavailable(c);
	else
		answer_file(c, fd, "application/json", "Cache-Control: no-cache\r\nVary: Accept\r\n");
}

void
recordings_list(struct conn *c, const struct route_match *m)
{
	if (accept_prefers_html(request_field(&c->req, FIELD_ACCEPT)))
		page_recordings(c);
	else
		with_list(c, answer_names);
}

void
recordings_file(struct conn *c, const struct route_match *m)
{
	const char *path = request_path(&c->req) + strlen(PREFIX);
	char file[RECORD_FILE_MAX], below[RECORD_FILE_MAX + sizeof(PREFIX)];
	const struct record_type *type;
	const char *folder;
	int fd = -1;

	/* an escape adds no component; what is decoded is checked, not what came */
	if (strcasestr(path, "%2f") == NULL && request_decode(path, strlen(path), file, sizeof(file)) == 0 &&
	    record_file_ok(file) && (type = record_type_of(file)) != NULL) {
		snprintf(below, sizeof(below), "%s%s", PREFIX + 1, file);
		fd = below_open(below);
		if (fd < 0 && (folder = record_media_folder(file)) != NULL) {
			snprintf(below, sizeof(below), "%s/%s", folder, file);
			fd = below_open(below);
		}
	}
	if (fd < 0)
		answer_text(c, 404, "No such recording.\n");
	else
		answer_file(c, fd, type->type, CACHE);
}

static json_t *
record_json(const struct record *r)
{
	char started[32], mtime[32];
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "file", r->file, "stream", r->stream, "type",
	    record_type_of(r->file)->type, "size", (json_int_t)r->size, "started", wall_format(r->started_ms, started),
	    "mtime", wall_format(r->mtime_ms, mtime));

	if (r->duration_ms >= 0)
		json_object_set_new(o, "duration_ms", json_integer(r->duration_ms));
	return o;
}

/* A cursor names the last one that was told, so a list that changes meanwhile shifts nothing. */
static size_t
after_cursor(const char *cursor)
{
	const char *colon = strchr(cursor, ':');
	long long ms = strtoll(cursor, NULL, 10);
	size_t i = 0;

	while (colon != NULL && i < list->n && record_order(ms, colon + 1, &list->r[i]) >= 0)
		i++;
	return i;
}

static void
answer_details(struct conn *c)
{
	char cursor[RECORD_FILE_MAX + 32] = "", limit[16] = "";
	json_t *out = json_array();
	size_t i, end;
	long n = PAGE;

	if (request_param(&c->req, "limit", limit, sizeof(limit)) == 0 && (n = strtol(limit, NULL, 10)) < 1)
		n = 1;
	request_param(&c->req, "cursor", cursor, sizeof(cursor));
	i = after_cursor(cursor);
	end = i + (size_t)(n < PAGE ? n : PAGE);
	for (; i < list->n && i < end; i++)
		json_array_append_new(out, record_json(&list->r[i]));
	cursor[0] = '\0';
	if (i < list->n && i > 0)
		snprintf(cursor, sizeof(cursor), "%lld:%s", (long long)list->r[i - 1].started_ms, list->r[i - 1].file);
	answer_json(c, 200, json_pack("{s:o, s:s, s:I, s:I}", "recordings", out, "cursor", cursor, "listed",
	    (json_int_t)list->n, "total", (json_int_t)list->total));
}

void
recordings_api(struct conn *c, const struct route_match *m)
{
	with_list(c, answer_details);
}

/* A thread that still reads keeps what it has; the process ends. */
void
recordings_free(void)
{
	if (slow == NULL)
		record_list_free(&list);
}
