/* conf: values, every error with its line, environment, limits, and text cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"

static const char whole[] =
    "# a comment\n"
    "run_dir: /tmp/m/run\n"
    "data_dir: /tmp/m/data\n"
    "redis: { url: embedded }\n"
    "rtmp: { listen: \"127.0.0.1:1935\" }\n"
    "http:\n"
    "  listen: [\"127.0.0.1:8080\", { address: \"[::1]:80\", proxy_protocol: true }]\n"
    "  trusted_proxies: 10.0.0.0/8, ::1\n"
    "authorize:\n"
    "  patterns: [\"/live/{app}/{username}\", \"/live/{username}\"]\n"
    "  keys:\n"
    "    alice: sha256:ab:0123456789012345678901234567890123456789012345678901234567890123\n"
    "streams:\n"
    "  reconnect_delay: 1.5s\n"
    "  hls: { segment: 2s, window: 6 }\n"
    "  ring: 8MiB\n";

static json_t *
load(const char *text)
{
	json_t *errors = json_array(), *conf = conf_load_buffer("f.yaml", text, strlen(text), errors);

	if (conf == NULL)
		fail_msg("%s", json_string_value(json_array_get(errors, 0)));
	assert_int_equal(json_array_size(errors), 0);
	json_decref(errors);
	return conf;
}

/* Text gives exactly these errors (each a part of the message), ends with NULL. */
static void
refused(const char *text, ...)
{
	json_t *errors = json_array(), *conf = conf_load_buffer("f.yaml", text, strlen(text), errors);
	const char *want, *got;
	size_t i = 0;
	va_list ap;

	assert_null(conf);
	va_start(ap, text);
	while ((want = va_arg(ap, const char *)) != NULL) {
		got = json_string_value(json_array_get(errors, i++));
		if (got == NULL || strstr(got, want) == NULL)
			fail_msg("want \"%s\", got \"%s\"", want, got != NULL ? got : "nothing");
	}
	va_end(ap);
	assert_int_equal(json_array_size(errors), i);
	json_decref(errors);
}

static void
values(void **state)
{
	json_t *conf = load(whole), *list = conf_get(conf, "http.listen");

	assert_string_equal(conf_str(conf, "run_dir"), "/tmp/m/run");
	assert_int_equal(conf_int(conf, "streams.reconnect_delay"), 1500);
	assert_int_equal(conf_int(conf, "streams.ring"), 8 << 20);
	assert_int_equal(conf_int(conf, "streams.hls.segment"), 2000);
	assert_int_equal(conf_int(conf, "streams.hls.keep"), 3);
	assert_int_equal(conf_int(conf, "rtmp.ack_window"), 2500000);
	assert_false(conf_bool(conf, "redis.abandon_embedded"));
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "address")),
	    "[::1]:80");
	assert_true(json_is_true(json_object_get(json_array_get(list, 1), "proxy_protocol")));
	assert_true(json_is_false(json_object_get(json_array_get(list, 0), "proxy_protocol")));
	assert_int_equal(json_array_size(conf_get(conf, "rtmp.listen")), 1);
	assert_int_equal(json_array_size(conf_get(conf, "http.trusted_proxies")), 2);
	assert_int_equal(json_array_size(conf_get(conf, "authorize.routes")), 4);
	json_decref(conf);
	json_decref(load(""));
	json_decref(load("# nothing\n"));
	json_decref(load("redis:\nhttp:\n  listen:\nlog: ~\n"));
}

