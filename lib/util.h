/* util.h - clocks, memory, files: the few helpers everybody needs. */
#ifndef MILLRACE_UTIL_H
#define MILLRACE_UTIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MILLRACE_VERSION "0.1.0"

int64_t now_ms(void);		/* CLOCK_MONOTONIC */
int64_t wall_ms(void);		/* CLOCK_REALTIME */
/* "2026-11-21T07:00:00.123Z"; buf of 32. */
const char *wall_format(int64_t wall, char buf[32]);

/* Never NULL: out of memory is fatal, once. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

size_t str_copy(char *dst, const char *src, size_t size);	/* strlcpy; returns strlen(src) */
/* 2 * n lower-case digits and a NUL. */
void hex_format(char *out, const void *data, size_t n);
int hex_value(char digit);	/* -1: it is none */
/* Bytes of the well-formed UTF-8 sequence at s (RFC 3629), 0 if it is none or torn. */
size_t utf8_sequence(const uint8_t *s, size_t len);
int fd_cloexec_nonblock(int fd);
int fd_write_all(int fd, const void *data, size_t len);	/* 0 or -1 + errno; of one that blocks */
/* Path must fit: "%s/%s" joined, -1 ENAMETOOLONG. */
int path_join(char *out, size_t size, const char *a, const char *b);
/* Writes path.tmp and renames it into place; 0 or -1 + errno. No fsync. */
int file_replace(const char *path, const void *data, size_t len);
/* The same, the data on the disk first: after a power cut it is the old or the new, whole. Waits for the disk. */
int file_replace_sync(const char *path, const void *data, size_t len);
/* Whole file, NUL-terminated, at most max bytes; free(). NULL + errno (EFBIG). */
char *file_read(const char *path, size_t max, size_t *len);
/* Directory 0750 owned by us, no symlink; made if absent. 0 or -1 + errno. */
int dir_ensure(const char *path, mode_t mode);
/* The name of the account that we run as, or its number. */
const char *account_name(char *buf, size_t size);
/* Where execvp would find name, in PATH or as a path; NULL + errno. */
const char *program_find(const char *name, char *out, size_t size);
int64_t disk_free_bytes(const char *path);	/* for us; -1 + errno */
#endif
