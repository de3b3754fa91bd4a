/*
 * raw.c - raw recordings (contract in raw.h). Reads the two ends of a file only: its first
 * tags name the codecs, its last tag has its duration. Called by finalise.c and scan.c.
 *
 * A crash may have left half a tag at the end: then the last whole one is looked for from the
 * front, by the tags' heads. Source of the format: FLV 10.1, annex E.
 */
#include "workers/jobs/raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flv.h"
#include "stream_name.h"
#include "util.h"

#define START_BYTES 20		/* "20261121T135800.123Z" */
#define FRONT_BYTES 65536
#define FIRST_TAGS 1000

int
raw_parse_path(const char *path, struct raw *out)
{
	const char *name = path + 4, *slash;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (strncmp(path, "rec/", 4) != 0 || (slash = strchr(name, '/')) == NULL)
		return -1;
	n = (size_t)(slash - name);
	if (!stream_name_ok(name, n) || strlen(++slash) != START_BYTES + 4 ||
	    strspn(slash, "0123456789T.Z") != START_BYTES + 1)
		return -1;
	out->matroska = strcmp(slash + START_BYTES, ".mkv") == 0;
	if (!out->matroska && strcmp(slash + START_BYTES, ".flv") != 0)
		return -1;
	memcpy(out->stream, name, n);
	memcpy(out->start, slash, START_BYTES);
	return 0;
}

static uint32_t
be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* Of a tag's head; *body: bytes that follow it, with the tail. */
static int64_t
tag_ms(const uint8_t *p, uint32_t *body)
{
	*body = be24(p + 1) + FLV_TAG_TAIL_BYTES;
	return (int64_t)((uint32_t)p[7] << 24 | be24(p + 4));
}

/* What the codec's own number or FourCC asks of an MP4. */
static void
look_at(struct raw *r, const uint8_t *p, uint32_t len)
{
	struct flv_info info;
	bool audio = p[0] == FLV_AUDIO;

	if ((p[0] != FLV_AUDIO && p[0] != FLV_VIDEO) ||
	    (audio ? flv_parse_audio : flv_parse_video)(p + FLV_TAG_HEAD_BYTES, len, &info) < 0)
		return;
	r->empty = r->empty && (info.sequence_header || info.metadata);
	if (audio && info.codec != FLV_FOURCC('m', 'p', '4', 'a') && info.codec != FLV_FOURCC('.', 'm', 'p', '3') &&
	    info.codec != FLV_FOURCC('O', 'p', 'u', 's'))
		r->transcode_audio = true;
	if (!audio && info.codec == FLV_FOURCC('h', 'v', 'c', '1'))
		r->hvc1 = true;
}

static void
look_at_first_tags(struct raw *r, const uint8_t *p, size_t len)
{
	size_t at = FLV_HEADER_BYTES;
	uint32_t body;

	for (int i = 0; i < FIRST_TAGS && at + FLV_TAG_HEAD_BYTES < len; i++) {
		tag_ms(p + at, &body);
		if (at + FLV_TAG_HEAD_BYTES + body > len)
			body = (uint32_t)(len - at - FLV_TAG_HEAD_BYTES);
		look_at(r, p + at, body > FLV_TAG_TAIL_BYTES ? body - FLV_TAG_TAIL_BYTES : 0);
		at += FLV_TAG_HEAD_BYTES + body;
	}
}

/* By the last tail, which has the tag's length; -1: there is no whole tag at the end. */
static int64_t
end_ms(int fd, off_t size)
{
	uint8_t tail[FLV_TAG_TAIL_BYTES], head[FLV_TAG_HEAD_BYTES];
	uint32_t len, body;
	int64_t ms;

	if (pread(fd, tail, sizeof(tail), size - (off_t)sizeof(tail)) != (ssize_t)sizeof(tail))
		return -1;
	len = (uint32_t)tail[0] << 24 | be24(tail + 1);
	if ((off_t)len + (off_t)sizeof(tail) + FLV_HEADER_BYTES > size || pread(fd, head, sizeof(head),
	    size - (off_t)len - (off_t)sizeof(tail)) != (ssize_t)sizeof(head))
		return -1;
	ms = tag_ms(head, &body);
	return body + FLV_TAG_HEAD_BYTES == len + FLV_TAG_TAIL_BYTES ? ms : -1;
}

static int64_t
last_whole_ms(int fd, off_t size)
{
	uint8_t head[FLV_TAG_HEAD_BYTES];
	off_t at = FLV_HEADER_BYTES;
	int64_t last = 0;
	uint32_t body;

	while (pread(fd, head, sizeof(head), at) == (ssize_t)sizeof(head)) {
		int64_t ms = tag_ms(head, &body);

		at += FLV_TAG_HEAD_BYTES + (off_t)body;
		if (at > size)
			break;
		last = ms;
	}
	return last;
}

static bool
contains(const uint8_t *p, size_t len, const char *text)
{
	return memmem(p, len, text, strlen(text)) != NULL;
}

int
raw_read(int fd, struct raw *r)
{
	uint8_t *front = xmalloc(FRONT_BYTES);
	struct stat st;
	ssize_t n;

	r->empty = true;
	r->duration_ms = -1;
	n = fstat(fd, &st) == -1 ? -1 : pread(fd, front, FRONT_BYTES, 0);
	if (n > 0 && memcmp(front, r->matroska ? "\x1a\x45\xdf\xa3" : "FLV\1", n < 4 ? (size_t)n : 4) != 0) {
		errno = EBADMSG;
		n = -1;
	} else if (n > 0 && r->matroska) {
		r->empty = n < FRONT_BYTES && !contains(front, (size_t)n, "\x1f\x43\xb6\x75");	/* a cluster */
		r->hvc1 = contains(front, (size_t)n, "V_MPEGH/ISO/HEVC");
	} else if (n > (ssize_t)FLV_HEADER_BYTES) {
		look_at_first_tags(r, front, (size_t)n);
		r->empty = r->empty && n < FRONT_BYTES;
		r->duration_ms = end_ms(fd, st.st_size);
		if (r->duration_ms < 0)
			r->duration_ms = last_whole_ms(fd, st.st_size);
	}
	free(front);
	return n < 0 ? -1 : 0;
}

/* 0: key was there and is filled in. */
static int
fill(const char **p, const char *key, const char *value, char *out, size_t size, size_t *used)
{
	size_t n = strlen(key);

	if (strncmp(*p, key, n) != 0)
		return -1;
	*p += n;
	*used += (size_t)snprintf(out + *used, size - *used, "%s", value);
	return 0;
}

int
raw_mp4_path(const struct raw *r, const char *pattern, char *out, size_t size)
{
	char date[16];
	size_t used = 0;
	const char *p = pattern;

	snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", r->start, r->start + 4, r->start + 6);
	while (*p != '\0' && used < size - 1) {
		if (fill(&p, "{stream}", r->stream, out, size, &used) == 0 ||
		    fill(&p, "{start}", r->start, out, size, &used) == 0 ||
		    fill(&p, "{date}", date, out, size, &used) == 0)
			continue;
		out[used++] = *p++;
	}
	if (used >= size - 1)
		return -1;
	out[used] = '\0';
	return 0;
}
