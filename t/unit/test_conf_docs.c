/* The table of keys against etc/millrace.yaml and man/millrace.yaml.5: the same keys, defaults and ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define YAML "etc/millrace.yaml"
#define MAN "man/millrace.yaml.5"

static char *
read_whole(const char *path)
{
	char *text = file_read(path, CONF_FILE_MAX, NULL);

	if (text == NULL)
		fail_msg("cannot read %s: run from the top of the source", path);
	return text;
}

/* "#key:" loses its '#', "# comment" stays one. */
static void
uncomment(char *text)
{
	char *in = text, *out = text;
	bool start = true;

	for (; *in != '\0'; in++) {
		if (start && *in == '#' && in[1] != ' ' && in[1] != '\n') {
			start = false;
			continue;
		}
		start = *in == '\n' || (start && *in == ' ');
		*out++ = *in;
	}
	*out = '\0';
}

static void
mark(const struct conf_node *map, const char *prefix, unsigned *seen)
{
	const struct conf_node *n;
	char path[200];
	int i;

	for (n = map->first; n != NULL; n = n->next) {
		snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", n->key);
		i = conf_find(path);
		if (i != -1)
			seen[i] = n->line;
		else if (n->kind == CONF_MAP)
			mark(n, path, seen);
	}
}

static void
assert_defaults(const char *text)
{
	json_t *errors = json_array(), *conf = conf_load_buffer(YAML, text, strlen(text), errors);
	json_t *defaults = conf_load_buffer("none", "", 0, errors), *plan, *list;
	const char *which;

	if (conf == NULL)
		fail_msg("%s", json_string_value(json_array_get(errors, 0)));
	plan = conf_plan(defaults, conf);
	json_object_foreach(plan, which, list)
		if (json_array_size(list) > 0)
			fail_msg("not the default: %s", json_string_value(json_array_get(list, 0)));
	assert_true(json_equal(conf, defaults));
	json_decref(plan);
	json_decref(conf);
	json_decref(defaults);
	json_decref(errors);
}

/* --- ranges: "From 1s to 1h." --- */

static int
parse_number(const struct conf_key *k, const char *text, int64_t *out)
{
	return (k->type == CONF_DURATION ? conf_parse_duration : k->type == CONF_SIZE ? conf_parse_size :
	    k->type == CONF_BITRATE ? conf_parse_bitrate : conf_parse_int)(text, out);
}

/* text: all that is written of a key, words with one space between. */
static void
assert_range(const struct conf_key *k, const char *file, const char *text)
{
	char from[32], to[32], *dot;
	int64_t min, max;
	const char *p;

	if ((k->type != CONF_DURATION && k->type != CONF_SIZE && k->type != CONF_BITRATE && k->type != CONF_INT) ||
	    (k->min == 0 && k->max == 0))
		return;
	for (p = strstr(text, "From "); p != NULL && !isdigit((unsigned char)p[5]); )
		p = strstr(p + 1, "From ");
	if (p == NULL || sscanf(p, "From %31s to %31s", from, to) != 2)
		fail_msg("%s: %s has no range", file, k->path);
	dot = to + strcspn(to, ".,;");
	*dot = '\0';
	if (parse_number(k, from, &min) != 0 || parse_number(k, to, &max) != 0 || min != k->min || max != k->max)
		fail_msg("%s: %s is said to be from %s to %s: it is not", file, k->path, from, to);
}

#define BLOCK 4000

/* The comment above a line, without its #. */
static const char *
yaml_comment(const char *text, unsigned line, char out[BLOCK])
{
	const char *p = text, *begin = NULL;
	size_t n = 0;
	bool space = true;

	for (; --line > 0; p = strchr(p, '\n') + 1)
		if (p[strspn(p, " ")] != '#')
			begin = NULL;
		else if (begin == NULL)
			begin = p;
	for (; begin != NULL && begin < p && n + 1 < BLOCK; begin++)
		if (strchr("# \n", *begin) == NULL || !space) {
			space = strchr("# \n", *begin) != NULL;
			out[n++] = space ? ' ' : *begin;
		}
	out[n] = '\0';
	return out;
}

/* What follows an item. */
static const char *
man_text(const char *item, char out[BLOCK])
{
	const char *end = strstr(item + 1, "\n.It");
	size_t n = 0;

	for (; *item != '\0' && item != end && n + 1 < BLOCK; item++)
		out[n++] = *item == '\n' ? ' ' : *item;
	out[n] = '\0';
	return out;
}

static void
yaml_works_as_it_stands(void **state)
{
	char *text = read_whole(YAML);

	assert_defaults(text);
	free(text);
}