static void
errors_have_lines(void **state)
{
	refused("run_dir: /a\nstreams:\n  reconect_delay: 5s\n",
	    "f.yaml:3: unknown key \"streams.reconect_delay\"; did you mean streams.reconnect_delay?", NULL);
	refused("segment: 2s\n", "f.yaml:1: unknown key \"segment\"; did you mean streams.hls.segment?", NULL);
	refused("stream: {}\n", "did you mean streams?", NULL);
	refused("hooks: {url: []}\n", "did you mean hooks.urls?", NULL);
	refused("nonsense: 1\n", "f.yaml:1: unknown key \"nonsense\"; at the top there are run_dir, data_dir, user, "
	    "host, redis, rtmp, http, ", NULL);
	refused("foo: 1\n", "f.yaml:1: unknown key \"foo\"; at the top there are ", NULL);
	refused("lo: 1\n", "did you mean log?", NULL);
	refused("log: {nonsense: 1}\n", "f.yaml:1: unknown key \"log.nonsense\"; log has format, level, foreign_lines, file", NULL);
	refused("streams: {hls: {nonsense: 1}}\n", "; streams.hls has segment, window, keep, batch, stuck", NULL);
	refused("nonsense: {a: 1}\n", "f.yaml:1: unknown key \"nonsense\"", NULL);
	refused("streams:\n\tmax: 1\n", "f.yaml:2: a tab: indent with spaces", NULL);
	refused("streams:\n  max: 1\n\tring: 8MiB\n", "f.yaml:3: a tab: indent with spaces", NULL);
	refused("streams:\n  hls:\n  \tkeep: 1\n", "f.yaml:3: a tab: indent with spaces", NULL);
	refused("\tstreams: 1", "f.yaml:1: a tab: indent with spaces", NULL);
	refused("rtmp: {listen: ':80000'}\n", "f.yaml:1: rtmp.listen: \":80000\": port above 65535", NULL);
	refused("rtmp: {listen: ':port'}\n", "f.yaml:1: rtmp.listen: \":port\" is no address", NULL);
	refused("streams.ring: 8MiB\n", "f.yaml:1: unknown key", NULL);
	refused("streams:\n  reconnect_delay: soon\nrtmp:\n  chunk_size: many\n",
	    "f.yaml:2: streams.reconnect_delay: \"soon\" is not a duration", "f.yaml:4: rtmp.chunk_size: \"many\"",
	    NULL);
	refused("streams: {max: 1}\nhttp: {}\nstreams: {max: 2}\n",
	    "f.yaml:3: key \"streams\" is given twice (first in line 1)", NULL);
	refused("streams: [1\n", "f.yaml:", NULL);
	refused("a: &a [*a]\n", "aliases", NULL);
	refused("http: 5\nrtmp: []\n", "f.yaml:1: http is a section", "f.yaml:2: rtmp is a section", NULL);
	refused("run_dir: [a]\n", "f.yaml:1: run_dir wants one value, not a list", NULL);
	refused("- a\n", "f.yaml:1: want \"key: value\"", NULL);
	refused("run_dir: /a\n---\nrun_dir: /b\n", "f.yaml:2: a second document", NULL);
	refused("run_dir: \"/a\\x07\"\n", "f.yaml:1: control characters", NULL);
	refused("run_dir: \"/a\\0b\"\n", "f.yaml:1: control characters", NULL);
	refused("run_dir: /\xff\n", "not UTF-8", NULL);
}

