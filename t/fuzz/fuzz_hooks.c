/*
 * Webhooks' pure parts: any event in any style makes a request whose URL has no line end in it; any
 * answer, query and URL is taken without harm, and no body but SRS' own word is a yes.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workers/hooks/event.h"
#include "workers/hooks/send.h"
#include "workers/hooks/sign.h"
#include "workers/hooks/style.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
one(enum style s, const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	enum event_kind k = event_translate(o);
	struct style_request q;

	if (json_is_object(o) && style_has(s, k, o)) {
		style_event(s, "http://h/p", k, o, &q);
		if (strpbrk(q.url, "\r\n ") != NULL || q.body == NULL)
			abort();
		free(sign_jwt("k", "s", 1, q.body, strlen(q.body)));
		style_request_free(&q);
	}
	if (json_is_object(o)) {
		style_ask(s, "http://h/p", o, &q);
		style_request_free(&q);
	}
	json_decref(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *shown;
	json_t *ask;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (enum style s = 0; s < STYLE_COUNT; s++)
		one(s, text);
	if (style_verdict(STYLE_SRS, 200, text) == STYLE_ALLOW && strchr(text, '0') == NULL)
		abort();
	ask = json_pack("{s:s, s:s+}", "name", "a", "query", "x=1&", text);
	if (ask != NULL) {
		struct style_request q;

		style_ask(STYLE_MEDIAMTX, "http://h/p", ask, &q);
		style_request_free(&q);
		json_decref(ask);
	}
	send_url_wrong(text, NULL);
	shown = send_url_show(text);
	if (strchr(shown, '@') != NULL && strchr(shown, '@') < shown + strcspn(shown + 8, "/") + 8)
		abort();
	free(shown);
	free(send_url_target(text));
	free(text);
	return 0;
}
