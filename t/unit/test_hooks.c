/*
 * workers/hooks, its pure parts: signatures against another implementation's, each style's requests
 * as they go out, who wants what, waits, addresses, URLs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ingress_id.h"
#include "net.h"
#include "util.h"
#include "workers/hooks/event.h"
#include "workers/hooks/form.h"
#include "private.h"
#include "workers/hooks/send.h"
#include "workers/hooks/sign.h"
#include "workers/hooks/style.h"

#define SECRET "0123456789abcdef"
#define NOW 1700000000
#define COMMON "\"id\": \"h1-5-7\", \"time\": \"2026-11-21T07:00:00.123Z\", \"host\": \"one\", \"name\": \"alice\", " \
	"\"app\": \"live\", \"peer\": \"1.2.3.4:5\", \"protocol\": \"rtmp\""

#define CLIENT "3332109774"	/* FNV-1a of name and peer */
#define CLIENT_HEX "c69bf5ce"
#define VIEWER "4185637950"	/* of name, viewer and peer */
#define VIEWER_HEX "f97bc43e"
#define INGRESS "IN_b777b2237c0437b3"
#define SIGNED_BODY "7389e9520b0b7ed61793671eb9c12cce2fdd158b0d93d892e974a77a134cb4f8"
#define SIGNED_NOTHING "3e0153239c488f9cbe8103099169ba4aa1fb4c71fee92bb6f1fc768e7ebdcfe0"
#define JWT "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUElrZXkiLCJuYmYiOjE2OTk5OTk3MDAsImV4cCI6MTcwMDAwMDMw" \
	"MCwic2hhMjU2IjoiT0tVQU41WW9JRmlKUGZBU0FRWjVJMWV5WUFoSHJpcG82VzBYbXRQWkhpZz0ifQ." \
	"GCSfkzsTqTWlDFPrUl8J86hYqfRbNpd5a9zVNnvtGrM"

/* --- signatures; made with Python's hmac --- */

static void
signed_header(void **state)
{
	static const char body[] = "{\"event\":\"publish\"}";
	char *a = sign_header(SECRET, NOW, body, strlen(body)), *b = sign_header(SECRET, NOW, "", 0);

	assert_string_equal(a, "t=1700000000,v1=" SIGNED_BODY);
	assert_string_equal(b, "t=1700000000,v1=" SIGNED_NOTHING);
	free(a);
	free(b);
	a = sign_header(SECRET, NOW + 1, body, strlen(body));
	assert_null(strstr(a, SIGNED_BODY));
	free(a);
}

static void
jwt(void **state)
{
	static const char body[] = "{\"event\":\"ingress_started\"}";
	char *t = sign_jwt("APIkey", SECRET, NOW, body, strlen(body));

	assert_string_equal(t, JWT);
	free(t);
}

/* --- styles --- */

