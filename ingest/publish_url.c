/* publish_url.c - authorize.patterns against a publisher's URL (contract in publish_url.h). Called by session.c. */
#include "publish_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "util.h"

/* The next segment of a path: its start and length; empty ones are skipped. 0 at the end. */
static size_t
segment(const char **p, const char **start)
{
	size_t n;

	*p += strspn(*p, "/");
	*start = *p;
	n = strcspn(*p, "/");
	*p += n;
	return n;
}

static bool
is_var(const char *s, size_t n, const char *name)
{
	return n == strlen(name) + 2 && s[0] == '{' && strncmp(s + 1, name, n - 2) == 0;
}

/* The pattern fits the path, which has the user name here; what that is may still be no name. */
static bool
match_one(const char *pattern, const char *path, struct publish_match *out, const char **user, size_t *len)
{
	const char *want, *have, *literal = "";
	size_t nw, nh, nl = 0;

	memset(out, 0, sizeof(*out));
	*len = 0;
	for (;;) {
		nw = segment(&pattern, &want);
		nh = segment(&path, &have);
		if (nw == 0 || nh == 0)
			break;
		if (is_var(want, nw, "username")) {
			*user = have;
			*len = nh;
		} else if (is_var(want, nw, "app")) {
			if (!stream_name_ok(have, nh))	/* shown and stored: as harmless as a name */
				return false;
			memcpy(out->app, have, nh);
		} else if (want[0] != '{') {
			if (nw != nh || memcmp(want, have, nw) != 0)
				return false;
			if (nl == 0) {
				literal = want;
				nl = nw;
			}
		}
	}
	if (out->app[0] == '\0')
		snprintf(out->app, sizeof(out->app), "%.*s", (int)nl, literal);
	return nw == 0 && nh == 0 && *len > 0;
}

/* The last segment of the path, which is the name when the publisher sent none. */
static const char *
last_segment(const char *path, size_t *len)
{
	const char *s, *last = "";

	*len = 0;
	for (size_t n; (n = segment(&path, &s)) > 0; *len = n)
		last = s;
	return last;
}

/* "johndoe&key=...", "johndoe%3Fkey=...", "johndoe key=...": the key stands where it is none. */
static void
say_misplaced(const char *name, char *why, size_t size)
{
	static const char *const words[] = { "key=", "sig=" };
	const char *end = name + strcspn(name, "& ;,%"), *at;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		at = strcasestr(end, words[i]);
		if (at != NULL)
			snprintf(why, size, "write ?%s... behind the name (not %.*s%s...)", words[i],
			    end[0] == '%' ? 3 : 1, end, words[i]);
	}
}

static void
say_no_name(const char *user, size_t len, char *why, size_t size)
{
	if (len > STREAM_NAME_MAX)
		snprintf(why, size, "this name is longer than %d: %zu characters", STREAM_NAME_MAX, len);
	else if (isspace((unsigned char)user[0]))
		snprintf(why, size, "the Stream Key begins with a space, or the like: take it away");
	else if (isspace((unsigned char)user[len - 1]))
		snprintf(why, size, "there is a space, or the like, at the end of the Stream Key: take it away");
	else
		snprintf(why, size, "a stream's name may have letters, digits, dot, underscore and hyphen, "
		    "no leading dot");
}

int
publish_url_match(const json_t *patterns, const char *path, const char *name, struct publish_match *out,
    char *why, size_t size)
{
	const char *last, *user, *pattern;
	size_t i, n, len;
	char full[4200];
	json_t *p;

	str_copy(why, name[strspn(name, "/")] != '\0' ? "no pattern matches this URL" : "the Stream Key is empty",
	    size);
	snprintf(full, sizeof(full), "%s/%s", path, name);
	/* "live/x/" + "" and "live" + "x/": the name is the last segment without slashes */
	last = last_segment(name[0] != '\0' ? name : path, &n);
	json_array_foreach(patterns, i, p) {
		pattern = json_string_value(p);
		if (!match_one(pattern, full, out, &user, &len) && !match_one(pattern, path, out, &user, &len))
			continue;
		if (len != n || memcmp(user, last, n) != 0) {
			/* a name of several segments is not one that he took for a second Stream Key */
			if (strchr(name, '/') == NULL && stream_name_ok(user, len))
				snprintf(why, size, "\"%.*s\" in the URL is not the Stream Key", (int)len, user);
			continue;
		}
		if (stream_name_ok(user, len)) {
			memcpy(out->name, user, len);
			return 0;
		}
		say_no_name(user, len, why, size);
	}
	say_misplaced(last, why, size);
	return -1;
}