static void
wrong_values(void **state)
{
	refused("streams: {hls: {segment: 5}}\n", "is not a duration", NULL);
	refused("streams: {hls: {segment: 10ms}}\n", "10ms is not between 200ms and 1m", NULL);
	refused("http: {workers: 0}\n", "http.workers: 0 is not between 1 and 64", NULL);
	refused("http: {workers: -1}\n", "is not a whole number", NULL);
	refused("streams: {ring: 99999999999999999999GiB}\n", "is not a size", NULL);
	refused("streams: {ring: 1.2.3MiB}\n", "is not a size", NULL);
	refused("redis: {url: 'http://x'}\n", "redis.url: want embedded", NULL);
#ifndef MILLRACE_REDIS_TLS
	refused("redis: {url: 'rediss://x'}\n", "run stunnel and point redis.url at it", NULL);
#endif
	refused("redis: {url: 'sentinel://h:1'}\n", "redis.url: want sentinel://HOST:PORT,HOST:PORT/MASTER", NULL);
	refused("redis: {url: 'sentinel:///m'}\n", "redis.url: no host", NULL);
	refused("redis: {url: 'redis://secret@h'}\n", "redis.url: want USER:PASSWORD@ or :PASSWORD@", NULL);
	refused("redis: {url: 'redis://h:63799x'}\n", "redis.url: bad port", NULL);
	refused("redis: {url: 'redis://h/cache'}\n", "the number of a database", NULL);
	refused("redis: {when_down: maybe}\n", "\"maybe\" is not one of allow|refuse", NULL);
	refused("rtmp: {listen: 'localhost:1'}\n", "\"localhost:1\" is no address", NULL);
	refused("rtmp: {listen: []}\n", "rtmp.listen: 0 entries", NULL);
	refused("rtmp: {listen: [':1', ':1']}\n", "\":1\" is given twice", NULL);
	refused("rtmp: {listen: [{proxy_protocol: true}]}\n", "a listener without address", NULL);
	refused("rtmp: {listen: [{address: ':1', proxy: true}]}\n", "\"proxy\" is not known here", NULL);
	refused("rtmp: {listen: [{address: ':1', proxy_protocol: 2}]}\n", "\"2\" is neither", NULL);
	refused("http: {trusted_proxies: [here]}\n", "\"here\" is no network", NULL);
	refused("http: {public_url: example.org}\n", "does not begin with http://", NULL);
	refused("http: {public_url: 'http://'}\n", "does not begin with http://", NULL);
	refused("http: {public_url: /}\n", "does not begin with http://", NULL);
	refused("http: {api_token: short}\n", "shorter than 8", NULL);
	refused("run_dir: here\n", "not an absolute path", NULL);
	refused("redis: {abandon_embedded: perhaps}\n", "neither true nor false", NULL);
	refused("authorize: {routes: [ws, ftp]}\n", "\"ftp\" is not one of", NULL);
}

static void
patterns_and_keys(void **state)
{
	refused("authorize: {patterns: ['live/{username}']}\n", "does not begin with /", NULL);
	refused("authorize: {patterns: ['/live/{app}']}\n", "has no {username}", NULL);
	refused("authorize: {patterns: ['/{username}/{username}']}\n", "more than one", NULL);
	refused("authorize: {patterns: ['/a/{User}/{username}']}\n", "other letters", NULL);
	refused("authorize: {patterns: ['/a/{}/{username}']}\n", "not a whole part", NULL);
	refused("authorize: {patterns: ['/a-{username}']}\n", "a variable is a whole part", NULL);
	refused("authorize: {patterns: ['//{username}']}\n", "empty part", NULL);
	refused("authorize: {patterns: ['/a/{username}/']}\n", "empty part", NULL);
	refused("authorize: {keys: {alice: s3cret}}\n", "what alice has is no hash", NULL);
	refused("authorize: {keys: {.alice: x}}\n", "can't be a stream's name", NULL);
	refused("authorize: {keys: [alice]}\n", "authorize.keys wants NAME: hash", NULL);
	refused("authorize: {keys: {alice: ['sha256:ab:00']}}\n", "is no hash", NULL);
	refused("authorize: {secret: 'too short'}\n", "shorter than 16", NULL);
}

