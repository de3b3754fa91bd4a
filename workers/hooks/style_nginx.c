/*
 * style_nginx.c - the words of nginx-rtmp-module's notifications (sources in style.h). Pure.
 *
 * The order of the fields is theirs. What only an RTMP client of theirs has (flashver, swfurl,
 * pageurl) is sent empty, as they send what a client did not give.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "form.h"
#include "obj.h"
#include "style_parts.h"
#include "util.h"

#define TYPE "application/x-www-form-urlencoded"

/* What every one of their requests begins with. */
static char *
session(const json_t *event)
{
	const char *app = obj_str(event, "app");
	char host[STYLE_HOST], number[16], *tc = xasprintf("rtmp://%s/%s", obj_str(event, "host"), app), *form = NULL;

	snprintf(number, sizeof number, "%u", style_client(event));
	form_add(&form, "app", app);
	form_add(&form, "flashver", "");
	form_add(&form, "swfurl", "");
	form_add(&form, "tcurl", tc);
	form_add(&form, "pageurl", "");
	form_add(&form, "addr", style_host(obj_str(event, "peer"), host));
	form_add(&form, "clientid", number);
	free(tc);
	return form;
}

static void
post(struct style_request *out, const char *url, char *form)
{
	*out = (struct style_request){ .method = "POST", .type = TYPE, .url = xstrdup(url), .body = form };
}

/* Back ends believe the last field of a name: an argument of one of ours, however it is written, would be it. */
static bool
goes_along(const char *arg, size_t len)
{
	static const char *const ours[] = { "app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "clientid", "call",
		"name", "type" };
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t n = strspn(arg, plain);

	if (n == 0 || n > len || (n < len && arg[n] != '=') || memchr(arg, ';', len) != NULL)
		return false;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strlen(ours[i]) == n && strncasecmp(ours[i], arg, n) == 0)
			return false;
	return true;
}

/* Of the publisher's arguments go along, as they came, those that can be taken for nothing else. */
static char *
add_arguments(char *form, const char *query)
{
	char *whole;
	size_t n;

	for (query += query[0] == '?'; *query != '\0'; query += n + (query[n] == '&')) {
		n = strcspn(query, "&");
		if (!goes_along(query, n))
			continue;
		whole = xasprintf("%s&%.*s", form, (int)n, query);
		free(form);
		form = whole;
	}
	return form;
}

void
style_nginx_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	static const char *const calls[] = { [EVENT_PUBLISH] = "publish", [EVENT_UNPUBLISH] = "publish_done",
		[EVENT_PLAY] = "play", [EVENT_STOP] = "play_done", [EVENT_RECORD] = "record_done" };
	char *form = session(event);

	form_add(&form, "call", calls[k]);
	if (k == EVENT_RECORD)
		form_add(&form, "recorder", "");
	form_add(&form, "name", obj_str(event, "name"));
	if (k == EVENT_PUBLISH)
		form_add(&form, "type", "live");
	if (k == EVENT_PLAY) {
		form_add(&form, "start", "4294965296");		/* -2000, live or recorded, as they print it */
		form_add(&form, "duration", "0");
		form_add(&form, "reset", "0");
	}
	if (k == EVENT_RECORD)
		form_add(&form, "path", obj_str(event, "path"));
	post(out, url, add_arguments(form, obj_str(event, "query")));
}

void
style_nginx_ask(const char *url, const json_t *ask, struct style_request *out)
{
	char *form = session(ask);

	form_add(&form, "call", "publish");
	form_add(&form, "name", obj_str(ask, "name"));
	form_add(&form, "type", "live");
	post(out, url, add_arguments(form, obj_str(ask, "query")));
}