static json_t *
parse(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

/* "METHOD URL TYPE BODY" of an event as the spool has it; "" if the style has no word for it. */
static const char *
request(enum style s, const char *text)
{
	static char out[2000];
	json_t *event = parse(text);
	enum event_kind k = event_translate(event);
	struct style_request q;

	out[0] = '\0';
	if (style_has(s, k, event)) {
		style_event(s, "http://h/p?a=b", k, event, &q);
		snprintf(out, sizeof(out), "%s %s %s %s", q.method, q.url, q.type != NULL ? q.type : "-", q.body);
		style_request_free(&q);
		assert_null(q.url);
	}
	json_decref(event);
	return out;
}

#define STARTED "{\"event\": \"stream_started\", " COMMON ", \"resumed\": false}"
#define INTERRUPTED "{\"event\": \"stream_interrupted\", " COMMON ", \"reason\": \"kicked\"}"
#define PLAY "{\"event\": \"play\", \"name\": \"alice\", \"app\": \"live\", \"viewer\": \"0a\", \"peer\": \"1.2.3.4\", " \
	"\"protocol\": \"hls\", \"host\": \"one\"}"
#define RECORD "{\"event\": \"record\", \"name\": \"alice\", \"app\": \"live\", \"peer\": \"1.2.3.4:5\", \"host\": \"one\", " \
	"\"file\": \"recordings/alice/a b.mp4\", \"path\": \"/data/recordings/alice/a b.mp4\", \"state\": \"%s\"}"

static void
native(void **state)
{
	assert_string_equal(request(STYLE_NATIVE, STARTED), "POST http://h/p?a=b application/json "
	    "{\"event\":\"publish\",\"id\":\"h1-5-7\",\"time\":\"2026-11-21T07:00:00.123Z\",\"host\":\"one\","
	    "\"name\":\"alice\",\"app\":\"live\",\"peer\":\"1.2.3.4:5\",\"protocol\":\"rtmp\",\"resumed\":false}");
	assert_string_equal(request(STYLE_NATIVE, "{\"event\": \"error\", \"name\": \"a\", \"code\": \"output\", "
	    "\"what\": \"hls\", \"reason\": \"no space\"}"), "POST http://h/p?a=b application/json {\"event\":\"error\","
	    "\"name\":\"a\",\"code\":\"output\",\"what\":\"hls\",\"reason\":\"no space\"}");
	assert_string_equal(request(STYLE_NATIVE, "{\"event\": \"viewers\"}"), "");
}

#define NGINX(rest) "POST http://h/p?a=b application/x-www-form-urlencoded app=live&flashver=&swfurl=" \
	"&tcurl=rtmp%3A%2F%2Fone%2Flive&pageurl=&addr=1.2.3.4&clientid=" rest

static void
nginx(void **state)
{
	char text[600];

	assert_string_equal(request(STYLE_NGINX, STARTED), NGINX(CLIENT "&call=publish&name=alice&type=live"));
	assert_string_equal(request(STYLE_NGINX, INTERRUPTED), NGINX(CLIENT "&call=publish_done&name=alice"));
	assert_string_equal(request(STYLE_NGINX, PLAY),
	    NGINX(VIEWER "&call=play&name=alice&start=4294965296&duration=0&reset=0"));
	snprintf(text, sizeof(text), RECORD, "recorded");
	assert_string_equal(request(STYLE_NGINX, text), "");
	snprintf(text, sizeof(text), RECORD, "finished");
	assert_string_equal(request(STYLE_NGINX, text), NGINX(CLIENT "&call=record_done&recorder=&name=alice"
	    "&path=%2Fdata%2Frecordings%2Falice%2Fa%20b.mp4"));
	assert_string_equal(request(STYLE_NGINX, "{\"event\": \"stream_ended\", \"name\": \"a\"}"), "");
}

#define WITH_QUERY "{\"event\": \"stream_started\", " COMMON ", \"query\": \"token=a%20b&name=other&x=1\"}"

static void
arguments(void **state)
{
	assert_string_equal(request(STYLE_NGINX, WITH_QUERY), NGINX(CLIENT "&call=publish&name=alice&type=live"
	    "&token=a%20b&x=1"));
	assert_non_null(strstr(request(STYLE_SRS, WITH_QUERY), "\"param\":\"?token=a%20b&name=other&x=1\""));
	assert_non_null(strstr(request(STYLE_NATIVE, WITH_QUERY), "\"query\":\"token=a%20b&name=other&x=1\""));
}

/* A viewer's address has no port. */
static void
peers(void **state)
{
	static const struct { const char *peer, *addr, *ip; } cases[] = {
		{ "1.2.3.4:5", "1.2.3.4&", "1.2.3.4" }, { "1.2.3.4", "1.2.3.4&", "1.2.3.4" },
		{ "[fd00::2]:5", "fd00%3A%3A2&", "fd00::2" },
		{ "fd00::2", "fd00%3A%3A2&", "fd00::2" }, { "::1", "%3A%3A1&", "::1" }, { "", "&", "" },
	};
	char event[200], want[100];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(event, sizeof(event), "{\"event\": \"play\", \"name\": \"a\", \"peer\": \"%s\"}", cases[i].peer);
		snprintf(want, sizeof(want), "&addr=%s", cases[i].addr);
		assert_non_null(strstr(request(STYLE_NGINX, event), want));
		snprintf(want, sizeof(want), "\"ip\":\"%s\"", cases[i].ip);
		assert_non_null(strstr(request(STYLE_SRS, event), want));
	}
}

#define SRS(action, client) "POST http://h/p?a=b application/json {\"server_id\":\"one\",\"service_id\":\"millrace\"," \
	"\"action\":\"" action "\",\"client_id\":\"" client "\",\"ip\":\"1.2.3.4\",\"vhost\":\"__defaultVhost__\"," \
	"\"app\":\"live\",\"stream\":\"alice\",\"param\":\"\",\"tcUrl\":\"rtmp://one/live\"," \
	"\"stream_url\":\"/live/alice\",\"stream_id\":\"vid-live-alice\""

