/*
 * head.h - writes a response's head into a buffer of its owner. No allocation, no printf on
 * the hot path; what does not fit is noticed at the end, never cut silently.
 */
#ifndef MILLRACE_HTTP_HEAD_H
#define MILLRACE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head {
	char *out;
	size_t cap, len;
	bool full;
};

/* Status line, Date and Server. date as http_date() gives it. */
void head_begin(struct head *h, char *out, size_t cap, int status, const char *date);
void head_field(struct head *h, const char *name, const char *value);
void head_number(struct head *h, const char *name, int64_t value);
void head_lines(struct head *h, const char *lines);	/* complete "Name: value\r\n" lines, or NULL */
size_t head_end(struct head *h);			/* length, 0 if it did not fit */
#endif
