/*
 * redis_url.c - redis.url taken apart (contract in redis_url.h).
 *
 * No sockets, no name resolution. Called for the check of the configuration, and by redis.c's users
 * when they start.
 */
#include "redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379

/* n bytes at s, percent-decoded, into out; -1: too long, a bad escape or a NUL. */
static int
decode(const char *s, size_t n, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			if (n - i < 3 || hex_value(s[i + 1]) < 0 || hex_value(s[i + 2]) < 0)
				return -1;
			c = hex_value(s[i + 1]) << 4 | hex_value(s[i + 2]);
			i += 2;
		}
		if (c == 0 || len + 1 >= size)
			return -1;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return 0;
}

static int
number(const char *s, size_t n, int max, int *out)
{
	long v = 0;

	if (n < 1 || n > 6)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	*out = (int)v;
	return v <= max ? 0 : -1;
}

/* [USER]:PASSWORD, n bytes. */
static const char *
parse_login(const char *s, size_t n, struct redis_url *out)
{
	const char *colon = memchr(s, ':', n);
	size_t user = colon ? (size_t)(colon - s) : 0;

	if (!colon)
		return "want USER:PASSWORD@ or :PASSWORD@ before the host";
	if (decode(s, user, out->user, sizeof out->user) < 0 ||
	    decode(colon + 1, n - user - 1, out->password, sizeof out->password) < 0)
		return "user or password is too long or badly percent-encoded";
	return NULL;
}

/* HOST[:PORT], n bytes. */
static const char *
parse_host(const char *s, size_t n, struct redis_place *out)
{
	const char *end, *host = s;
	size_t len;

	if (n > 0 && s[0] == '[') {
		end = memchr(s, ']', n);
		if (!end)
			return "no ] behind the address";
		host = s + 1;
		len = (size_t)(end - host);
		end++;
	} else {
		end = memchr(s, ':', n);
		if (!end)
			end = s + n;
		len = (size_t)(end - s);
	}
	if (len < 1 || len >= sizeof out->host)
		return "no host, or one that is too long";
	memcpy(out->host, host, len);
	out->host[len] = '\0';
	n -= (size_t)(end - s);
	if (n == 0)
		return NULL;
	if (*end != ':' || number(end + 1, n - 1, 65535, &out->port) < 0 || out->port == 0)
		return "bad port";
	return NULL;
}

/* What is before the host, up to s + *n, which then begin at the host. */
static const char *
take_login(const char **s, size_t *n, struct redis_url *out)
{
	const char *at = memrchr(*s, '@', *n), *why;

	if (!at)
		return NULL;
	why = parse_login(*s, (size_t)(at - *s), out);
	*n -= (size_t)(at + 1 - *s);
	*s = at + 1;
	return why;
}

/* /DB, or nothing. */
static const char *
parse_db(const char *rest, struct redis_url *out)
{
	if (rest[0] == '/' && rest[1] != '\0' && number(rest + 1, strlen(rest + 1), 65535, &out->db) < 0)
		return "what is behind the / must be the number of a database";
	return rest[0] == '?' || rest[0] == '#' ? "no options are known" : NULL;
}

static const char *
parse_tcp(const char *s, struct redis_url *out)
{
	size_t n = strcspn(s, "/?#");
	const char *rest = s + n, *why = take_login(&s, &n, out);

	if (!why)
		why = parse_host(s, n, &out->at);
	return why ? why : parse_db(rest, out);
}

static const char *
parse_master(const char *s, struct redis_url *out)
{
	size_t n = s[0] == '/' ? strcspn(s + 1, "/?#") : 0;

	if (n < 1 || n >= sizeof out->master)
		return "want sentinel://HOST:PORT,HOST:PORT/MASTER, the sentinels and the name they know the master by";
	if (decode(s + 1, n, out->master, sizeof out->master) < 0)
		return "the master's name is badly percent-encoded";
	return parse_db(s + 1 + n, out);
}

static const char *
parse_sentinels(const char *s, struct redis_url *out)
{
	size_t n = strcspn(s, "/?#"), len;
	const char *rest = s + n, *why = take_login(&s, &n, out), *comma;

	while (!why) {
		struct redis_place *p = &out->sentinels[out->nsentinels];

		if (out->nsentinels == REDIS_SENTINELS)
			return "more than 8 sentinels";
		p->port = SENTINEL_PORT;
		comma = memchr(s, ',', n);
		len = comma ? (size_t)(comma - s) : n;
		why = parse_host(s, len, p);
		out->nsentinels++;
		if (!comma)
			break;
		s = comma + 1;
		n -= len + 1;
	}
	return why ? why : parse_master(rest, out);
}

int
redis_url_parse(const char *url, const char *run_dir, struct redis_url *out, const char **why)
{
	memset(out, 0, sizeof *out);
	out->at.port = REDIS_PORT;
	*why = NULL;
	if (strcmp(url, "embedded") == 0) {
		if (path_join(out->path, sizeof out->path, run_dir, "redis.sock") < 0)
			*why = "run_dir is too long for a socket";
	} else if (strncmp(url, "unix:///", 8) == 0) {
		if (str_copy(out->path, url + 7, sizeof out->path) >= sizeof out->path)
			*why = "the path is too long for a socket";
	} else if (strncmp(url, "redis://", 8) == 0) {
		*why = parse_tcp(url + 8, out);
	} else if (strncmp(url, "rediss://", 9) == 0) {
		out->tls = 1;
		*why = parse_tcp(url + 9, out);
	} else if (strncmp(url, "sentinel://", 11) == 0) {
		*why = parse_sentinels(url + 11, out);
	} else {
		*why = "want embedded, redis://HOST:PORT, sentinel://HOST:PORT,HOST:PORT/MASTER or unix:///PATH";
	}
	return *why ? -1 : 0;
}

static void
print_place(const struct redis_place *p, char *out, int size)
{
	snprintf(out, (size_t)size, strchr(p->host, ':') ? "[%s]:%d" : "%s:%d", p->host, p->port);
}

void
redis_url_print(const struct redis_url *u, char *out, int size)
{
	char place[280];
	int n;

	if (u->path[0]) {
		snprintf(out, (size_t)size, "unix://%s", u->path);
		return;
	}
	if (u->nsentinels == 0) {
		print_place(&u->at, place, sizeof place);
		snprintf(out, (size_t)size, "redis%s://%s/%d", u->tls ? "s" : "", place, u->db);
		return;
	}
	n = snprintf(out, (size_t)size, "sentinel://");
	for (int i = 0; i < u->nsentinels && n < size; i++) {
		print_place(&u->sentinels[i], place, sizeof place);
		n += snprintf(out + n, (size_t)(size - n), "%s%s", i > 0 ? "," : "", place);
	}
	if (n < size)
		snprintf(out + n, (size_t)(size - n), "/%s/%d", u->master, u->db);
}
