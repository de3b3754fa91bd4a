/*
 * hls.c - playlists and segments from data_dir/hls. A path is put together from a checked
 * stream name and a checked file name only. For a stream that is not here see where.c.
 */
#include <stdio.h>
#include <string.h>

#include "http.h"

static const struct { const char *suffix, *type, *cache; } types[] = {
	{ ".m3u8", "application/vnd.apple.mpegurl", "Cache-Control: no-cache\r\n" },
	{ ".ts", "video/mp2t", "Cache-Control: public, max-age=31536000, immutable\r\n" },
	{ ".m4s", "video/iso.segment", "Cache-Control: public, max-age=31536000, immutable\r\n" },
	{ ".mp4", "video/mp4", "Cache-Control: public, max-age=31536000, immutable\r\n" },
};

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
		where_redirect(c, name);
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

/* A name that players of the old servers know. They follow it once, and have the playlist's own from then on. */
void
hls_alias(struct conn *c, const struct route_match *m)
{
	const char *file = m->arg[1];
	size_t n = strlen(file);
	char to[BOARD_NAME + 32];

	if (n <= 5 || strcmp(file + n - 5, ".m3u8") != 0 || !stream_name_ok(file, n - 5)) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	snprintf(to, sizeof(to), "../../stream/%.*s/live.m3u8", (int)(n - 5), file);
	answer_redirect(c, to);
}