static void
relations(void **state)
{
	refused("rtmp:\n  ping_interval: 20s\n", "f.yaml:2: rtmp.ping_timeout must be greater than", NULL);
	refused("rtmp: {max_buffered: 1MiB}\n", "rtmp.max_buffered must be at least rtmp.max_message", NULL);
	refused("streams: {ring: 1GiB}\n", "limits.ingest_memory must be at least", NULL);
	refused("http: {listen: ':1935'}\n", "both have :1935", NULL);
	refused("http: {listen: '127.0.0.1:1935'}\n", "http.listen and rtmp.listen both have :1935", NULL);
	refused("http: {listen: ':8189'}\n", "f.yaml:1: http.listen and webrtc.listen both have :8189 over TCP", NULL);
	refused("webrtc: {listen: ':1934', workers: 2}\n", "f.yaml:1: rtmp.listen and webrtc.listen, a port per worker, "
	    "both have :1935 over TCP", NULL);
	json_decref(load("webrtc: {listen: ':1935', tcp: false}\n"));
	json_decref(load("webrtc: {listen: ':1935', workers: 0}\n"));
	json_decref(load("webrtc: {listen: '10.0.0.1:1935'}\nrtmp: {listen: ['127.0.0.1:1935', '[::1]:1935']}\n"));
	refused("webrtc: {listen: ':8200', workers: 2, ingest_ports: 8200-8201}\n", "webrtc.ingest_ports has no port that "
	    "is not of webrtc.listen", NULL);
	refused("run_dir: /a\ndata_dir: /a\n", "f.yaml:2: run_dir and data_dir are the same", NULL);
	refused("storage:\n  s3:\n    bucket: b\n", "f.yaml:3: storage.s3.bucket needs storage.s3.endpoint", NULL);
	json_decref(load("storage: {s3: {endpoint: 'https://h'}}\n"));
	refused("disk: {reserve: 1GiB}\nstreams:\n  record:\n    keep:\n      free_space: 1GiB\n",
	    "f.yaml:5: streams.record.keep.free_space must be greater than disk.reserve", NULL);
	json_decref(load("disk: {reserve: 1GiB}\nstreams: {record: {keep: {free_space: 0B}}}\n"));
}

/* What stands between keys is told beside what is wrong with others, but not of those themselves. */
static void
all_at_once(void **state)
{
	refused("nonsense: 1\nupload:\n  target: foo\nrun_dir: /a\ndata_dir: /a\n", "f.yaml:1: unknown key",
	    "f.yaml:3: upload.target must be like", "f.yaml:5: run_dir and data_dir", NULL);
	refused("storage: {s3: {bucket: b, endpiont: 'https://h'}}\n", "did you mean storage.s3.endpoint?", NULL);
	refused("storage: {s3: {bucket: b, endpoint: ftp}}\n", "does not begin with http", NULL);
	refused("disk: {reserve: much}\nstreams: {record: {keep: {free_space: 1MiB}}}\n", "\"much\" is not a size", NULL);
	refused("disk: 5\nstreams: {record: {keep: {free_space: 1MiB}}}\n", "disk is a section", NULL);
	refused("rtmp: {ping_timeout: x}\nlog: {level: y}\nupload: {target_base: z}\n", "ping_timeout: \"x\"",
	    "log.level", "upload.target_base must", NULL);
}

static void
environment(void **state)
{
	json_t *conf;

	setenv("T_LISTEN", "127.0.0.1:1,127.0.0.1:2", 1);
	setenv("T_EMPTY", "", 1);
	unsetenv("T_NONE");
	conf = load("rtmp: {listen: '${T_LISTEN}'}\nhttp: {listen: '${T_NONE:-:81}', public_url: '${T_EMPTY}'}\n"
	    "log: {level: '${T_EMPTY:-debug}'}\nhost: {name: 'a$${b}$c'}\nuser: ${T_NONE:-}\n");
	assert_int_equal(json_array_size(conf_get(conf, "rtmp.listen")), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(conf_get(conf, "http.listen"), 0),
	    "address")), ":81");
	assert_string_equal(conf_str(conf, "log.level"), "debug");
	assert_string_equal(conf_str(conf, "host.name"), "a${b}$c");
	assert_string_equal(conf_str(conf, "http.public_url"), "");
	json_decref(conf);
	refused("a: 1\nrtmp:\n  listen: ${T_NONE}\n", "f.yaml:1:", "f.yaml:3: environment variable T_NONE is not set",
	    NULL);
	refused("user: '${T_NONE'\n", "without \"}\"", NULL);
	refused("user: '${T NONE}'\n", "want ${NAME}", NULL);
	setenv("T_BAD", "\xff", 1);
	refused("user: '${T_BAD}'\n", "not UTF-8", NULL);
}

/* Whatever is cut off, there is a config or an error, never both or none. */
static void
cut_everywhere(void **state)
{
	json_t *errors, *conf;
	size_t len;

	for (len = 0; len < sizeof(whole); len++) {
		errors = json_array();
		conf = conf_load_buffer("f.yaml", whole, len, errors);
		assert_true((conf != NULL) == (json_array_size(errors) == 0));
		json_decref(conf);
		json_decref(errors);
	}
}

