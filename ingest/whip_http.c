/* whip_http.c - see whip_http.h. Called by whip_publish.c. */
#include "whip_http.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "ice_server.h"
#include "util.h"
#include "ws_head.h"

#define HEAD_MAX (64 * 1024)	/* http has a lower limit of its own */
#define KEY_MAX 1024		/* of a token */
#define SDP_TYPE "application/sdp"
#define PATH "/whip/"

void
whip_http_init(struct whip_http *h, const struct svc *svc)
{
	memset(h, 0, sizeof(*h));
	h->svc = svc;
	request_init(&h->req, HEAD_MAX, (size_t)conf_int(svc->conf, "webrtc.max_sdp"));
}

void
whip_http_free(struct whip_http *h)
{
	request_free(&h->req);
	free(h->query);
	h->query = NULL;
}

static int
find_name(struct whip_http *h)
{
	const char *path = request_path(&h->req);
	size_t n = strlen(PATH);
	char text[256];

	if (strncmp(path, PATH, n) != 0 || request_decode(path + n, strlen(path + n), text, sizeof(text)) < 0 ||
	    !stream_name_ok(text, strlen(text)))
		return -1;
	str_copy(h->name, text, sizeof(h->name));
	return 0;
}

/* "key=TOKEN", whatever is in it, and the URL's own arguments but those that a token stands for. */
static char *
key_query(const char *token, const char *query)
{
	char *out = xmalloc(sizeof("key=") + 3 * strlen(token) + strlen(query) + 1), *p = out;
	size_t n;

	p += snprintf(p, sizeof("key="), "key=");
	for (; *token != '\0'; token++)
		if (isalnum((unsigned char)*token))
			*p++ = *token;
		else
			p += snprintf(p, 4, "%%%02X", (unsigned char)*token);
	for (; *query != '\0'; query += n + (query[n] == '&')) {
		n = strcspn(query, "&");
		if (n == 0 || strncmp(query, "key=", 4) == 0 || strncmp(query, "exp=", 4) == 0 ||
		    strncmp(query, "sig=", 4) == 0)
			continue;
		*p++ = '&';
		memcpy(p, query, n);
		p += n;
	}
	*p = '\0';
	return out;
}

/* NULL, or what is wrong with it. */
static const char *
find_key(struct whip_http *h)
{
	const char *field = request_field(&h->req, FIELD_AUTHORIZATION), *query = request_query(&h->req);

	if (field != NULL && strcasecmp(field, "Bearer") == 0)
		field = NULL;		/* an encoder's empty setting */
	if (field == NULL) {
		h->query = xstrdup(query);
		h->credentials = strstr(query, "key=") != NULL || strstr(query, "sig=") != NULL;
		return NULL;
	}
	if (strncasecmp(field, "Bearer ", 7) != 0)
		return "Authorization is not Bearer KEY.\n";
	field += 7;
	field += strspn(field, " ");
	if (*field == '\0' || strlen(field) > KEY_MAX)
		return "Authorization: Bearer has no key, or a longer one than any here.\n";
	h->query = key_query(field, query);
	h->credentials = true;
	return NULL;
}

static bool
is_sdp(const struct request *r)
{
	const char *type = request_field(r, FIELD_CONTENT_TYPE);
	size_t n = type != NULL ? strcspn(type, "; \t") : 0;

	return n == strlen(SDP_TYPE) && strncasecmp(type, SDP_TYPE, n) == 0;
}

static int
check(struct whip_http *h, const char **why)
{
	if (find_name(h) < 0) {
		*why = "No stream can have this name: 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot.\n";
		return 404;
	}
	if (!ws_head_origin_ok(&h->req, conf_get(h->svc->conf, "ws.origins"))) {
		*why = "Pages of this origin may not publish; ws.origins in the server's configuration names "
		    "those that may.\n";
		return 403;
	}
	if (!is_sdp(&h->req)) {
		*why = "Content-Type is not " SDP_TYPE ".\n";
		return 415;
	}
	*why = find_key(h);
	return *why != NULL ? 401 : 201;
}

int
whip_http_feed(struct whip_http *h, struct evbuffer *out, const uint8_t *in, size_t n, const char **why)
{
	request_feed(&h->req, in, n);
	if (h->req.state == REQUEST_BAD) {
		*why = h->req.status == 413 ? "This SDP is longer than webrtc.max_sdp.\n" :
		    "This is no HTTP request.\n";
		return h->req.status;
	}
	if (h->req.state == REQUEST_DONE)
		return check(h, why);
	if (h->req.want_continue)
		evbuffer_add_printf(out, "HTTP/1.1 100 Continue\r\n\r\n");
	h->req.want_continue = false;
	return 0;
}

int
whip_http_status(const struct whip_http *h, const char *code)
{
	static const struct { const char *code; int status; } words[] = {
		{ "duplicate", 409 }, { "elsewhere", 409 }, { "signature", 403 }, { "expired", 403 },
		{ "pattern", 404 }, { "media", 406 },
	};

	if (strcmp(code, "key") == 0)
		return h->credentials ? 403 : 401;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(code, words[i].code) == 0)
			return words[i].status;
	return 503;
}

static char *
cors(const struct whip_http *h)
{
	const char *origin = conf_str(h->svc->conf, "http.cors");

	return origin[0] == '\0' ? xstrdup("") : xasprintf("Access-Control-Allow-Origin: %s\r\n"
	    "Access-Control-Expose-Headers: ETag, Link, Location, Retry-After, WWW-Authenticate\r\n", origin);
}

void
whip_http_refuse(const struct whip_http *h, struct evbuffer *out, int status, const char *text)
{
	char *fields = cors(h), *all = xasprintf("%s%s%s", fields, status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
	    status == 503 ? "Retry-After: 5\r\n" : "");

	ws_head_refuse(out, status, all, text);
	free(all);
	free(fields);
}

void
whip_http_created(const struct whip_http *h, struct evbuffer *out, const char *id, const char *etag, const char *sdp)
{
	char links[ICE_SERVER_LINKS], *fields = cors(h);

	ice_server_links(conf_get(h->svc->conf, "webrtc.ice_servers"), links);
	evbuffer_add_printf(out, "HTTP/1.1 201 Created\r\nContent-Type: " SDP_TYPE "\r\nLocation: " PATH "%s/%s\r\n"
	    "ETag: \"%s\"\r\nCache-Control: no-cache\r\n%s%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
	    h->name, id, etag, links, fields, strlen(sdp), sdp);
	free(fields);
}
