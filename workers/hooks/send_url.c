/*
 * send_url.c - what a URL of ours must be, and how it is shown and signed (contract in send.h).
 * Pure. A name is not looked up here: where it leads is decided when it is connected to.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "private.h"
#include "send.h"
#include "util.h"

#define URL_BYTES 1024

static char *
part(CURLU *u, CURLUPart which)
{
	char *text = NULL;

	return curl_url_get(u, which, &text, 0) == CURLUE_OK ? text : NULL;
}

/* An address in the URL itself can be judged at once; curl has made decimal and hex forms dotted. */
static const char *
host_wrong(const char *host, const json_t *networks)
{
	char text[300];
	struct net_addr addr;

	if (!host || host[0] == '\0')
		return "it names no host";
	if (strlen(host) > 253)
		return "its host's name is too long";
	snprintf(text, sizeof text, "%s:1", host);
	if (net_parse(text, &addr) == 0 && !private_allowed((const struct sockaddr *)&addr.ss, networks))
		return "it leads into a private network: add that to hooks.networks if it is meant";
	return NULL;
}

const char *
send_url_wrong(const char *url, const json_t *networks)
{
	const char *wrong = "it is no http:// or https:// URL";
	char *scheme, *host;
	CURLU *u;

	if (strlen(url) >= URL_BYTES)
		return "it is longer than 1023 characters";
	for (const char *p = url; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "there is a space or control character in it";
	u = curl_url();
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		scheme = part(u, CURLUPART_SCHEME);
		host = part(u, CURLUPART_HOST);
		if (scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
			wrong = host_wrong(host, networks);
		curl_free(scheme);
		curl_free(host);
	}
	curl_url_cleanup(u);
	return wrong;
}

char *
send_url_show(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL, *out;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		scheme = part(u, CURLUPART_SCHEME);
		host = part(u, CURLUPART_HOST);
		port = part(u, CURLUPART_PORT);
		path = part(u, CURLUPART_PATH);
		query = part(u, CURLUPART_QUERY);
	}
	out = host ? xasprintf("%s://%s%s%s%s%s", scheme ? scheme : "http", host, port ? ":" : "", port ? port : "",
	    path ? path : "/", query ? "?***" : "") : xstrdup("(no URL)");
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_free(query);
	curl_url_cleanup(u);
	return out;
}

char *
send_url_target(const char *url)
{
	const char *host = strstr(url, "://"), *path;
	size_t n;

	host = host ? host + 3 : url;
	path = host + strcspn(host, "/?#");
	n = strcspn(path, "#");
	return xasprintf("%s%.*s", path[0] == '/' ? "" : "/", (int)n, path);
}
