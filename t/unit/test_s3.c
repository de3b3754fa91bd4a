/* What S3 answers: XML flattened, errors classified; the token bucket; the client's addresses and tokens. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "workers/jobs/s3_error.h"
#include "workers/jobs/s3_int.h"
#include "workers/jobs/s3_rate.h"
#include "workers/jobs/s3_sign.h"
#include "workers/jobs/s3_xml.h"

static void
note_cb(const char *path, const char *text, void *ctx)
{
	char *out = ctx;
	size_t len = strlen(out);

	snprintf(out + len, 512 - len, "%s=%s;", path, text);
}

static void
xml_is_flattened(void **state)
{
	static const char in[] = "<?xml version='1.0'?><R xmlns='http://s3/'><P><N>1</N><E>&quot;ab&quot;</E></P><T>fa"
	    "<!-- -->lse</T><K>a&amp;b \xc3\xbc</K></R>";
	char out[512] = "";

	assert_int_equal(s3_xml_parse(in, strlen(in), note_cb, out), 0);
	assert_string_equal(out, "R/P/N=1;R/P/E=\"ab\";R/P=;R/T=false;R/K=a&b \xc3\xbc;R=;");
}

static void
bad_xml_is_refused(void **state)
{
	static const char *const bad[] = { "", "x", "<a>", "<a></b>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
		"<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>", "<a>\xff</a>" };
	char out[512], deep[400];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		out[0] = '\0';
		assert_int_equal(s3_xml_parse(bad[i], strlen(bad[i]), note_cb, out), -1);
	}
	memset(deep, 'n', sizeof deep);		/* a name longer than any path */
	deep[0] = '<';
	memcpy(deep + sizeof deep - 2, "/>", 2);
	assert_int_equal(s3_xml_parse(deep, sizeof deep, note_cb, out), -1);
}

static void
length_cb(const char *path, const char *text, void *ctx)
{
	*(size_t *)ctx = strlen(text);
}

static void
long_text_is_cut(void **state)
{
	size_t len = 3 * S3_XML_TEXT, got = 0;
	char *in = malloc(len + 8);

	memcpy(in, "<a>", 3);
	memset(in + 3, 'x', len);
	memcpy(in + 3 + len, "</a>", 5);
	assert_int_equal(s3_xml_parse(in, len + 7, length_cb, &got), 0);
	assert_int_equal(got, S3_XML_TEXT - 1);
	free(in);
}

static void
errors_are_classified(void **state)
{
	static const struct { int status; const char *code; bool in_body; enum s3_verdict want; } t[] = {
		{ 200, "", false, S3_OK }, { 204, "", false, S3_OK }, { 206, "", false, S3_OK },
		{ 200, "InternalError", true, S3_RETRY }, { 200, "Whatever", true, S3_RETRY }, { 200, "", true, S3_RETRY },
		{ 200, "AccessDenied", true, S3_REFUSED },
		{ 500, "", false, S3_RETRY }, { 503, "SlowDown", true, S3_RETRY }, { 502, "", false, S3_RETRY },
		{ 429, "", false, S3_RETRY }, { 408, "", false, S3_RETRY }, { 400, "RequestTimeout", true, S3_RETRY },
		{ 400, "BadDigest", true, S3_RETRY }, { 501, "NotImplemented", false, S3_FATAL },
		{ 403, "", false, S3_REFUSED }, { 403, "SignatureDoesNotMatch", true, S3_REFUSED },
		{ 403, "RequestTimeTooSkewed", true, S3_REFUSED }, { 404, "NoSuchBucket", true, S3_REFUSED },
		{ 301, "PermanentRedirect", true, S3_REFUSED }, { 307, "", false, S3_REFUSED },
		{ 404, "NoSuchUpload", true, S3_GONE }, { 404, "NoSuchKey", true, S3_GONE }, { 404, "", false, S3_GONE },
		{ 400, "InvalidPart", true, S3_GONE }, { 400, "EntityTooSmall", false, S3_FATAL }, { 400, "", false, S3_FATAL },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		assert_int_equal(s3_error_verdict(t[i].status, t[i].code, t[i].in_body), t[i].want);
	assert_int_equal(s3_error_transport(CURLE_OK), S3_OK);
	assert_int_equal(s3_error_transport(CURLE_COULDNT_CONNECT), S3_RETRY);
	assert_int_equal(s3_error_transport(CURLE_OPERATION_TIMEDOUT), S3_RETRY);
	assert_int_equal(s3_error_transport(CURLE_SEND_ERROR), S3_RETRY);
	assert_int_equal(s3_error_transport(CURLE_PEER_FAILED_VERIFICATION), S3_REFUSED);
	assert_int_equal(s3_error_transport(CURLE_ABORTED_BY_CALLBACK), S3_CHANGED);
	assert_non_null(strstr(s3_error_hint("NoSuchBucket"), "storage.s3.bucket"));
	assert_null(s3_error_hint("SlowDown"));
}

/* Whoever asks whenever it may goes on at the given pace, whatever the pace. */
static void
the_bucket_keeps_its_rate(void **state)
{
	static const int64_t rates[] = { 1000, 65536, 50 << 20, (int64_t)10 << 30 };

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct s3_rate r;
		int64_t now = 5000000, sent = 0, from = now;

		s3_rate_set(&r, rates[i], NULL, now);
		while (now < from + 20 * 1000000) {
			size_t n = s3_rate_take(&r, 512 * 1024, now);

			sent += (int64_t)n;
			if (n == 0)
				now += s3_rate_wait_ms(&r) * 1000;
			else
				now += 7;
		}
		assert_true(sent <= rates[i] * 20 + rates[i] / 10 + 4096);
		assert_true(sent >= rates[i] * 19 - 4096);
	}
}