/* The pattern that asks for the least: {username} alone, if there is one. */
static const char *
simplest(const json_t *patterns)
{
	const char *best = NULL, *s;
	size_t i, vars, least = 0;
	json_t *p;

	json_array_foreach(patterns, i, p) {
		s = json_string_value(p);
		vars = 0;
		for (const char *v = s; (v = strchr(v, '{')) != NULL; v++)
			vars++;
		if (best == NULL || vars < least) {
			best = s;
			least = vars;
		}
	}
	return best;
}

/* One segment of a pattern in an URL; what is his own choice is called by its name in capitals: "APP". */
static void
write_segment(FILE *f, const char *s, size_t n, const char *key, size_t key_len)
{
	if (is_var(s, n, "username"))
		fprintf(f, "/%.*s", (int)key_len, key);
	else if (s[0] != '{')
		fprintf(f, "/%.*s", (int)n, s);
	else {
		fputc('/', f);
		for (size_t i = 1; i + 1 < n; i++)
			fputc(toupper((unsigned char)s[i]), f);
	}
}

/* The name that stands in the Server's path (which ends at a '?'), because there was no Stream Key; else "NAME". */
static const char *
key_in_url(const json_t *patterns, const char *path, size_t *len)
{
	const char *key = "", *s, *pattern;
	size_t n, nw, end = strcspn(path, "?"), i;
	json_t *p;

	for (const char *at = path; (n = segment(&at, &s)) > 0 && (size_t)(s - path) < end; )
		key = s;
	*len = strcspn(key, "/?");
	json_array_foreach(patterns, i, p)
		for (pattern = json_string_value(p); (nw = segment(&pattern, &s)) > 0; )
			if (nw == *len && memcmp(s, key, nw) == 0)
				*len = 0;	/* "live" of rtmp://h/live */
	if (*len > 0)
		return key;
	*len = strlen("NAME");
	return "NAME";
}

void
publish_url_hint(const json_t *patterns, const char *tc_url, const char *name, char *buf, size_t size)
{
	const char *pattern = simplest(patterns), *host = strstr(tc_url, "://"), *key;
	const char *s;
	size_t n, len;
	FILE *f;

	buf[0] = '\0';
	host = host != NULL ? host + 3 : "HOST";
	key = last_segment(name, &n);
	if (n == 0)
		key = key_in_url(patterns, host + strcspn(host, "/?"), &n);
	if (pattern == NULL || !stream_name_ok(key, n))
		return;
	f = fmemopen(buf, size, "w");
	if (f == NULL)
		return;
	fprintf(f, "; this would match: Server rtmp://%.*s", (int)strcspn(host, "/?"), host);
	/* the name goes behind the server by itself; where it is not last, the whole path goes before it */
	while ((len = segment(&pattern, &s)) > 0)
		if (*pattern != '\0' || !is_var(s, len, "username"))
			write_segment(f, s, len, key, n);
	fprintf(f, ", Stream Key %.*s", (int)n, key);
	fclose(f);
}

void
publish_url_watch(const json_t *conf, const char *local, const char *name, char *buf, size_t size)
{
	const char *url = conf_str(conf, "http.public_url"), *end = strrchr(local, ':'), *listen, *port;
	char own[160] = "";

	listen = json_string_value(json_object_get(json_array_get(conf_get(conf, "http.listen"), 0), "address"));
	port = listen != NULL ? strrchr(listen, ':') : NULL;
	if (port != NULL && end != NULL)
		snprintf(own, sizeof(own), "http://%.*s%s", (int)(end - local), local, port);
	snprintf(buf, size, "RTMP play is not served; watch by HLS: %s/stream/%.64s/live.m3u8",
	    url[0] != '\0' ? url : own, name);
}
