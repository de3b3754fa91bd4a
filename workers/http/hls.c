/*
 * hls.c - playlists and segments from data_dir/hls. A path is put together from a checked
 * stream name and a checked file name only.
 * A stream that is not here may be on another host: the registry is asked, once in two seconds,
 * unless this host is alone (redis.url: embedded).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "util.h"

#define WHERE_MS 300			/* for the registry's answer */
#define WHERE_FRESH_MS 2000
#define WHERE_MAX 256
#define ASK_MAX 32			/* questions under way: the registry has more to do */
#define PLAYLIST_MAX (256 * 1024)
#define PLAYLIST_TYPE "application/vnd.apple.mpegurl"

static const struct { const char *suffix, *type, *cache; } types[] = {
	{ ".m3u8", PLAYLIST_TYPE, "Cache-Control: no-cache\r\n" },
	{ ".ts", "video/mp2t", "Cache-Control: public, max-age=31536000, immutable\r\n" },
	{ ".m4s", "video/iso.segment", "Cache-Control: public, max-age=31536000, immutable\r\n" },
	{ ".mp4", "video/mp4", "Cache-Control: public, max-age=31536000, immutable\r\n" },
};

struct place {			/* where a stream is, as the registry said */
	char name[BOARD_NAME], url[256];
	int64_t asked_ms;
};
static struct place places[WHERE_MAX];

struct asking { uint64_t conn; char name[BOARD_NAME]; char path[256]; };
static unsigned nasking;

static int
open_below(const char *name, const char *file)
{
	char path[BOARD_NAME + 100];

	snprintf(path, sizeof(path), "hls/%s/%s", name, file);
	return below_open(path);
}

/* Index into types[], or -1: not a file that is served. */
static int
type_of(const char *file)
{
	size_t n = strlen(file), k;

	if (!stream_name_ok(file, n))	/* the same harmless characters */
		return -1;
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		k = strlen(types[i].suffix);
		if (n > k && strcmp(file + n - k, types[i].suffix) == 0)
			return (int)i;
	}
	return -1;
}

/* --- streams of other hosts --- */

static void
missing(struct conn *c, const char *url, const char *path)
{
	char to[600];

	if (url[0] == '\0') {
		answer_text(c, 404, "No such stream here. Is it being published?\n");
		return;
	}
	snprintf(to, sizeof(to), "%.250s%.255s", url, path);
	answer_redirect(c, to);
}

static struct place *
place_of(const char *name)
{
	struct place *oldest = &places[0];

	for (unsigned i = 0; i < WHERE_MAX; i++) {
		if (strcmp(places[i].name, name) == 0)
			return &places[i];
		if (places[i].asked_ms < oldest->asked_ms)
			oldest = &places[i];
	}
	str_copy(oldest->name, name, sizeof(oldest->name));
	oldest->asked_ms = 0;
	oldest->url[0] = '\0';
	return oldest;
}

static void
where_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct asking *a = ctx;
	struct conn *c = conn_find(a->conn);
	struct place *p = place_of(a->name);
	const char *url = json_string_value(json_object_get(body, "url"));

	nasking--;
	p->asked_ms = now_ms();
	str_copy(p->url, rc == 0 && url != NULL ? url : "", sizeof(p->url));
	if (c != NULL)
		missing(c, p->url, a->path);
	free(a);
}

static void
elsewhere(struct conn *c, const char *name)
{
	struct place *p;
	struct asking *a;

	if (http.limits.alone || nasking >= ASK_MAX) {
		missing(c, "", NULL);
		return;
	}
	p = place_of(name);
	if (now_ms() - p->asked_ms < WHERE_FRESH_MS && p->asked_ms != 0) {
		missing(c, p->url, request_path(&c->req));
		return;
	}
	nasking++;
	a = xcalloc(1, sizeof(*a));
	a->conn = c->id;
	str_copy(a->name, name, sizeof(a->name));
	str_copy(a->path, request_path(&c->req), sizeof(a->path));
	svc_call(http.svc, "registry", "where", json_pack("{s:s}", "name", name), WHERE_MS, where_cb, a);
}

/* --- handlers --- */

static void
send_file(struct conn *c, const char *name, const char *file)
{
	char cookie[128] = "", extra[256];
	int type = type_of(file), fd = -1;

	if (type < 0 || !stream_name_ok(name, strlen(name))) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	fd = open_below(name, file);
	if (fd < 0) {
		elsewhere(c, name);
		return;
	}
	if (type == 0 && !answer_is_head(c))
		viewers_seen(name, c, cookie, sizeof(cookie));
	snprintf(extra, sizeof(extra), "%s%s", types[type].cache, cookie);
	answer_file(c, fd, types[type].type, extra);
}

void
hls_live(struct conn *c, const struct route_match *m)
{
	send_file(c, m->arg[0], "live.m3u8");
}

void
hls_file(struct conn *c, const struct route_match *m)
{
	send_file(c, m->arg[0], m->arg[1]);
}

/* The playlist with its segments named from here: "../../stream/NAME/FILE". */
static char *
rebased(const char *text, const char *name, size_t *len)
{
	size_t size = strlen(text) + 1, n = 0, line;
	char prefix[BOARD_NAME + 32], *out;
	size_t k = (size_t)snprintf(prefix, sizeof(prefix), "../../stream/%s/", name);

	for (const char *p = text; *p != '\0'; p++)
		size += *p == '\n' ? k : 0;
	out = xmalloc(size + k);
	for (; *text != '\0'; text += line) {
		line = strcspn(text, "\n");
		line += text[line] == '\n';
		if (text[0] != '#' && text[0] != '\n') {
			memcpy(out + n, prefix, k);
			n += k;
		}
		memcpy(out + n, text, line);
		n += line;
	}
	out[n] = '\0';
	*len = n;
	return out;
}

void
hls_alias(struct conn *c, const struct route_match *m)
{
	char name[ROUTE_ARG_MAX], path[64], cookie[128], extra[256], *text, *out;
	size_t n = strlen(m->arg[1]), len;
	int fd;

	str_copy(name, m->arg[1], sizeof(name));
	if (n <= 5 || strcmp(name + n - 5, ".m3u8") != 0 || !stream_name_ok(name, n - 5)) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	name[n - 5] = '\0';
	fd = open_below(name, "live.m3u8");
	if (fd < 0) {
		elsewhere(c, name);
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	text = file_read(path, PLAYLIST_MAX, NULL);
	close(fd);
	if (text == NULL) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	out = rebased(text, name, &len);
	free(text);
	viewers_seen(name, c, cookie, sizeof(cookie));
	snprintf(extra, sizeof(extra), "%s%s", types[0].cache, cookie);
	answer_bytes(c, 200, PLAYLIST_TYPE, extra, out, len, true);
}