static void
watched_folders(void **state)
{
	static const char text[] = "watch:\n"
	    "  - { dir: /srv/in/, extensions: 'MP4, mkv', recursive: yes, to: s3://media/a/b, layout: chunks, poll: 5s }\n"
	    "  - dir: /srv/other\n";
	json_t *conf = load(text);
	char *dump = json_dumps(conf_get(conf, "watch"), JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(dump, "[{\"bucket\":\"media\",\"dir\":\"/srv/in\",\"extensions\":[\"mp4\",\"mkv\"],"
	    "\"layout\":\"chunks\",\"poll\":5000,\"prefix\":\"a/b/\",\"recursive\":true},"
	    "{\"bucket\":\"\",\"dir\":\"/srv/other\",\"extensions\":[\"mp4\",\"mkv\"],"
	    "\"layout\":\"object\",\"poll\":0,\"prefix\":\"\",\"recursive\":false}]");
	free(dump);
	json_decref(conf);
	setenv("MR_TEST_EXT", "mov,avi", 1);
	conf = load("watch: [{dir: /x, extensions: '${MR_TEST_EXT:-mp4}'}]\nwatch_quiet: 250ms\n");
	dump = json_dumps(json_object_get(json_array_get(conf_get(conf, "watch"), 0), "extensions"), JSON_COMPACT);
	assert_string_equal(dump, "[\"mov\",\"avi\"]");
	assert_int_equal(conf_int(conf, "watch_quiet"), 250);
	free(dump);
	json_decref(conf);
}

static void
wrong_folders(void **state)
{
	refused("watch:\n- dir: /a\n  dirs: /b\n", "f.yaml:3: watch: \"dirs\" is not known here: want dir, ext", NULL);
	refused("watch:\n- to: 's3:x/'\n", "f.yaml:2: watch: a folder without dir", NULL);
	refused("watch: /srv/in\n", "f.yaml:1: watch: a folder without dir", NULL);
	refused("watch:\n- dir: in\n", "f.yaml:2: watch.dir: \"in\" is not an absolute path", NULL);
	refused("watch:\n- dir: /a/../b\n", "f.yaml:2: watch.dir: \"/a/../b\": want the folder's plain path", NULL);
	refused("watch:\n- dir: /\n", "f.yaml:2: watch.dir: \"/\": want", NULL);
	refused("watch:\n- dir: /a\n  extensions:\n  - mp4\n  - .mkv\n", "f.yaml:5: watch.extensions: \".mkv\" is no",
	    NULL);
	refused("watch:\n- dir: /a\n  extensions: 'm/4'\n", "f.yaml:3: watch.extensions: \"m/4\" is no", NULL);
	refused("watch:\n- dir: /a\n  to: s3:x\n- {dir: /b, to: /x}\n- {dir: /c, to: 's3://b'}\n",
	    "f.yaml:4: watch.to: \"/x\": want s3://", "f.yaml:5: watch.to: \"s3://b\": want", NULL);
	refused("watch:\n- dir: /a\n  to: s3:/media/x\n",
	    "f.yaml:2: watch.to: \"s3:/media/x\" has one slash: want s3://media/x for a bucket of that name, or s3:media/x",
	    NULL);
	refused("watch:\n- {dir: /a, layout: parts, poll: x}\n", "watch.layout: \"parts\" is not one of object|chunks",
	    "watch.poll: \"x\" is not a duration", NULL);
	refused("watch:\n- dir: /a\n  recursive: true\n- dir: /a/b\n", "f.yaml:4: watch: \"/a\" and \"/a/b\": one is",
	    NULL);
	refused("watch:\n- dir: /a\n- dir: /a/\n", "f.yaml:3: watch: \"/a\" is given twice", NULL);
}

static void
bounded(void **state)
{
	char deep[200], *many;
	json_t *errors = json_array();
	size_t i;

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	refused(deep, "nested too deeply", NULL);
	many = malloc(10 * CONF_NODES_MAX + 1);
	for (i = 0; i < CONF_NODES_MAX; i++)
		snprintf(many + 10 * i, 11, "k%07zu:\n", i);
	assert_null(conf_load_buffer("f", many, 10 * CONF_NODES_MAX, errors));
	assert_int_equal(json_array_size(errors), 1);
	free(many);
	json_array_clear(errors);
	many = calloc(1, CONF_FILE_MAX + 1);
	assert_null(conf_load_buffer("f", many, CONF_FILE_MAX + 1, errors));
	assert_int_equal(json_array_size(errors), 1);
	free(many);
	json_decref(errors);
}

static void
ports_alone(void **state)
{
	json_t *conf = load("http: {listen: ':8080, 8081, 8080'}\n"), *list = conf_get(conf, "http.listen");

	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "address")), ":8081");
	json_decref(conf);
}

