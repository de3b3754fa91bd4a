/*
 * s3_sign.c - AWS Signature Version 4. libcurl of Debian 12 has one, too, which signs more than
 * a quarter of S3's request forms wrong (sorted queries, valueless keys, encoded paths), so
 * libcurl is only the transport here.
 *
 * Called by s3_call.c for every request. It may not touch clock, socket or configuration.
 */
#include <ctype.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "s3_sign.h"
#include "util.h"

void
s3_sha256_hex(const void *data, size_t len, char out[S3_SHA256_HEX])
{
	struct sha256_ctx h;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&h);
	sha256_update(&h, len, data);
	sha256_digest(&h, sizeof digest, digest);
	hex_format(out, digest, sizeof digest);
}

void
s3_date(int64_t epoch_sec, char out[S3_DATE])
{
	time_t t = epoch_sec;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, S3_DATE, "%Y%m%dT%H%M%SZ", &tm);
}

char *
s3_uri_encode(const char *s, bool slashes)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = xmalloc(strlen(s) * 3 + 1), *o = out;

	for (const uint8_t *p = (const uint8_t *)s; *p != '\0'; p++) {
		if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
		    strchr("-_.~", *p) != NULL || (slashes && *p == '/')) {
			*o++ = (char)*p;
			continue;
		}
		*o++ = '%';
		*o++ = digits[*p >> 4];
		*o++ = digits[*p & 15];
	}
	*o = '\0';
	return out;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, joins with a separator, frees the items. */
static char *
join_sorted(char **items, size_t n, const char *between)
{
	size_t len = 1;
	char *out, *o;

	qsort(items, n, sizeof *items, by_text);
	for (size_t i = 0; i < n; i++)
		len += strlen(items[i]) + strlen(between);
	o = out = xmalloc(len);
	*o = '\0';
	for (size_t i = 0; i < n; i++) {
		o += snprintf(o, len - (size_t)(o - out), "%s%s", i > 0 ? between : "", items[i]);
		free(items[i]);
	}
	return out;
}

/*
 * '=' sorts after '-' and '.', which names may have: "a-b=" must not stand before "a=". So each
 * is sorted with \001 in place of its '=', which is below every encoded byte.
 */
char *
s3_query(const struct s3_pair *query, size_t n)
{
	char *items[S3_PAIRS_MAX], *out;

	if (n > S3_PAIRS_MAX)
		fatalx("s3: %d pairs at most", S3_PAIRS_MAX);
	for (size_t i = 0; i < n; i++) {
		char *name = s3_uri_encode(query[i].name, false), *value = s3_uri_encode(query[i].value, false);

		items[i] = xasprintf("%s\001%s", name, value);
		free(name);
		free(value);
	}
	out = join_sorted(items, n, "&");
	for (char *p = out; (p = strchr(p, '\001')) != NULL;)
		*p = '=';
	return out;
}

/* "name:value\n" with the name in lower case, the value trimmed and its runs of spaces one. */
static char *
header_line(const char *name, const char *value)
{
	char *line = xmalloc(strlen(name) + strlen(value) + 3), *o = line;

	for (; *name != '\0'; name++)
		*o++ = (char)tolower((unsigned char)*name);
	*o++ = '\001';
	value += strspn(value, " \t");
	for (; *value != '\0'; value++)
		if (*value != ' ' || (value[1] != ' ' && value[1] != '\0'))
			*o++ = *value;
	*o++ = '\n';
	*o = '\0';
	return line;
}

/* *names becomes "content-type;host;x-amz-date". Both free(). */
static char *
canonical_headers(const struct s3_sign *r, char **names)
{
	char *lines[S3_PAIRS_MAX + 1], *list[S3_PAIRS_MAX + 1], *out;
	size_t n = 0;

	if (r->nheaders > S3_PAIRS_MAX)
		fatalx("s3: %d pairs at most", S3_PAIRS_MAX);
	for (size_t i = 0; i < r->nheaders; i++)
		lines[n++] = header_line(r->headers[i].name, r->headers[i].value);
	lines[n++] = header_line("host", r->host);
	for (size_t i = 0; i < n; i++)
		list[i] = strndup(lines[i], strcspn(lines[i], "\001"));
	out = join_sorted(lines, n, "");
	for (char *p = out; (p = strchr(p, '\001')) != NULL;)
		*p = ':';
	*names = join_sorted(list, n, ";");
	return out;
}

static char *
canonical(const struct s3_sign *r, char **names)
{
	char *path = s3_uri_encode(r->path, true), *query = s3_query(r->query, r->nquery);
	char *headers = canonical_headers(r, names);
	char *out = xasprintf("%s\n%s\n%s\n%s\n%s\n%s", r->method, path, query, headers, *names, r->payload);

	free(path);
	free(query);
	free(headers);
	return out;
}

char *
s3_canonical(const struct s3_sign *r)
{
	char *names, *out = canonical(r, &names);

	free(names);
	return out;
}

static void
hmac(uint8_t key[SHA256_DIGEST_SIZE], const char *text)
{
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, SHA256_DIGEST_SIZE, key);
	hmac_sha256_update(&h, strlen(text), (const uint8_t *)text);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, key);
}

/* HMAC over day, region, service and "aws4_request", each with the last one's result as its key. */
static void
signing_key(const struct s3_sign *r, const char *day, uint8_t key[SHA256_DIGEST_SIZE])
{
	char *first = xasprintf("AWS4%s", r->secret_key);
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, strlen(first), (const uint8_t *)first);
	hmac_sha256_update(&h, strlen(day), (const uint8_t *)day);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, key);
	explicit_bzero(first, strlen(first));
	free(first);
	hmac(key, r->region);
	hmac(key, r->service);
	hmac(key, "aws4_request");
}

char *
s3_authorization(const struct s3_sign *r)
{
	char day[9], hash[S3_SHA256_HEX], signature[S3_SHA256_HEX], *names, *request, *scope, *to_sign, *out;
	uint8_t key[SHA256_DIGEST_SIZE];

	str_copy(day, r->date, sizeof day);
	request = canonical(r, &names);
	s3_sha256_hex(request, strlen(request), hash);
	scope = xasprintf("%s/%s/%s/aws4_request", day, r->region, r->service);
	to_sign = xasprintf("AWS4-HMAC-SHA256\n%s\n%s\n%s", r->date, scope, hash);
	signing_key(r, day, key);
	hmac(key, to_sign);
	hex_format(signature, key, sizeof key);
	out = xasprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", r->access_key, scope,
	    names, signature);
	free(names);
	free(request);
	free(scope);
	free(to_sign);
	return out;
}
