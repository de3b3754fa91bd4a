/*
 * head.c - see head.h. Values come from us or are checked before: a CR or LF in one is
 * dropped here all the same, so that no foreign string can begin a field of its own.
 */
#include <string.h>

#include "http_status.h"
#include "workers/http/head.h"

static void
put(struct head *h, const char *s, size_t len)
{
	if (len > h->cap - h->len) {
		h->full = true;
		return;
	}
	memcpy(h->out + h->len, s, len);
	h->len += len;
}

static void
put_text(struct head *h, const char *s)
{
	put(h, s, strlen(s));
}

static void
put_number(struct head *h, int64_t v)
{
	char digits[24];
	size_t i = sizeof(digits);

	do {
		digits[--i] = '0' + v % 10;
	} while ((v /= 10) > 0);
	put(h, digits + i, sizeof(digits) - i);
}

void
head_begin(struct head *h, char *out, size_t cap, int status, const char *date)
{
	*h = (struct head){ .out = out, .cap = cap };
	put_text(h, "HTTP/1.1 ");
	put_number(h, status);
	put_text(h, " ");
	put_text(h, http_status_text(status));
	put_text(h, "\r\nServer: millrace\r\nDate: ");
	put_text(h, date);
	put_text(h, "\r\n");
}

void
head_field(struct head *h, const char *name, const char *value)
{
	put_text(h, name);
	put_text(h, ": ");
	while (*value) {
		size_t n = strcspn(value, "\r\n");

		put(h, value, n);
		value += n + strspn(value + n, "\r\n");
	}
	put_text(h, "\r\n");
}

void
head_number(struct head *h, const char *name, int64_t value)
{
	put_text(h, name);
	put_text(h, ": ");
	put_number(h, value);
	put_text(h, "\r\n");
}

void
head_lines(struct head *h, const char *lines)
{
	if (lines)
		put_text(h, lines);
}

size_t
head_end(struct head *h)
{
	put_text(h, "\r\n");
	return h->full ? 0 : h->len;
}
