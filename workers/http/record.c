/*
 * record.c - see record.h. Names are matched against the pattern in force; a file of an older
 * pattern, or one that somebody put there, is still listed with what its name gives away.
 * Called by record_scan.c and recordings.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "be.h"
#include "util.h"
#include "workers/http/record.h"

#define TOP "recordings/"
#define COMPONENT_MAX 255
#define START_BYTES 20			/* 20261121T135800.123Z */
#define DATE_BYTES 10			/* 2026-11-21 */
#define MS_DIGITS 13			/* of our time since the epoch */

static const struct record_type types[] = {
	{ ".mp4", "video/mp4", false }, { ".webm", "video/webm", false }, { ".mkv", "video/x-matroska", false },
	{ ".m4a", "audio/mp4", true }, { ".wav", "audio/wav", true }, { ".mp3", "audio/mpeg", true },
	{ ".ogg", "audio/ogg", true }, { ".opus", "audio/ogg", true }, { ".flac", "audio/flac", true },
};

const struct record_type *
record_type_of(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(dot, types[i].suffix) == 0)
			return &types[i];
	return NULL;
}

static bool
component_ok(const char *s, size_t len)
{
	size_t n;

	if (len == 0 || len > COMPONENT_MAX || s[0] == '.')
		return false;
	for (; len > 0; s += n, len -= n) {
		n = utf8_sequence((const uint8_t *)s, len);
		if (n == 0 || (uint8_t)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

bool
record_file_ok(const char *file)
{
	size_t len;

	if (strlen(file) >= RECORD_FILE_MAX)
		return false;
	for (;; file += len + 1) {
		len = strcspn(file, "/");
		if (!component_ok(file, len))
			return false;
		if (file[len] == '\0')
			return true;
	}
}

/* --- what a name says --- */

/* Is s of the form, in which 0 stands for any digit? */
static bool
is_like(const char *s, const char *form)
{
	for (; *form != '\0'; s++, form++)
		if (*form == '0' ? *s < '0' || *s > '9' : *s != *form)
			return false;
	return true;
}

static int64_t
start_ms(const char *s)
{
	struct tm tm = { 0 };
	int ms;

	if (!is_like(s, "00000000T000000.000Z") || sscanf(s, "%4d%2d%2dT%2d%2d%2d.%3dZ", &tm.tm_year, &tm.tm_mon,
	    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

struct found {
	char *stream;
	int64_t started_ms;
};

static bool match(const char *p, const char *file, struct found *f);

/* The longest name that lets the rest fit; once it is known, no other. */
static bool
match_stream(const char *rest, const char *file, struct found *f)
{
	size_t n = strlen(f->stream);

	if (n > 0)
		return strncmp(file, f->stream, n) == 0 && match(rest, file + n, f);
	for (n = STREAM_NAME_MAX; n > 0; n--) {
		if (strnlen(file, n) < n || !stream_name_ok(file, n))
			continue;
		memcpy(f->stream, file, n);
		f->stream[n] = '\0';
		if (match(rest, file + n, f))
			return true;
	}
	f->stream[0] = '\0';
	return false;
}

/* The suffix may be another than the pattern's. */
static bool
match(const char *p, const char *file, struct found *f)
{
	while (*p != '\0') {
		if (strcmp(p, ".mp4") == 0)
			return *file == '.' && strpbrk(file + 1, "./") == NULL;
		if (strncmp(p, "{stream}", 8) == 0)
			return match_stream(p + 8, file, f);
		if (strncmp(p, "{start}", 7) == 0) {
			f->started_ms = start_ms(file);
			if (f->started_ms < 0)
				return false;
			p += 7;
			file += START_BYTES;
		} else if (strncmp(p, "{date}", 6) == 0) {
			if (!is_like(file, "0000-00-00"))
				return false;
			p += 6;
			file += DATE_BYTES;
		} else if (*p++ != *file++)
			return false;
	}
	return *file == '\0';
}

int64_t
record_describe(const char *pattern, const char *file, char stream[STREAM_NAME_MAX + 1])
{
	struct found f = { .stream = stream, .started_ms = -1 };
	const char *slash = strchr(file, '/'), *last = strrchr(file, '/');

	stream[0] = '\0';
	if (strncmp(pattern, TOP, strlen(TOP)) == 0 && match(pattern + strlen(TOP), file, &f))
		return f.started_ms;
	stream[0] = '\0';
	if (slash != NULL && stream_name_ok(file, (size_t)(slash - file)))
		str_copy(stream, file, (size_t)(slash - file) + 1);
	return start_ms(last != NULL ? last + 1 : file);
}

int64_t
record_describe_media(const char *file, char stream[STREAM_NAME_MAX + 1])
{
	const char *under = strrchr(file, '_');
	size_t n = under != NULL ? strspn(under + 1, "0123456789") : 0;

	stream[0] = '\0';
	if (n < MS_DIGITS || n > MS_DIGITS + 1 || under[n + 1] != '.')
		return -1;
	if (stream_name_ok(file, (size_t)(under - file)))
		str_copy(stream, file, (size_t)(under - file) + 1);
	return strtoll(under + 1, NULL, 10);
}

const char *
record_media_folder(const char *file)
{
	const char *dot = strrchr(file, '.');

	if (dot == NULL || strchr(file, '/') != NULL)
		return NULL;
	return strcmp(dot, ".mp4") == 0 ? "media/video" : strcmp(dot, ".wav") == 0 ? "media/audio" : NULL;
}

/* --- what a WAV says: RIFF { WAVE, "fmt " (16 bytes), data }, as we write it --- */

static uint32_t
le(const uint8_t *p, int bytes)
{
	uint32_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | p[bytes];
	return v;
}

int64_t
record_wav_ms(const uint8_t *p, size_t len)
{
	uint32_t rate;

	if (len < 44 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVEfmt ", 8) != 0 ||
	    memcmp(p + 36, "data", 4) != 0)
		return -1;
	rate = le(p + 28, 4);	/* bytes a second */
	return rate == 0 ? -1 : (int64_t)le(p + 40, 4) * 1000 / rate;
}

/* --- what an MP4 says: ftyp, moov { mvhd } (ISO/IEC 14496-12 section 8.2.2) --- */

int64_t
record_mp4_ms(const uint8_t *p, size_t len)
{
	uint64_t scale, length, size;
	int wide;

	/* other boxes are passed over, of the index only the head is */
	for (; len >= 8 && memcmp(p + 4, "mvhd", 4) != 0; p += size, len -= size) {
		size = memcmp(p + 4, "moov", 4) == 0 ? 8 : be_get64(p, 4);
		if (size < 8 || size > len)
			return -1;
	}
	if (len < 8 + 32)
		return -1;
	p += 8;
	wide = p[0] == 1 ? 8 : 4;
	scale = be_get64(p + 4 + 2 * wide, 4);
	length = be_get64(p + 8 + 2 * wide, wide);
	return scale == 0 || length > (uint64_t)INT64_MAX / 1000 ? -1 : (int64_t)(length * 1000 / scale);
}
