/* raw_file.h - a raw recording without a name that a test appends to, and what was read of it. */
#ifndef MILLRACE_TEST_RAW_FILE_H
#define MILLRACE_TEST_RAW_FILE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/flv.h"
#include "workers/jobs/raw.h"

static int fd;
static off_t size;
static struct raw raw;

static void
put(const void *p, size_t n)
{
	assert_int_equal(pwrite(fd, p, n, size), n);
	size += (off_t)n;
}

/* Its first n bytes, which are all there is. */
static void
cut(off_t n)
{
	assert_int_equal(ftruncate(fd, n), 0);
	size = n;
}

/* As a crash of the machine leaves it: the length is on the disk, what was written is not. */
static void
zeros(off_t n)
{
	assert_int_equal(ftruncate(fd, size += n), 0);
}

/* What is whole, and that it is all there is but half a frame and zeros. */
static void
ends_whole_at(off_t whole)
{
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_int_equal(raw.whole, whole);
	assert_int_equal(raw.behind, size - whole);
	assert_false(raw.more_behind);
}

static int
setup(void **state)
{
	char path[] = "/tmp/test_raw.XXXXXX";

	fd = mkstemp(path);
	unlink(path);
	memset(&raw, 0, sizeof(raw));
	size = 0;
	return fd < 0;
}

static int
teardown(void **state)
{
	return close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#endif