static void
yaml_names_every_key(void **state)
{
	struct conf_errors e = { .file = YAML, .list = json_array() };
	unsigned *seen = xcalloc(conf_nkeys, sizeof(*seen));
	char *text = read_whole(YAML);
	struct conf_node *top;
	char comment[BLOCK];
	size_t i;

	uncomment(text);
	assert_defaults(text);
	top = conf_yaml_parse(text, strlen(text), &e);
	assert_non_null(top);
	mark(top, "", seen);
	for (i = 0; i < conf_nkeys; i++)
		if (seen[i] == 0)
			fail_msg("%s is missing in " YAML, conf_keys[i].path);
		else
			assert_range(&conf_keys[i], YAML, yaml_comment(text, seen[i], comment));
	conf_yaml_free(&top);
	json_decref(e.list);
	free(seen);
	free(text);
}

/* ".It Cm PATH : Ar "DEFAULT"", quotes in it as \(dq. */
static void
man_line(const struct conf_key *k, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "\n.It Cm %s : Ar \"", k->path);
	const char *s;

	for (s = k->standard; *s != '\0'; s++)
		n += (size_t)snprintf(out + n, size - n, *s == '"' ? "\\(dq" : "%c", *s);
	snprintf(out + n, size - n, "\"\n");
}

static void
man_names_every_key(void **state)
{
	char *text = read_whole(MAN), line[300], block[BLOCK];
	const char *p;
	size_t i, n = 0;

	for (i = 0; i < conf_nkeys; i++) {
		man_line(&conf_keys[i], line, sizeof(line));
		p = strstr(text, line);
		if (p == NULL)
			fail_msg(MAN " has no line%s", line);
		assert_range(&conf_keys[i], MAN, man_text(p, block));
	}
	for (p = text; (p = strstr(p, "\n.It Cm ")) != NULL; p++)
		n++;
	assert_int_equal(n, conf_nkeys);
	free(text);
}

/* Every kind gets the whole of what it may see, and nothing secret. */
static void
views(void **state)
{
	static const char *const kinds[] = { "ingest", "finish", "http", "webrtc", "registry", "jobs", "watch", "hooks" };
	static const char text[] = "authorize: {secret: 'a secret of some length'}\nhttp: {api_token: 12345678}\n"
	    "redis: {url: 'redis://u:p@h'}\n";
	json_t *errors = json_array(), *conf = conf_load_buffer("f", text, strlen(text), errors), *view;
	size_t i;

	assert_non_null(conf);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		view = conf_view(conf, kinds[i]);
		assert_string_equal(conf_str(view, "run_dir"), "/run/millrace");
		assert_string_equal(conf_str(view, "log.level"), "info");
		assert_true(json_is_string(json_object_get(view, "host")));
		assert_int_equal(conf_int(view, "streams.hls.segment"), 1000);
		assert_null(conf_get(view, "authorize.secret"));
		assert_null(conf_get(view, "authorize.keys"));
		assert_true((conf_get(view, "redis") != NULL) == (i >= 4));
		assert_true((conf_get(view, "http.api_token") != NULL) == (strcmp(kinds[i], "http") == 0));
		assert_true((conf_get(view, "authorize.patterns") != NULL) ==
		    (strcmp(kinds[i], "http") == 0 || strcmp(kinds[i], "ingest") == 0));
		json_decref(view);
	}
	assert_null(conf_view(conf, "ffmpeg"));
	json_decref(conf);
	json_decref(errors);
}

static void
plan_shows_changes_without_secrets(void **state)
{
	static const char text[] = "data_dir: /d\nauthorize: {secret: 'a secret of some length'}\n"
	    "redis: {url: 'redis://u:hidden@h'}\nstreams: {hls: {segment: 2s}, ring: 8MiB}\n"
	    "rtmp: {listen: [':1', {address: ':2', proxy_protocol: true}]}\nlog: {level: debug}\n"
	    "http: {public_url: 'https://a'}\n";
	json_t *errors = json_array(), *from = conf_load_buffer("f", "", 0, errors);
	json_t *to = conf_load_buffer("f", text, strlen(text), errors), *plan = conf_plan(from, to);
	char *dump = json_dumps(plan, JSON_COMPACT);

	assert_string_equal(dump, "{\"now\":[\"rtmp.listen: [:1935] -> [:1, :2 (proxy_protocol)]\","
	    "\"http.public_url: \\\"\\\" -> https://a\","
	    "\"authorize.secret: \\\"\\\" -> ***\",\"log.level: \\\"info\\\" -> \\\"debug\\\"\"],"
	    "\"new_streams\":[\"streams.ring: 32MiB -> 8MiB\",\"streams.hls.segment: 1s -> 2s\"],"
	    "\"restart\":[\"data_dir: \\\"/var/lib/millrace\\\" -> \\\"/d\\\"\","
	    "\"redis.url: embedded -> redis://***@h\"],\"failed\":[]}");
	free(dump);
	json_decref(plan);
	json_decref(from);
	json_decref(to);
	json_decref(errors);
}

