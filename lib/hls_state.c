/*
 * hls_state.c - a playlist's state on disk and its text (contract in hls_state.h; RFC 8216).
 * Called by the ingest with every segment, by millrace-finish, and to resume.
 */
#include "hls_state.h"

#include <dirent.h>
#include <errno.h>
#include <event2/buffer.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define STATE_MAX (256 * 1024)
#define PATH_BYTES 1024

static json_t *
segment_json(const struct hls_segment *s)
{
	return json_pack("{s:s, s:I, s:I, s:b}", "uri", s->uri, "duration_us", (json_int_t)s->duration_us,
	    "wall_ms", (json_int_t)s->wall_ms, "discontinuity", s->discontinuity);
}

int
hls_state_write(const char *dir, const struct hls_state *s)
{
	json_t *segments = json_array(), *old = json_array(), *o;
	char path[PATH_BYTES], *text;
	int rc;

	for (int i = 0; i < s->nsegments; i++)
		json_array_append_new(segments, segment_json(&s->segments[i]));
	for (int i = 0; i < s->nold; i++)
		json_array_append_new(old, json_string(s->old[i]));
	o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:I, s:I, s:b, s:o, s:o}",
	    "name", s->name, "app", s->app,
	    "first_sequence", (json_int_t)s->first_sequence, "next_sequence", (json_int_t)s->next_sequence,
	    "discontinuity_sequence", (json_int_t)s->discontinuity_sequence, "target_sec", s->target_sec,
	    "next_ts_ms", (json_int_t)s->next_ts_ms, "segment_ms", (json_int_t)s->segment_ms,
	    "ended", s->ended, "segments", segments, "old", old);
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text == NULL || path_join(path, sizeof(path), dir, "state") < 0) {
		free(text);
		errno = EINVAL;
		return -1;
	}
	rc = file_replace(path, text, strlen(text));
	free(text);
	return rc;
}

static int64_t
integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* A file name of ours: nothing that could leave the folder. */
static int
copy_uri(char *dst, size_t size, const json_t *v)
{
	const char *s = json_string_value(v);

	if (s == NULL || s[0] == '.' || strchr(s, '/') != NULL || str_copy(dst, s, size) >= size)
		return -1;
	return 0;
}

static int
lists_read(const json_t *o, struct hls_state *s)
{
	const json_t *segments = json_object_get(o, "segments"), *old = json_object_get(o, "old"), *v;
	size_t i;

	if (json_array_size(segments) >= HLS_WINDOW_MAX || json_array_size(old) >= HLS_OLD_MAX)
		return -1;
	json_array_foreach(segments, i, v) {
		struct hls_segment *g = &s->segments[s->nsegments++];

		if (copy_uri(g->uri, sizeof(g->uri), json_object_get(v, "uri")) < 0)
			return -1;
		g->duration_us = integer(v, "duration_us");
		g->wall_ms = integer(v, "wall_ms");
		g->discontinuity = json_is_true(json_object_get(v, "discontinuity"));
	}
	json_array_foreach(old, i, v)
		if (copy_uri(s->old[s->nold++], sizeof(s->old[0]), v) < 0)
			return -1;
	return 0;
}

int
hls_state_read(const char *dir, struct hls_state *out)
{
	char path[PATH_BYTES], *text;
	const char *name;
	json_t *o;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (path_join(path, sizeof(path), dir, "state") < 0)
		return -1;
	text = file_read(path, STATE_MAX, NULL);
	if (text == NULL)
		return -1;
	o = json_loads(text, 0, NULL);
	free(text);
	name = json_string_value(json_object_get(o, "name"));
	if (name != NULL && str_copy(out->name, name, sizeof(out->name)) < sizeof(out->name)) {
		name = json_string_value(json_object_get(o, "app"));
		str_copy(out->app, name != NULL ? name : "", sizeof(out->app));
		out->first_sequence = (uint64_t)integer(o, "first_sequence");
		out->next_sequence = (uint64_t)integer(o, "next_sequence");
		out->discontinuity_sequence = (uint64_t)integer(o, "discontinuity_sequence");
		out->target_sec = (int)integer(o, "target_sec");
		out->next_ts_ms = integer(o, "next_ts_ms");
		out->segment_ms = integer(o, "segment_ms");
		out->ended = json_is_true(json_object_get(o, "ended"));
		rc = lists_read(o, out);
	}
	json_decref(o);
	if (rc < 0)
		errno = EBADMSG;
	return rc;
}

