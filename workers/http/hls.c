/*
 * hls.c - playlists and segments from data_dir/hls. A path is put together from a checked
 * stream name and a checked file name only. For a stream that is not here see where.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "util.h"

#define PLAYLIST_MAX (256 * 1024)
#define PLAYLIST_TYPE "application/vnd.apple.mpegurl"

static const struct { const char *suffix, *type, *cache; } types[] = {
	{ ".m3u8", PLAYLIST_TYPE, "Cache-Control: no-cache\r\n" },
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
		where_redirect(c, name);
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