static char *
plan_of(const char *before, const char *after)
{
	json_t *errors = json_array(), *from = conf_load_buffer("f", before, strlen(before), errors);
	json_t *to = conf_load_buffer("f", after, strlen(after), errors), *plan = conf_plan(from, to);
	char *dump = json_dumps(json_object_get(plan, "now"), JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(plan);
	json_decref(from);
	json_decref(to);
	json_decref(errors);
	return dump;
}

/* What changed can be seen, keys can't. */
static void
plan_shows_what_changed(void **state)
{
	char *dump = plan_of("watch: {dir: /in, to: 's3:a/'}\n",
	    "watch: {dir: /in, to: 's3://media/b/', recursive: true, layout: chunks, poll: 5s}\n");

	assert_string_equal(dump, "[\"watch: [/in to s3:a/ (mp4 mkv)] -> "
	    "[/in to s3://media/b/ (mp4 mkv, recursive, chunks, poll 5s)]\"]");
	free(dump);
	dump = plan_of("upload: {target: 'rtmp://a/live/k3y'}\n", "upload: {target: 'rtmp://b/live/k3y'}\n");
	assert_string_equal(dump, "[\"upload.target: rtmp://a/live/*** -> rtmp://b/live/***\"]");
	free(dump);
	dump = plan_of("push: [{id: y, url: 'rtmp://a/live/k3y'}]\n", "push: [{id: y, url: 'rtmp://a/live/k4y'}]\n");
	assert_string_equal(dump, "[\"push: [y of * to rtmp://a/live/***] -> [y of * to rtmp://a/live/***] (another one)\"]");
	free(dump);
}

#define HASH(n) "'sha256:00112233445566778899aabbccddeeff:" \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddee" n "'"

static void
plan_shows_whose_keys_changed(void **state)
{
	char *dump = plan_of("", "authorize: {keys: {johndoe: " HASH("00") "}}\n");

	assert_string_equal(dump, "[\"authorize.keys: none -> 1 key (johndoe: added)\"]");
	free(dump);
	dump = plan_of("authorize: {keys: {johndoe: " HASH("00") "}}\n", "");
	assert_string_equal(dump, "[\"authorize.keys: 1 key -> none (johndoe: removed)\"]");
	free(dump);
	dump = plan_of("authorize: {keys: {a: " HASH("00") ", b: " HASH("00") "}}\n",
	    "authorize: {keys: {a: " HASH("11") ", b: " HASH("00") "}}\n");
	assert_string_equal(dump, "[\"authorize.keys: 2 keys -> 2 keys (a: another one)\"]");
	free(dump);
}

/* A port that all interfaces had is not free for one of them before a restart; other moves are made at once. */
static void
plan_knows_which_listeners_wait(void **state)
{
	static const struct { const char *from, *to; bool now; } moves[] = {
		{ "':80'", "'127.0.0.1:80'", false }, { "'127.0.0.1:80'", "':80'", false },
		{ "'0.0.0.0:80'", "'127.0.0.1:80'", false }, { "'10.0.0.1:80'", "'10.0.0.2:80'", true },
		{ "'127.0.0.1:80'", "['127.0.0.1:80', '[::1]:80']", true }, { "':80'", "'127.0.0.1:81'", true },
		{ "[':80', ':81']", "[':80']", true },
	};
	char from[80], to[80], *dump;

	for (unsigned i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		snprintf(from, sizeof(from), "http: {listen: %s}\n", moves[i].from);
		snprintf(to, sizeof(to), "http: {listen: %s}\n", moves[i].to);
		dump = plan_of(from, to);
		if ((strstr(dump, "http.listen: ") != NULL) != moves[i].now)
			fail_msg("%s -> %s: %s", moves[i].from, moves[i].to, dump);
		free(dump);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_works_as_it_stands), cmocka_unit_test(yaml_names_every_key),
		cmocka_unit_test(man_names_every_key), cmocka_unit_test(views),
		cmocka_unit_test(plan_shows_changes_without_secrets), cmocka_unit_test(plan_shows_what_changed), cmocka_unit_test(plan_shows_whose_keys_changed),
		cmocka_unit_test(plan_knows_which_listeners_wait),
	};

	unsetenv("MILLRACE_RTMP");	/* etc/millrace.yaml takes them */
	unsetenv("MILLRACE_HTTP");
	unsetenv("RTMP_URL");
	unsetenv("RTMP_BASE_URL");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