static void
webrtc(void **state)
{
	json_t *conf = load("webrtc: {listen: '192.0.2.7:0', addresses: '203.0.113.7, 2001:db8::7', ingest_ports: 9000,"
	    " opus_bitrate: 64k}\n");
	unsigned first, last;
	char buf[CONF_FORMAT];
	int64_t bps;

	assert_string_equal(conf_str(conf, "webrtc.listen"), "192.0.2.7:0");
	assert_int_equal(json_array_size(conf_get(conf, "webrtc.addresses")), 2);
	assert_int_equal(conf_int(conf, "webrtc.opus_bitrate"), 64000);
	assert_string_equal(conf_str(conf, "webrtc.ingest_ports"), "9000");
	json_decref(conf);
	assert_int_equal(conf_parse_ports("8200-8299", &first, &last), 0);
	assert_true(first == 8200 && last == 8299);
	assert_int_equal(conf_parse_ports("9000", &first, &last), 0);
	assert_true(first == 9000 && last == 9000);
	assert_int_equal(conf_parse_bitrate("1.5M", &bps), 0);
	assert_string_equal(conf_format_bitrate(bps, buf), "1500k");
	refused("webrtc: {listen: 8189}\n", "webrtc.listen: \"8189\" is no address", NULL);
	refused("webrtc: {addresses: [example.org]}\n", "\"example.org\" is no IP address", NULL);
	refused("webrtc: {addresses: ['192.0.2.7:80']}\n", "\"192.0.2.7:80\" is no IP address", NULL);
	refused("webrtc: {ingest_ports: 9000-8000}\n", "\"9000-8000\" are no ports", NULL);
	refused("webrtc: {ingest_ports: 0-10}\n", "\"0-10\" are no ports", NULL);
	refused("webrtc: {ingest_ports: -}\n", "\"-\" are no ports", NULL);
	refused("webrtc: {ingest_ports: 1-70000}\n", "\"1-70000\" are no ports", NULL);
	refused("webrtc: {opus_bitrate: 1k}\n", "1k is not between 6k and 510k", NULL);
	refused("webrtc: {opus_bitrate: loud}\n", "\"loud\" is not a bit rate", NULL);
	refused("webrtc: {workers: 4, listen: ':65533'}\n", "4 workers have 4 ports from 65533 on", NULL);
	json_decref(load("webrtc: {workers: 3, listen: ':65533'}\n"));
}

static void
missing_file(void **state)
{
	json_t *errors = json_array();

	assert_null(conf_load("/nonexistent/f.yaml", errors));
	assert_non_null(strstr(json_string_value(json_array_get(errors, 0)),
	    "/nonexistent/f.yaml: no such file; copy etc/millrace.yaml"));
	json_decref(errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values), cmocka_unit_test(errors_have_lines), cmocka_unit_test(wrong_values),
		cmocka_unit_test(patterns_and_keys), cmocka_unit_test(relations), cmocka_unit_test(all_at_once),
		cmocka_unit_test(environment), cmocka_unit_test(cut_everywhere), cmocka_unit_test(bounded),
		cmocka_unit_test(watched_folders), cmocka_unit_test(wrong_folders),
		cmocka_unit_test(ports_alone), cmocka_unit_test(webrtc), cmocka_unit_test(missing_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