static void
no_limit_is_no_limit(void **state)
{
	struct s3_rate r;

	s3_rate_set(&r, 0, NULL, 1);
	assert_int_equal(s3_rate_take(&r, 123456789, 1), 123456789);
}

static void
addresses(void **state)
{
	static const struct { const char *endpoint; bool path; const char *host, *root; } t[] = {
		{ "https://s3.eu-west-1.amazonaws.com", false, "media.s3.eu-west-1.amazonaws.com", "" },
		{ "https://s3.eu-west-1.amazonaws.com/", true, "s3.eu-west-1.amazonaws.com", "/media" },
		{ "http://127.0.0.1:9000", true, "127.0.0.1:9000", "/media" },
		{ "http://h:80", true, "h", "/media" }, { "https://h:443/x/", true, "h", "/x/media" },
		{ "http://h:443", false, "media.h:443", "" }, { "http://[::1]:9000", true, "[::1]:9000", "/media" },
	};
	static const char *const bad[] = { "", "ftp://h", "h:80:80", "unix:///x" };
	struct event_base *base = event_base_new();
	struct s3_conf c = { .region = "r", .bucket = "media", .access_key = "a", .secret_key = "s",
		.session_token = "", .ca_file = "" };
	const char *why;
	struct s3 *s;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		c.endpoint = t[i].endpoint;
		c.path_style = t[i].path;
		assert_non_null(s = s3_new(base, &c, &why));
		assert_string_equal(s->host, t[i].host);
		assert_string_equal(s->root, t[i].root);
		s3_free(&s);
		assert_null(s);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		c.endpoint = bad[i];
		assert_null(s3_new(base, &c, &why));
		assert_non_null(strstr(why, "endpoint"));
	}
	c.endpoint = "http://h";
	c.secret_key = "";
	assert_null(s3_new(base, &c, &why));
	assert_non_null(strstr(why, "secret_key"));
	event_base_free(base);
}

static void
answered_cb(const struct s3_result *r, void *ctx)
{
	assert_int_equal(r->verdict, S3_RETRY);
	++*(int *)ctx;
}

/* Nobody listens there. */
static void
many_calls_take_turns(void **state)
{
	struct event_base *base = event_base_new();
	struct s3_conf conf = { .endpoint = "http://127.0.0.1:1", .region = "us-east-1", .bucket = "b",
		.access_key = "k", .secret_key = "s", .session_token = "", .ca_file = "", .path_style = true,
		.connect_timeout_ms = 1000, .timeout_ms = 1000 };
	struct s3_call *c[3 * S3_CALLS_MAX];
	const char *why;
	struct s3 *s = s3_new(base, &conf, &why);
	int answers = 0;

	for (size_t i = 0; i < 3 * S3_CALLS_MAX; i++)
		c[i] = s3_head(s, "o", answered_cb, &answers);
	assert_int_equal(s->ncalls, S3_CALLS_MAX);
	s3_cancel(&c[0]);			/* one that is under way: the next one's turn has come */
	s3_cancel(&c[3 * S3_CALLS_MAX - 1]);	/* one that waits */
	assert_int_equal(s->ncalls, S3_CALLS_MAX);
	assert_true(c[S3_CALLS_MAX]->begun);
	while (answers < 3 * S3_CALLS_MAX - 2) {
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
		assert_in_range(s->ncalls, 0, S3_CALLS_MAX);
	}
	assert_int_equal(s->ncalls, 0);
	s3_head(s, "o", answered_cb, &answers);
	s3_free(&s);
	event_base_free(base);
}

