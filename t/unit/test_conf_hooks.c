/* The key hooks.urls: what is filled in, what is refused and with which words, who may see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "obj.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

static json_t *errors;

static json_t *
load(const char *urls)
{
	char *text = xasprintf("hooks:\n  urls: %s\n", urls);
	json_t *conf;

	errors = json_array();
	conf = conf_load_buffer("f", text, strlen(text), errors);
	free(text);
	return conf;
}

static void
defaults(void **state)
{
	json_t *conf = load("[{url: 'https://h/a/'}, {url: 'http://h/b', id: shop, events: publish, streams: [a, 'b-*'], "
	    "style: livekit, secret: 0123456789abcdef, key: k}]"), *list = conf_get(conf, "hooks.urls"), *view, *wanted;
	const json_t *a = json_array_get(list, 0), *b = json_array_get(list, 1);
	char id[CONF_HOOK_ID];

	assert_non_null(conf);
	assert_string_equal(obj_str(a, "url"), "https://h/a/");	/* the slash is its own */
	conf_hook_id("https://h/a/", "native", id);
	assert_string_equal(obj_str(a, "id"), id);
	assert_int_equal(strlen(id), CONF_HOOK_ID - 1);
	assert_string_equal(obj_str(a, "style"), "native");
	assert_int_equal(json_array_size(json_object_get(a, "events")), 8);
	assert_string_equal(json_string_value(json_array_get(json_object_get(a, "streams"), 0)), "*");
	assert_string_equal(obj_str(b, "id"), "shop");
	assert_int_equal(json_array_size(json_object_get(b, "events")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(b, "streams"), 1)), "b-*");
	wanted = conf_wanted_events(conf);
	assert_non_null(json_object_get(wanted, "play"));
	assert_null(json_object_get(wanted, "segment"));
	json_decref(wanted);
	view = conf_view(conf, "hooks");
	assert_int_equal(json_array_size(conf_get(view, "hooks.urls")), 2);
	assert_string_equal(conf_str(view, "authorize.hook"), "");
	json_decref(view);
	view = conf_view(conf, "ingest");
	assert_null(conf_get(view, "hooks"));
	assert_null(conf_get(view, "authorize.hook"));
	json_decref(view);
	json_decref(conf);
	json_decref(errors);
}

static void
refused(const char *urls, const char *words)
{
	json_t *conf = load(urls);
	const char *text = json_string_value(json_array_get(errors, 0));

	assert_null(conf);
	if (text == NULL || strstr(text, words) == NULL || strncmp(text, "f:2: ", 5) != 0)
		fail_msg("%s: %s, not ...%s...", urls, text != NULL ? text : "no error", words);
	assert_null(strstr(text, "hidden"));
	json_decref(errors);
}

static void
faults(void **state)
{
	refused("[{id: a}]", "without url");
	refused("[{url: 'ftp://hidden'}]", "does not begin with http://");
	refused("[{url: 'http:///hidden'}]", "does not begin with http://HOST");
	refused("[{url: https://}]", "does not begin with http://HOST");
	refused("[{url: 'http://h/ hidden'}]", "spaces");
	refused("[{url: 'http://h/', ulr: x}]", "\"ulr\" is not known here");
	refused("[{url: 'http://h/', events: [publsh]}]", "publsh");
	refused("[{url: 'http://h/', streams: 'a/b'}]", "want a name");
	refused("[{url: 'http://h/', style: soap}]", "soap");
	refused("[{url: 'http://h/', secret: short}]", "shorter than 16");
	refused("[{url: 'http://h/', id: a-b}]", "letters, digits or _");
	refused("[{url: 'http://u:hidden@h/hidden'}, {url: 'http://u:hidden@h/hidden'}]", "hooks.urls: http://h/... is given twice; the same URL");
	refused("[{url: 'http://h/', id: a}, {url: 'http://i/', id: a}]", "the id a is given twice");
	refused("[{url: 'http://h/', style: livekit, secret: 0123456789abcdef}]", "wants key");
	refused("[{url: 'http://h/', style: livekit}]\n  secret: 0123456789abcdef", "wants key");
	refused("[word]", "without url");
	refused("[{url: 'http://u:hidden@127.0.0.1:8/hidden', id: a}]", "hooks.urls: http://127.0.0.1:8/... leads to 127.0.0.1, which is private: add it to hooks.networks");
	refused("[{url: 'http://2130706433/'}]", "leads to 127.0.0.1,");
	refused("[{url: 'https://[fd00::1]:8/hidden'}]", "leads to fd00::1,");
	refused("[{url: 'http://LocalHost'}]", "leads to 127.0.0.1,");
	refused("[{url: 'http://10.0.0.1'}]\n  networks: [127.0.0.0/8, 192.168.0.0/16]", "http://10.0.0.1 leads to 10.0.0.1,");
}

static void
taken(const char *urls)
{
	json_t *conf = load(urls);

	if (conf == NULL)
		fail_msg("%s: %s", urls, json_string_value(json_array_get(errors, 0)));
	json_decref(conf);
	json_decref(errors);
}

/* Where a name leads is decided when it is connected to. */
static void
reachable(void **state)
{
	taken("[{url: 'http://localhost:8/x'}]\n  networks: ['::1']");
	taken("[{url: 'http://127.0.0.1:8/x?a=@10.0.0.1'}]\n  networks: [127.0.0.0/8]");
	taken("[{url: 'http://[fd00::1]/x'}]\n  networks: ['fd00::/8']");
	taken("[{url: 'http://8.8.8.8/x'}, {url: 'http://[2606:4700::1]/x'}, {url: 'http://10.example.org'}]");
	taken("[{url: 'http://h/x', style: livekit}]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(defaults), cmocka_unit_test(faults),
		cmocka_unit_test(reachable) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
