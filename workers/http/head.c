/*
 * head.c - see head.h. Values come from us or are checked before: a CR or LF in one is
 * dropped here all the same, so that no foreign string can begin a field of its own.
 */
#include <string.h>

#include "workers/http/head.h"

static const struct { int status; const char *text; } texts[] = {
	{ 200, "OK" }, { 201, "Created" }, { 204, "No Content" }, { 206, "Partial Content" },
	{ 304, "Not Modified" }, { 307, "Temporary Redirect" }, { 400, "Bad Request" },
	{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
	{ 412, "Precondition Failed" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" }, { 426, "Upgrade Required" },
	{ 428, "Precondition Required" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
head_status_text(int status)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Unknown";
}

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
	put_text(h, head_status_text(status));
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
