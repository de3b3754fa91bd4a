/* publish_url.c: how encoders split a URL, what may be a name, what a refused one is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ingest/publish_url.h"

static json_t *patterns;

static int
setup(void **state)
{
	patterns = json_pack("[s, s]", "/live/{app}/{username}", "/live/{username}");
	return 0;
}

static int
teardown(void **state)
{
	json_decref(patterns);
	return 0;
}

static void
expect(const char *path, const char *name, const char *want_name, const char *want_app)
{
	struct publish_match m;
	char why[160];

	if (publish_url_match(patterns, path, name, &m, why, sizeof(why)) < 0)
		fail_msg("%s + %s: %s", path, name, why);
	assert_string_equal(m.name, want_name);
	assert_string_equal(m.app, want_app);
}

static void
refused(const char *path, const char *name, const char *want_why)
{
	struct publish_match m;
	char why[160];

	if (publish_url_match(patterns, path, name, &m, why, sizeof(why)) == 0)
		fail_msg("%s + %s was let in as %s", path, name, m.name);
	if (strstr(why, want_why) == NULL)
		fail_msg("%s + %s: \"%s\" lacks \"%s\"", path, name, why, want_why);
}

static void
every_split_of_a_url_is_the_same_stream(void **state)
{
	expect("/live", "johndoe", "johndoe", "live");
	expect("/live/", "johndoe", "johndoe", "live");
	expect("/live", "johndoe/", "johndoe", "live");
	expect("/live/test", "johndoe", "johndoe", "test");
	expect("/live", "test/johndoe", "johndoe", "test");
	expect("/live/test/johndoe", "johndoe", "johndoe", "test");
	expect("/live/test/johndoe", "", "johndoe", "test");
	expect("/live/johndoe", "", "johndoe", "live");
	expect("//live//test/", "/johndoe", "johndoe", "test");
}

static void
the_name_must_be_the_publishing_name(void **state)
{
	refused("/live/test/johndoe", "janedoe", "not the Stream Key");
	json_array_clear(patterns);
	json_array_append_new(patterns, json_string("/live/{username}/{key}"));
	refused("/live/johndoe", "secret", "not the Stream Key");
}

static void
what_is_no_name_is_refused(void **state)
{
	char longest[66];

	refused("/live", "..", "may have");
	refused("/live", ".hidden", "may have");
	refused("/live", "a b", "may have");
	refused("/live", "johndoe ", "at the end of the Stream Key");
	refused("/live", "johndoe\n", "at the end of the Stream Key");
	refused("/live", " johndoe", "begins with a space");
	refused("/live", "a%2fb", "may have");
	memset(longest, 'x', 65);
	longest[65] = '\0';
	refused("/live", longest, "longer than 64: 65 characters");
	longest[64] = '\0';
	expect("/live", longest, longest, "live");
}

static void
an_app_is_as_harmless_as_a_name(void **state)
{
	refused("/live/..", "etc", "");
	refused("/live", "../etc", "");
	refused("/live/.x", "etc", "");
}

static void
other_urls_match_nothing(void **state)
{
	refused("/", "johndoe", "no pattern");
	refused("/other", "johndoe", "no pattern");
	refused("/live/a/b/c", "d", "no pattern");
	refused("/live/a", "b/c", "no pattern");	/* as ffmpeg splits rtmp://h/live/a/b/c */
	refused("/live/..", "../etc/passwd", "no pattern");
	refused("/Live", "johndoe", "no pattern");
}

static void
an_empty_key_is_called_so(void **state)
{
	refused("", "", "Stream Key is empty");
	refused("/live", "", "Stream Key is empty");
	refused("/johndoe", "", "Stream Key is empty");
}

static void
a_key_in_the_wrong_place_is_told_the_right_one(void **state)
{
	refused("/live", "johndoe&key=s3cret", "write ?key=... behind the name (not &key=...)");
	refused("/live/johndoe&key=s3cret", "", "write ?key=... behind the name (not &key=...)");
	refused("/live", "johndoe%3Fkey=s3cret", "(not %3Fkey=...)");
	refused("/live", "johndoe key=s3cret", "(not  key=...)");
	refused("/live", "johndoe&e=17&sig=s3cret", "write ?sig=...");
	refused("/live", "johndoekey=s3cret", "may have");
}

static void
hint(const char *tc_url, const char *name, const char *want)
{
	char buf[400];

	publish_url_hint(patterns, tc_url, name, buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void
the_hint_can_be_typed_in(void **state)
{
	hint("rtmp://box.example:1936/lve?key=x", "johndoe",
	    "; this would match: Server rtmp://box.example:1936/live, Stream Key johndoe");
	hint("rtmp://h/live/a", "b/c", "; this would match: Server rtmp://h/live, Stream Key c");
	hint("nonsense", "x", "; this would match: Server rtmp://HOST/live, Stream Key x");
	hint("rtmp://h/live", "", "; this would match: Server rtmp://h/live, Stream Key NAME");
	hint("rtmp://h:1936/", "", "; this would match: Server rtmp://h:1936/live, Stream Key NAME");
	hint("rtmp://h", "", "; this would match: Server rtmp://h/live, Stream Key NAME");
	hint("rtmp://h/johndoe?k=v/w", "", "; this would match: Server rtmp://h/live, Stream Key johndoe");
	hint("rtmp://h/live", "a b", "");
	json_array_clear(patterns);
	hint("rtmp://h/live", "x", "");
	json_array_append_new(patterns, json_string("/live/{app}/{username}"));
	hint("rtmp://h/live", "x", "; this would match: Server rtmp://h/live/APP, Stream Key x");
	expect("/live/APP", "x", "x", "APP");
	json_array_clear(patterns);
	json_array_append_new(patterns, json_string("/{username}/in"));
	hint("rtmp://h/live", "x", "; this would match: Server rtmp://h/x/in, Stream Key x");
	expect("/x/in", "x", "x", "in");
}

static void
a_player_is_told_its_playlist(void **state)
{
	json_t *conf = json_pack("{s:{s:s, s:[{s:s}]}}", "http", "public_url", "", "listen", "address", ":8080");
	char buf[300];

	publish_url_watch(conf, "10.0.0.1:1935", "alice", buf, sizeof(buf));
	assert_non_null(strstr(buf, " http://10.0.0.1:8080/stream/alice/live.m3u8"));
	json_object_set_new(json_object_get(conf, "http"), "public_url", json_string("https://tv.example"));
	publish_url_watch(conf, "10.0.0.1:1935", "alice", buf, sizeof(buf));
	assert_non_null(strstr(buf, " https://tv.example/stream/alice/live.m3u8"));
	json_decref(conf);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_split_of_a_url_is_the_same_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(the_name_must_be_the_publishing_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_name_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(an_app_is_as_harmless_as_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(other_urls_match_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_key_is_called_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_in_the_wrong_place_is_told_the_right_one, setup, teardown),
		cmocka_unit_test_setup_teardown(the_hint_can_be_typed_in, setup, teardown),
		cmocka_unit_test_setup_teardown(a_player_is_told_its_playlist, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
