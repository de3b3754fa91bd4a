/*
 * request_read.c - what a request says, once its head is read: method, path, query, fields,
 * percent-decoding. Contract in request.h.
 */
#include <string.h>

#include "request.h"
#include "util.h"

unsigned
request_method(const struct request *r)
{
	return r->parser.method;
}

bool
request_http10(const struct request *r)
{
	return r->parser.http_major == 1 && r->parser.http_minor == 0;
}

const char *
request_path(const struct request *r)
{
	if (!r->url || r->text[r->url] == '\0')
		return "/";
	return r->text + r->url;
}

const char *
request_query(const struct request *r)
{
	return r->query ? r->text + r->query : "";
}

const char *
request_field(const struct request *r, enum request_field f)
{
	return r->field[f] ? r->text + r->field[f] : NULL;
}

const char *
request_body(const struct request *r)
{
	return r->kept != NULL ? r->kept : "";
}

int
request_decode(const char *in, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)in[i];

		if (c == '%') {
			bool whole = len - i > 2;
			int hi = whole ? hex_value(in[i + 1]) : -1;
			int lo = whole ? hex_value(in[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -1;
			c = hi << 4 | lo;
			i += 2;
		}
		if (c == 0 || n + 1 >= size)
			return -1;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

int
request_param(const struct request *r, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key);

	for (const char *p = request_query(r), *end; *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, "&");
		if ((size_t)(end - p) > klen && p[klen] == '=' && memcmp(p, key, klen) == 0)
			return request_decode(p + klen + 1, end - p - klen - 1, out, size);
	}
	return -1;
}