static void
srs(void **state)
{
	char text[600];

	assert_string_equal(request(STYLE_SRS, STARTED), SRS("on_publish", CLIENT_HEX) "}");
	assert_string_equal(request(STYLE_SRS, INTERRUPTED), SRS("on_unpublish", CLIENT_HEX) "}");
	assert_string_equal(request(STYLE_SRS, PLAY), SRS("on_play", VIEWER_HEX) ",\"pageUrl\":\"\"}");
	snprintf(text, sizeof(text), RECORD, "finished");
	assert_string_equal(request(STYLE_SRS, text), SRS("on_dvr", CLIENT_HEX)
	    ",\"cwd\":\"/data\",\"file\":\"./recordings/alice/a b.mp4\"}");
	assert_string_equal(request(STYLE_SRS, "{\"event\": \"segment\", " COMMON ", \"file\": \"hls/alice/s1_2.ts\", "
	    "\"path\": \"/data/hls/alice/s1_2.ts\", \"duration_ms\": 1500, \"sequence\": 7}"), SRS("on_hls", CLIENT_HEX)
	    ",\"cwd\":\"/data\",\"file\":\"./hls/alice/s1_2.ts\",\"duration\":1.5,\"url\":\"stream/alice/s1_2.ts\","
	    "\"m3u8\":\"./hls/alice/live.m3u8\",\"m3u8_url\":\"stream/alice/live.m3u8\",\"seq_no\":7}");
}

static void
mediamtx(void **state)
{
	char text[600];

	assert_string_equal(request(STYLE_MEDIAMTX, STARTED), "GET http://h/p?a=b&path=live%2Falice"
	    "&source_type=rtmpConn&source_id=" CLIENT_HEX "&event=ready - ");
	assert_string_equal(request(STYLE_MEDIAMTX, INTERRUPTED), "GET http://h/p?a=b&path=live%2Falice"
	    "&source_type=rtmpConn&source_id=" CLIENT_HEX "&event=notReady - ");
	assert_string_equal(request(STYLE_MEDIAMTX, PLAY), "GET http://h/p?a=b&path=live%2Falice"
	    "&reader_type=hlsMuxer&reader_id=" VIEWER_HEX "&event=read - ");
	snprintf(text, sizeof(text), RECORD, "finished");
	assert_string_equal(request(STYLE_MEDIAMTX, text), "GET http://h/p?a=b&path=live%2Falice"
	    "&segment_path=%2Fdata%2Frecordings%2Falice%2Fa%20b.mp4&event=recordSegmentComplete - ");
}

static void
livekit(void **state)
{
	assert_string_equal(request(STYLE_LIVEKIT, STARTED), "POST http://h/p?a=b application/webhook+json "
	    "{\"event\":\"ingress_started\",\"ingressInfo\":{\"ingressId\":\"" INGRESS "\",\"name\":\"alice\","
	    "\"inputType\":\"RTMP_INPUT\",\"roomName\":\"alice\",\"participantIdentity\":\"alice\","
	    "\"participantName\":\"alice\",\"state\":{\"status\":\"ENDPOINT_PUBLISHING\","
	    "\"startedAt\":\"1795244400000000000\"}},\"id\":\"h1-5-7\",\"createdAt\":\"1795244400\"}");
	assert_string_equal(request(STYLE_INGRESS, STARTED), "POST http://h/p?a=b application/json "
	    "{\"event\":{\"event\":\"ingress_started\",\"ingressId\":\"" INGRESS "\"}}");
	assert_string_equal(request(STYLE_INGRESS, INTERRUPTED), "POST http://h/p?a=b application/json "
	    "{\"event\":{\"event\":\"ingress_ended\",\"ingressId\":\"" INGRESS "\"}}");
	assert_string_equal(request(STYLE_INGRESS, PLAY), "");
}

static const char *
question_by(enum style s, const char *protocol, const char *query)
{
	static char out[2000];
	json_t *ask = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", "alice", "app", "live", "peer", "[::1]:7",
	    "protocol", protocol, "host", "one", "query", query);
	struct style_request q;

	style_ask(s, "http://h/p", ask, &q);
	snprintf(out, sizeof(out), "%s %s %s", q.method, q.type, q.body);
	style_request_free(&q);
	json_decref(ask);
	return out;
}

static const char *
question(enum style s, const char *query)
{
	return question_by(s, "rtmp", query);
}

