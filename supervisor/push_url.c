/*
 * push_url.c - URLs of push targets (contract in push_url.h).
 *
 * What is behind the first part of the path may be a key, and so may a query anywhere: it is
 * shown to nobody. The host takes no variables: a publisher chooses his app's name, not where
 * we connect to. The URL becomes one argument of ffmpeg, so it can't be an option (it begins
 * with its scheme), and has no space, which some builds' RTMP library takes for the next word.
 */
#include "supervisor/push_url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

#define ID_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define PLAIN_CHARS ID_CHARS ".~"

static const char *const variables[] = { "{stream}", "{app}", "{host}" };

const char *
push_id_wrong(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n < PUSH_ID_MAX && strspn(id, ID_CHARS) == n ? NULL :
	    "an id is of letters, digits, - and _, at most 24 of them";
}

/* Behind "://", or NULL if it is no RTMP URL. */
static const char *
authority(const char *url)
{
	if (strncmp(url, "rtmp://", 7) == 0)
		return url + 7;
	return strncmp(url, "rtmps://", 8) == 0 ? url + 8 : NULL;
}

/* Index of the variable at p, -1 if none is. */
static int
variable_at(const char *p)
{
	for (int i = 0; i < (int)(sizeof(variables) / sizeof(variables[0])); i++)
		if (strncmp(p, variables[i], strlen(variables[i])) == 0)
			return i;
	return -1;
}

const char *
push_url_wrong(const char *url)
{
	const char *host = authority(url), *path, *key;
	int v;

	if (host == NULL)
		return "it does not begin with rtmp:// or rtmps://";
	if (strlen(url) >= PUSH_URL_MAX)
		return "it is longer than 1023 characters";
	for (const char *p = url; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`|'}", *p) != NULL)
			return "it has a character that no URL has; write it as %XX";
		v = *p == '{' ? variable_at(p) : 0;
		if (v < 0)
			return "it has a variable other than {stream}, {app} and {host}";
		if (*p == '{')
			p += strlen(variables[v]) - 1;
	}
	path = host + strcspn(host, "/?#");
	if (path == host || strcspn(host, "{") < (size_t)(path - host))
		return "it names no host, or a variable instead of one";
	key = *path == '/' ? strchr(path + 1, '/') : NULL;
	if (key == NULL || key == path + 1 || key[1] == '\0' || path[1 + strcspn(path + 1, "/?")] == '?')
		return "want rtmp://HOST/APP/KEY: an app and a key (or stream name) behind the host";
	return NULL;
}

static int
put(char *out, size_t size, size_t *used, const char *text, bool encode)
{
	for (; *text != '\0'; text++) {
		bool plain = !encode || strchr(PLAIN_CHARS, *text) != NULL;

		if (*used + (plain ? 2 : 4) > size)
			return -1;
		*used += (size_t)snprintf(out + *used, size - *used, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
	return 0;
}

int
push_url_expand(const char *url, const struct push_vars *v, char *out, size_t size)
{
	const char *const values[] = { v->stream, v->app, v->host };
	char one[2] = "";
	size_t used = 0;
	int i;

	out[0] = '\0';
	while (*url != '\0') {
		i = *url == '{' ? variable_at(url) : -1;
		one[0] = *url;
		if (put(out, size, &used, i >= 0 ? values[i] : one, i >= 0) < 0)
			return -1;
		url += i >= 0 ? strlen(variables[i]) : 1;
	}
	return 0;
}

void
push_url_show(const char *url, char *out, size_t size)
{
	const char *host = authority(url), *at, *path;
	size_t app;

	if (host == NULL) {
		str_copy(out, "***", size);
		return;
	}
	path = host + strcspn(host, "/?#");
	at = memrchr(host, '@', (size_t)(path - host));
	app = *path == '/' ? 1 + strcspn(path + 1, "/?#") : 0;
	snprintf(out, size, "%.*s%s%.*s%.*s/***", (int)(host - url), url, at != NULL ? "***" : "",
	    (int)(path - (at != NULL ? at : host)), at != NULL ? at : host, (int)app, path);
}