void
hls_state_map(const char *uri, char *buf, size_t size)
{
	size_t n = strlen(uri), run = strcspn(uri, "_");

	if (n > 4 && strcmp(uri + n - 4, ".m4s") == 0)
		snprintf(buf, size, "%.*s_init.mp4", (int)run, uri);
	else
		buf[0] = '\0';
}

bool
hls_state_fmp4(const struct hls_state *s)
{
	char map[64] = "";

	for (int i = 0; i < s->nsegments && map[0] == '\0'; i++)
		hls_state_map(s->segments[i].uri, map, sizeof(map));
	return map[0] != '\0';
}

bool
hls_state_names(const struct hls_state *s, const char *file)
{
	char map[64];

	for (int i = 0; i < s->nsegments + s->nold; i++) {
		const char *uri = i < s->nsegments ? s->segments[i].uri : s->old[i - s->nsegments];

		hls_state_map(uri, map, sizeof(map));
		if (strcmp(uri, file) == 0 || strcmp(map, file) == 0)
			return true;
	}
	return false;
}

static void
render_segment(struct evbuffer *b, const struct hls_segment *g, char map[64])
{
	char date[32], own[64];

	hls_state_map(g->uri, own, sizeof(own));
	if (g->discontinuity)
		evbuffer_add_printf(b, "#EXT-X-DISCONTINUITY\n");
	if (strcmp(own, map) != 0)
		evbuffer_add_printf(b, "#EXT-X-MAP:URI=\"%s\"\n", own);
	str_copy(map, own, 64);
	evbuffer_add_printf(b, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%lld.%06lld,\n%s\n",
	    wall_format(g->wall_ms, date), (long long)(g->duration_us / 1000000),
	    (long long)(g->duration_us % 1000000), g->uri);
}

char *
hls_playlist_render(const struct hls_state *s, bool endlist)
{
	struct evbuffer *b = evbuffer_new();
	char map[64] = "", *text;
	size_t n;

	evbuffer_add_printf(b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%llu\n",
	    hls_state_fmp4(s) ? 7 : 3, s->target_sec, (unsigned long long)s->first_sequence);
	if (s->discontinuity_sequence > 0)
		evbuffer_add_printf(b, "#EXT-X-DISCONTINUITY-SEQUENCE:%llu\n",
		    (unsigned long long)s->discontinuity_sequence);
	evbuffer_add_printf(b, "#EXT-X-INDEPENDENT-SEGMENTS\n");
	for (int i = 0; i < s->nsegments; i++)
		render_segment(b, &s->segments[i], map);
	if (endlist)
		evbuffer_add_printf(b, "#EXT-X-ENDLIST\n");
	n = evbuffer_get_length(b);
	text = xmalloc(n + 1);
	evbuffer_remove(b, text, n);
	text[n] = '\0';
	evbuffer_free(b);
	return text;
}

int
hls_playlist_write(const char *dir, const struct hls_state *s, bool endlist)
{
	char path[PATH_BYTES], *text;
	int rc;

	if (path_join(path, sizeof(path), dir, "live.m3u8") < 0)
		return -1;
	text = hls_playlist_render(s, endlist);
	rc = file_replace(path, text, strlen(text));
	free(text);
	return rc;
}

/* Removes what the state (NULL: nothing) does not name; all = playlist and state too. */
static int
remove_files(const char *dir, const struct hls_state *s, bool all)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (all || (e->d_name[0] == 's' && strcmp(e->d_name, "state") != 0 &&
		    strcmp(e->d_name, "state.tmp") != 0 && !hls_state_names(s, e->d_name)))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	return 0;
}

int
hls_dir_remove(const char *dir)
{
	if (remove_files(dir, NULL, true) < 0)
		return errno == ENOENT ? 0 : -1;
	return rmdir(dir);
}

void
hls_dir_sweep(const char *dir, const struct hls_state *s)
{
	remove_files(dir, s, false);
}
