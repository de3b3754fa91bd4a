/*
 * ws_head.c - see ws_head.h. Called by the ingest for connections that http handed over, and by
 * http to see which these are.
 */
#include "ws_head.h"

#include <event2/buffer.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http_status.h"
#include "util.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"	/* RFC 6455 section 1.3 */
#define KEY_CHARS 24	/* 16 bytes in base64 */

/* Is word one of a comma list? */
static bool
has_token(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (const char *p = list; p != NULL && *p != '\0'; p += len) {
		p += strspn(p, ", \t");
		len = strcspn(p, ",");
		if (len >= n && strncasecmp(p, word, n) == 0 && strspn(p + n, " \t") == len - n)
			return true;
	}
	return false;
}

bool
ws_head_wants(const struct request *r)
{
	return has_token(request_field(r, FIELD_UPGRADE), "websocket") &&
	    has_token(request_field(r, FIELD_CONNECTION), "upgrade");
}

static bool
key_ok(const char *key)
{
	struct base64_decode_ctx ctx;
	uint8_t raw[BASE64_DECODE_LENGTH(KEY_CHARS)];
	size_t n = sizeof(raw);

	if (key == NULL || strlen(key) != KEY_CHARS)
		return false;
	base64_decode_init(&ctx);
	return base64_decode_update(&ctx, &n, raw, KEY_CHARS, key) == 1 && base64_decode_final(&ctx) == 1 && n == 16;
}

bool
ws_head_origin_ok(const struct request *r, const json_t *origins)
{
	const char *origin = request_field(r, FIELD_ORIGIN), *host = request_field(r, FIELD_HOST), *own;
	const json_t *one;
	size_t i;

	if (origin == NULL)
		return true;
	own = strstr(origin, "://");
	if (own != NULL && host != NULL && strcasecmp(own + 3, host) == 0)
		return true;
	json_array_foreach(origins, i, one)
		if (strcmp(json_string_value(one), "*") == 0 || strcasecmp(json_string_value(one), origin) == 0)
			return true;
	return false;
}

int
ws_head_check(const struct request *r, const json_t *origins, const char **why)
{
	const char *version = request_field(r, FIELD_SEC_WEBSOCKET_VERSION);

	*why = NULL;
	if (request_method(r) != HTTP_GET || request_http10(r)) {
		*why = "A WebSocket begins with GET and HTTP/1.1.\n";
		return 400;
	}
	if (!ws_head_wants(r) || version == NULL || strcmp(version, "13") != 0) {
		*why = "This is a WebSocket of version 13: Upgrade: websocket, Connection: Upgrade, "
		    "Sec-WebSocket-Version: 13.\n";
		return 426;
	}
	if (!key_ok(request_field(r, FIELD_SEC_WEBSOCKET_KEY))) {
		*why = "Sec-WebSocket-Key is not 16 bytes in base64.\n";
		return 400;
	}
	if (!ws_head_origin_ok(r, origins)) {
		*why = "Pages of this origin may not connect; ws.origins in the server's configuration names those "
		    "that may.\n";
		return 403;
	}
	return 0;
}

void
ws_head_agent(const struct request *r, char *buf, size_t size)
{
	static const char *const browsers[] = { "Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/" };
	const char *agent = request_field(r, FIELD_USER_AGENT), *at = NULL;

	buf[0] = '\0';
	if (agent == NULL)
		return;
	for (size_t i = 0; i < sizeof(browsers) / sizeof(browsers[0]) && at == NULL; i++)
		at = strstr(agent, browsers[i]);
	if (at != NULL)
		snprintf(buf, size, "%.*s", (int)strcspn(at, " "), at);
	else
		str_copy(buf, agent, size);
}

void
ws_head_accept(const struct request *r, struct evbuffer *out)
{
	const char *key = request_field(r, FIELD_SEC_WEBSOCKET_KEY);
	char text[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1] = "";
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx ctx;

	sha1_init(&ctx);
	sha1_update(&ctx, strlen(key), (const uint8_t *)key);
	sha1_update(&ctx, strlen(GUID), (const uint8_t *)GUID);
	sha1_digest(&ctx, sizeof(digest), digest);
	base64_encode_raw(text, sizeof(digest), digest);
	evbuffer_add_printf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", text);
}

void
ws_head_refuse(struct evbuffer *out, int status, const char *fields, const char *text)
{
	char date[40];
	time_t now = (time_t)(wall_ms() / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Cache-Control: no-cache\r\n%s%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status,
	    http_status_text(status), date, status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "",
	    fields != NULL ? fields : "", strlen(text), text);
}

static bool
stop_there(struct request *r)
{
	return true;
}

int
ws_head_read(struct request *r, const uint8_t *raw, size_t len)
{
	size_t used;

	request_init(r, len, 0);
	r->at_head = stop_there;
	used = request_feed(r, raw, len);
	return r->state == REQUEST_HEAD ? (int)used : -1;
}
