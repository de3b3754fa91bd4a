/* publish_url.c - authorize.patterns against a publisher's URL (contract in publish_url.h). Called by session.c. */
#include "publish_url.h"

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

static bool
match_one(const char *pattern, const char *path, struct publish_match *out)
{
	const char *want, *have, *literal = "";
	size_t nw, nh, nl = 0;

	memset(out, 0, sizeof(*out));
	for (;;) {
		nw = segment(&pattern, &want);
		nh = segment(&path, &have);
		if (nw == 0 || nh == 0)
			break;
		if (is_var(want, nw, "username")) {
			if (nh > STREAM_NAME_MAX)
				return false;
			memcpy(out->name, have, nh);
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
	return nw == 0 && nh == 0 && out->name[0] != '\0';
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

int
publish_url_match(const json_t *patterns, const char *path, const char *name,
    struct publish_match *out, const char **why)
{
	char full[4200], publishing[256];
	const char *last;
	size_t i, n;
	json_t *p;

	*why = "no pattern matches this URL";
	snprintf(full, sizeof(full), "%s/%s", path, name);
	/* "live/x/" + "" and "live" + "x/": the name is the last segment without slashes */
	last = last_segment(name[0] != '\0' ? name : path, &n);
	snprintf(publishing, sizeof(publishing), "%.*s", (int)(n < 255 ? n : 255), last);
	json_array_foreach(patterns, i, p) {
		if (!match_one(json_string_value(p), full, out) && !match_one(json_string_value(p), path, out))
			continue;
		if (strcmp(out->name, publishing) != 0) {
			*why = "the user name in the URL is not the stream key";
			continue;
		}
		if (stream_name_ok(out->name, strlen(out->name)))
			return 0;
		*why = "a stream's name may have letters, digits, dot, underscore and hyphen, "
		    "no leading dot, at most 64";
	}
	return -1;
}

void
publish_url_hint(const json_t *patterns, const char *tc_url, char *buf, size_t size)
{
	const char *pattern = json_string_value(json_array_get(patterns, 0));
	const char *slash = pattern != NULL ? strrchr(pattern, '/') : NULL, *host = strstr(tc_url, "://");

	host = host != NULL ? host + 3 : "HOST";
	if (slash == NULL)
		str_copy(buf, "", size);
	else
		snprintf(buf, size, "Server rtmp://%.*s%.*s, Stream Key %s", (int)strcspn(host, "/?"), host,
		    (int)(slash - pattern), pattern, slash + 1);
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