/* The head of a HEAD, as a server gets it that never answers. */
static void
head_of_head(const char *session_token, char buf[4096])
{
	char endpoint[8 + NET_TEXT] = "http://";
	struct s3_conf conf = { .endpoint = endpoint, .region = "us-east-1", .bucket = "b", .access_key = "k",
		.secret_key = "s", .session_token = session_token, .ca_file = "", .path_style = true,
		.connect_timeout_ms = 5000, .timeout_ms = 5000 };
	struct event_base *base = event_base_new();
	int fd, peer = -1, answers = 0;
	struct net_addr addr;
	const char *why;
	struct s3 *s;
	ssize_t got;
	size_t n = 0;

	assert_int_equal(net_parse("127.0.0.1:0", &addr), 0);
	assert_return_code(fd = net_listen(&addr, 1), errno);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr.ss, &addr.len), 0);
	net_format((struct sockaddr *)&addr.ss, endpoint + strlen(endpoint));
	assert_non_null(s = s3_new(base, &conf, &why));
	s3_head(s, "o", answered_cb, &answers);
	memset(buf, 0, 4096);
	while (strstr(buf, "\r\n\r\n") == NULL) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(answers, 0);	/* nor has it given up */
		if (peer == -1)
			peer = accept(fd, NULL, NULL);
		else if ((got = recv(peer, buf + n, 4095 - n, MSG_DONTWAIT)) > 0)
			n += (size_t)got;
	}
	s3_free(&s);
	close(peer);
	close(fd);
	event_base_free(base);
}

static const char *
field(const char *head, const char *name, char out[128])
{
	const char *at = strstr(head, name);

	assert_non_null(at);
	snprintf(out, 128, "%.*s", (int)strcspn(at + strlen(name), "\r"), at + strlen(name));
	return out;
}

static void
a_session_token_is_sent_and_signed(void **state)
{
	char head[4096], date[128], payload[128], host[128], sent[128], *authorization;
	struct s3_pair h[] = { { "x-amz-content-sha256", payload }, { "x-amz-date", date },
		{ "x-amz-security-token", "to+ken/=" } };
	struct s3_sign r = { .method = "HEAD", .host = host, .path = "/b/o", .headers = h, .nheaders = 3,
		.payload = payload, .date = date, .region = "us-east-1", .service = "s3", .access_key = "k",
		.secret_key = "s" };

	head_of_head("to+ken/=", head);
	assert_string_equal(field(head, "\r\nx-amz-security-token: ", sent), "to+ken/=");
	field(head, "\r\nx-amz-content-sha256: ", payload);
	field(head, "\r\nx-amz-date: ", date);
	field(head, "\r\nHost: ", host);
	authorization = s3_authorization(&r);
	assert_non_null(strstr(authorization, ";x-amz-security-token,"));
	assert_non_null(strstr(head, authorization));
	free(authorization);
	head_of_head("", head);
	assert_null(strstr(head, "security-token"));
}

/* Two processes have one limit: what both send within 20 s, and the lesser of them. */
static int64_t
send_both(int64_t rate, int64_t *spent, unsigned busy, int64_t *lesser)
{
	int64_t from = 5000000, next[2] = { from, from }, sent[2] = { 0, 0 };
	struct s3_rate r[2];

	for (unsigned i = 0; i < 2; i++)
		s3_rate_set(&r[i], rate, spent, from);
	for (;;) {
		unsigned i = busy == 1 || next[0] <= next[1] ? 0 : 1;
		size_t n;

		if (next[i] >= from + 20 * 1000000)
			break;
		n = s3_rate_take(&r[i], 16384, next[i]);
		sent[i] += (int64_t)n;
		next[i] += n > 0 ? 7 : s3_rate_wait_ms(&r[i]) * (500 + random() % 1000);
	}
	*lesser = sent[0] < sent[1] ? sent[0] : sent[1];
	return sent[0] + sent[1];
}

static void
bandwidth_is_one_of_all_who_upload(void **state)
{
	static const int64_t rates[] = { 1000, 1 << 20, 50 << 20 };
	static const int64_t before[] = { 0, INT64_MAX / 2 };	/* anew; of before a reboot */

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
		for (size_t k = 0; k < sizeof before / sizeof before[0]; k++) {
			int64_t spent = before[k], rate = rates[i], lesser, sent = send_both(rate, &spent, 2, &lesser);

			assert_in_range(sent, rate * 19 - 4096, rate * 20 + rate / 10 + 4096);
			if (rate >= 1 << 20)	/* else their turns are few */
				assert_true(lesser >= sent / 4);
			spent = before[k];
			assert_in_range(send_both(rate, &spent, 1, &lesser), rate * 19 - 4096, rate * 20 + rate / 10 + 4096);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xml_is_flattened),
		cmocka_unit_test(bad_xml_is_refused),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(errors_are_classified),
		cmocka_unit_test(the_bucket_keeps_its_rate),
		cmocka_unit_test(no_limit_is_no_limit),
		cmocka_unit_test(addresses),
		cmocka_unit_test(many_calls_take_turns),
		cmocka_unit_test(a_session_token_is_sent_and_signed),
		cmocka_unit_test(bandwidth_is_one_of_all_who_upload),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