static void
questions(void **state)
{
	assert_string_equal(question(STYLE_NATIVE, "key=1"), "POST application/json {\"action\":\"publish\","
	    "\"name\":\"alice\",\"app\":\"live\",\"peer\":\"[::1]:7\",\"protocol\":\"rtmp\",\"query\":\"key=1\","
	    "\"host\":\"one\"}");
	assert_non_null(strstr(question(STYLE_NGINX, "?psk=a%20b"), "&addr=%3A%3A1&"));
	assert_non_null(strstr(question(STYLE_NGINX, "?psk=a%20b"), "&call=publish&name=alice&type=live&psk=a%20b"));
	assert_string_equal(strstr(question(STYLE_NGINX, "name=bob&NAME=bob&na%6de=bob&name[]=b&%20name=b&x=1;name=b&&addr=::2&"
	    "psk=1&call=x&names=c"), "&call="), "&call=publish&name=alice&type=live&psk=1&names=c");
	assert_non_null(strstr(question(STYLE_SRS, "psk=1"), "\"param\":\"?psk=1\""));
	assert_non_null(strstr(question(STYLE_SRS, ""), "\"param\":\"\""));
	assert_non_null(strstr(question(STYLE_MEDIAMTX, "user=u&pass=p%26%zz&jwt=T"), "{\"ip\":\"::1\",\"action\":"
	    "\"publish\",\"user\":\"u\",\"password\":\"p&%zz\",\"token\":\"T\",\"path\":\"live/alice\","
	    "\"protocol\":\"rtmp\","));
	assert_non_null(strstr(question_by(STYLE_MEDIAMTX, "whip", "key=b%2Fc&x=1"), "\"token\":\"b/c\",\"path\":"
	    "\"live/alice\",\"protocol\":\"webrtc\","));
	assert_non_null(strstr(question_by(STYLE_MEDIAMTX, "whip", "key=b&token=t"), "\"token\":\"t\""));
	assert_non_null(strstr(question(STYLE_MEDIAMTX, "key=b"), "\"token\":\"\""));
}

static void
answers(void **state)
{
	assert_true(style_taken(STYLE_NATIVE, 204, "") && style_taken(STYLE_NGINX, 299, ""));
	assert_false(style_taken(STYLE_NATIVE, 302, "") || style_taken(STYLE_NATIVE, 199, ""));
	assert_true(style_taken(STYLE_SRS, 200, "0") && style_taken(STYLE_SRS, 200, " {\"code\": 0, \"data\": null}"));
	assert_false(style_taken(STYLE_SRS, 200, "") || style_taken(STYLE_SRS, 200, "1") ||
	    style_taken(STYLE_SRS, 200, "{\"code\": \"0\"}") || style_taken(STYLE_SRS, 200, "{}") ||
	    style_taken(STYLE_SRS, 201, "0") || style_taken(STYLE_SRS, 200, "0x"));
	/* Only its own word allows. */
	assert_int_equal(style_verdict(STYLE_NATIVE, 200, ""), STYLE_ALLOW);
	assert_int_equal(style_verdict(STYLE_NATIVE, 301, ""), STYLE_DENY);
	assert_int_equal(style_verdict(STYLE_NATIVE, 403, ""), STYLE_DENY);
	assert_int_equal(style_verdict(STYLE_NATIVE, 500, ""), STYLE_NO_VERDICT);
	assert_int_equal(style_verdict(STYLE_NATIVE, 429, ""), STYLE_NO_VERDICT);
	assert_int_equal(style_verdict(STYLE_NATIVE, 100, ""), STYLE_NO_VERDICT);
	assert_int_equal(style_verdict(STYLE_SRS, 200, "<html>"), STYLE_DENY);
	assert_int_equal(style_verdict(STYLE_SRS, 200, "0"), STYLE_ALLOW);
	assert_int_equal(style_verdict(STYLE_SRS, 503, "0"), STYLE_NO_VERDICT);
}

/* --- who wants what --- */

static bool
wants(const char *event, const char *events, const char *streams)
{
	json_t *e = parse(event), *list = parse(events), *names = parse(streams);
	bool is = event_wanted(event_translate(e), e, list, names);

	json_decref(e);
	json_decref(list);
	json_decref(names);
	return is;
}

