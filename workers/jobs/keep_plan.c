/*
 * keep_plan.c - which recordings go (contract in keep_plan.h). Pure: no disk, no clock.
 *
 * Age and count look at each file by itself: one that may not go does not drag a younger one
 * along. Bytes and free space are to be reached: oldest first, past those that may not go. What
 * one limit deletes counts for the next. Called by keep.c.
 */
#include "workers/jobs/keep_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS (INT64_C(86400) * 1000000000)

struct plan {
	struct keep_sum sum;
	bool (*may)(struct keep_file *f, void *ctx);
	void *ctx;
};

static int
older_first(const void *a, const void *b)
{
	const struct keep_file *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? -1 : 1;
	return strcmp(x->file, y->file);
}

static int
by_stream_newer_first(const void *a, const void *b)
{
	const struct keep_file *x = a, *y = b;
	int d = strcmp(x->stream, y->stream);

	return d != 0 ? d : older_first(b, a);
}

/* True if it goes now, by this call. */
static bool
doom(struct plan *p, struct keep_file *f, enum keep_why why)
{
	if (f->why != KEEP_STAYS || f->blocked)
		return false;
	if (!p->may(f, p->ctx)) {
		f->blocked = true;
		p->sum.blocked++;
		p->sum.blocked_bytes += f->size;
		return false;
	}
	f->why = why;
	p->sum.deleted++;
	p->sum.deleted_bytes += f->size;
	return true;
}

static void
by_count(struct plan *p, struct keep_file *files, size_t n, int64_t count)
{
	int64_t rank = 0;

	qsort(files, n, sizeof(*files), by_stream_newer_first);
	for (size_t i = 0; i < n; i++) {
		rank = i > 0 && strcmp(files[i].stream, files[i - 1].stream) == 0 ? rank + 1 : 0;
		if (rank >= count)
			doom(p, &files[i], KEEP_COUNT);
	}
}

static void
by_age(struct plan *p, struct keep_file *files, size_t n, int64_t before_ns)
{
	for (size_t i = 0; i < n && files[i].mtime_ns < before_ns; i++)
		doom(p, &files[i], KEEP_DAYS);
}

/* Until `over` bytes more are gone. */
static void
by_bytes(struct plan *p, struct keep_file *files, size_t n, int64_t over, enum keep_why why)
{
	for (size_t i = 0; i < n && over > 0; i++)
		if (doom(p, &files[i], why))
			over -= files[i].size;
}

struct keep_sum
keep_plan(struct keep_file *files, size_t n, const struct keep_limits *l,
    bool (*may)(struct keep_file *f, void *ctx), void *ctx)
{
	struct plan p = { .may = may, .ctx = ctx };
	int64_t all = 0;

	if (n == 0)
		return p.sum;
	for (size_t i = 0; i < n; i++) {
		files[i].why = KEEP_STAYS;
		files[i].blocked = false;
		all += files[i].size;
	}
	if (l->count > 0)
		by_count(&p, files, n, l->count);
	qsort(files, n, sizeof(*files), older_first);
	if (l->days > 0)
		by_age(&p, files, n, l->now_ns - l->days * DAY_NS);
	if (l->bytes > 0)
		by_bytes(&p, files, n, all - p.sum.deleted_bytes - l->bytes, KEEP_BYTES);
	if (l->free_space > 0 && l->free_now >= 0)
		by_bytes(&p, files, n, l->free_space - l->free_now - p.sum.deleted_bytes, KEEP_SPACE);
	return p.sum;
}

const char *
keep_why_text(enum keep_why why)
{
	static const char *const texts[] = {
		[KEEP_STAYS] = "", [KEEP_DAYS] = "older than streams.record.keep.days",
		[KEEP_COUNT] = "its stream has more than streams.record.keep.count",
		[KEEP_BYTES] = "all together have more than streams.record.keep.bytes",
		[KEEP_SPACE] = "the disk has less than streams.record.keep.free_space",
	};

	return texts[why];
}

/* --- whose a file is --- */

/* How many bytes {start} and {date} become, 0 for {stream}; *skip: of the placeholder itself. */
static size_t
width_of(const char *p, size_t *skip)
{
	static const struct { const char *key; size_t width; } keys[] = {
		{ "{start}", sizeof("20261121T135800.123Z") - 1 }, { "{date}", sizeof("2026-11-21") - 1 },
		{ "{stream}", 0 },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(p, keys[i].key, strlen(keys[i].key)) == 0) {
			*skip = strlen(keys[i].key);
			return keys[i].width;
		}
	*skip = 1;
	return 1;
}

/* Bytes of {stream}, which follow from the file's length: all else is of known length. 0: there is none. */
static size_t
stream_bytes(const char *pattern, size_t length)
{
	size_t fixed = 0, streams = 0, skip, width;

	for (const char *p = pattern; *p != '\0'; p += skip) {
		width = width_of(p, &skip);
		fixed += width;
		streams += width == 0;
	}
	return streams > 0 && length > fixed && (length - fixed) % streams == 0 ? (length - fixed) / streams : 0;
}

static bool
by_pattern(const char *pattern, const char *file, char *out, size_t size)
{
	size_t n = stream_bytes(pattern, strlen(file)), skip, width;
	const char *found = NULL;

	if (n == 0 || n >= size)
		return false;
	for (const char *p = pattern, *f = file; *p != '\0'; p += skip, f += width) {
		width = width_of(p, &skip);
		if (width == 1 && skip == 1 && *p != *f)
			return false;
		if (width > 0)
			continue;
		width = n;
		if (memchr(f, '/', n) != NULL || (found != NULL && memcmp(f, found, n) != 0))
			return false;
		found = f;
	}
	snprintf(out, size, "%.*s", (int)n, found);
	return true;
}

void
keep_stream(const char *pattern, const char *file, char *out, size_t size)
{
	const char *name, *slash;

	if (by_pattern(pattern, file, out, size))
		return;
	name = strchr(file, '/');
	slash = name != NULL ? strchr(name + 1, '/') : NULL;
	snprintf(out, size, "%.*s", slash != NULL ? (int)(slash - name - 1) : 0, name != NULL ? name + 1 : "");
}