static void
filter(void **state)
{
	assert_true(wants(STARTED, "[\"publish\"]", "[\"*\"]"));
	assert_true(wants(STARTED, "[\"job\", \"publish\"]", "[\"bob\", \"al?c*\"]"));
	assert_false(wants(STARTED, "[\"unpublish\"]", "[\"*\"]"));
	assert_false(wants(STARTED, "[\"publish\"]", "[\"bob\"]"));
	assert_false(wants(STARTED, "[\"publish\"]", "[\"ali\"]"));
	assert_true(wants("{\"event\": \"job\", \"job\": \"7\"}", "[\"job\"]", "[\"*\"]"));
	assert_false(wants("{\"event\": \"job\", \"job\": \"7\"}", "[\"job\"]", "[\"a*\"]"));
	assert_false(wants("{\"event\": \"else\"}", "[\"else\"]", "[\"*\"]"));
	assert_false(wants("{}", "[\"\"]", "[\"*\"]"));
	assert_int_equal(event_find("publish"), EVENT_PUBLISH);
	assert_int_equal(event_find("error"), EVENT_ERROR);
	assert_int_equal(event_find("else"), EVENT_NONE);
}

/* --- where URLs may lead --- */

static bool
is_private(const char *host)
{
	char text[NET_TEXT + 4];
	struct net_addr a;

	snprintf(text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:1" : "%s:1", host);
	assert_int_equal(net_parse(text, &a), 0);
	return private_is((const struct sockaddr *)&a.ss);
}

static void
addresses(void **state)
{
	static const char *const inside[] = { "127.0.0.1", "127.255.0.9", "0.0.0.0", "10.1.2.3", "172.16.0.1",
		"172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "224.0.0.1",
		"255.255.255.255", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "fdff::1", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
		"2002:7f00:1::1", "2002:a00:1::", "2001:db8::1" };
	static const char *const outside[] = { "8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1",
		"100.128.0.1", "169.253.0.1", "11.0.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1" };
	json_t *networks = json_pack("[s, s]", "127.0.0.0/8", "fd00::/8");
	struct sockaddr local = { .sa_family = AF_UNIX };
	struct net_addr a;

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		if (!is_private(inside[i]))
			fail_msg("%s counts as public", inside[i]);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		if (is_private(outside[i]))
			fail_msg("%s counts as private", outside[i]);
	assert_true(private_is(&local));
	net_parse("127.0.0.1:80", &a);
	assert_true(private_allowed((struct sockaddr *)&a.ss, networks));
	assert_false(private_allowed((struct sockaddr *)&a.ss, NULL));
	net_parse("10.0.0.1:80", &a);
	assert_false(private_allowed((struct sockaddr *)&a.ss, networks));
	json_decref(networks);
}

static void
urls(void **state)
{
	json_t *networks = json_pack("[s]", "127.0.0.0/8");
	char *text;

	assert_null(send_url_wrong("https://example.org/hook?x=1", NULL));
	assert_null(send_url_wrong("http://127.0.0.1:8000/", networks));
	assert_non_null(send_url_wrong("http://127.0.0.1:8000/", NULL));
	assert_non_null(send_url_wrong("http://2130706433/", NULL));	/* 127.0.0.1 otherwise */
	assert_non_null(send_url_wrong("http://0x7f.1/", NULL));
	assert_non_null(send_url_wrong("http://[::1]/", NULL));
	assert_non_null(send_url_wrong("http://[::ffff:10.0.0.1]/", NULL));
	assert_non_null(send_url_wrong("file:///etc/passwd", NULL));
	assert_non_null(send_url_wrong("ftp://h/", NULL));
	assert_non_null(send_url_wrong("gopher://h/", NULL));
	assert_non_null(send_url_wrong("http://h/\r\nX: y", NULL));
	assert_non_null(send_url_wrong("", NULL));
	text = send_url_show("https://u:secret@h:8443/p?key=secret#f");
	assert_string_equal(text, "https://h:8443/p?***");
	free(text);
	text = send_url_target("https://u@h:8443/p/q?key=1#f");
	assert_string_equal(text, "/p/q?key=1");
	free(text);
	text = send_url_target("https://h?a");
	assert_string_equal(text, "/?a");
	free(text);
	text = form_url("http://h/p#f", "a=1");
	assert_string_equal(text, "http://h/p?a=1");
	free(text);
	json_decref(networks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_header), cmocka_unit_test(jwt), cmocka_unit_test(native),
		cmocka_unit_test(nginx), cmocka_unit_test(peers), cmocka_unit_test(arguments), cmocka_unit_test(srs), cmocka_unit_test(mediamtx),
		cmocka_unit_test(livekit), cmocka_unit_test(questions), cmocka_unit_test(answers),
		cmocka_unit_test(filter), cmocka_unit_test(addresses), cmocka_unit_test(urls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
