/* s3_sign.c against the signatures that AWS publishes: its Signature V4 test suite and the S3 manual's examples. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/jobs/s3_sign.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static void
signed_as(struct s3_sign r, const char *names, const char *signature)
{
	char *got = s3_authorization(&r), want[512];
	const char *names_at = strstr(got, "SignedHeaders=");

	snprintf(want, sizeof want, "SignedHeaders=%s, Signature=%s", names, signature);
	assert_non_null(names_at);
	assert_string_equal(names_at, want);
	free(got);
}

static struct s3_sign
suite(const char *method, const char *path, const char *payload)
{
	static const struct s3_pair date[] = { { "X-Amz-Date", "20150830T123600Z" } };

	return (struct s3_sign){ .method = method, .host = "example.amazonaws.com", .path = path, .headers = date,
		.nheaders = 1, .payload = payload, .date = "20150830T123600Z", .region = "us-east-1",
		.service = "service", .access_key = "AKIDEXAMPLE",
		.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
}

static void
the_published_test_suite(void **state)
{
	static const struct s3_pair order[] = { { "Param2", "value2" }, { "Param1", "value1" } };
	static const struct s3_pair form[] = { { "Content-Type", "application/x-www-form-urlencoded" },
		{ "X-Amz-Date", "20150830T123600Z" } };
	struct s3_sign r = suite("GET", "/", EMPTY);

	signed_as(r, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
	r.query = order;
	r.nquery = 2;
	signed_as(r, "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
	signed_as(suite("GET", "/\xe1\x88\xb4", EMPTY), "host;x-amz-date",
	    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
	signed_as(suite("POST", "/", EMPTY), "host;x-amz-date",
	    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
	r = suite("POST", "/", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e");
	r.headers = form;
	r.nheaders = 2;
	signed_as(r, "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static struct s3_sign
manual(const char *method, const char *path, const char *payload, const struct s3_pair *headers, size_t n)
{
	return (struct s3_sign){ .method = method, .host = "examplebucket.s3.amazonaws.com", .path = path,
		.headers = headers, .nheaders = n, .payload = payload, .date = "20130524T000000Z",
		.region = "us-east-1", .service = "s3", .access_key = "AKIAIOSFODNN7EXAMPLE",
		.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
}

static void
the_examples_of_the_s3_manual(void **state)
{
	static const struct s3_pair get[] = { { "Range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", "20130524T000000Z" } };
	static const struct s3_pair put[] = { { "Date", "Fri, 24 May 2013 00:00:00 GMT" },
		{ "x-amz-date", "20130524T000000Z" }, { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
		{ "x-amz-content-sha256", WELCOME } };
	static const struct s3_pair lifecycle[] = { { "lifecycle", "" } };
	static const struct s3_pair list[] = { { "prefix", "J" }, { "max-keys", "2" } };
	struct s3_sign r = manual("GET", "/", EMPTY, get + 1, 2);

	signed_as(manual("GET", "/test.txt", EMPTY, get, 3), "host;range;x-amz-content-sha256;x-amz-date",
	    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	signed_as(manual("PUT", "/test$file.text", WELCOME, put, 4),
	    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	r.query = lifecycle;
	r.nquery = 1;
	signed_as(r, "host;x-amz-content-sha256;x-amz-date",
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	r.query = list;
	r.nquery = 2;
	signed_as(r, "host;x-amz-content-sha256;x-amz-date",
	    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void
the_credential_and_the_canonical_request(void **state)
{
	static const struct s3_pair h[] = { { "X-Amz-Meta-A-B", "  two   spaces " }, { "x-amz-meta-a", "1" } };
	struct s3_sign r = manual("GET", "/b/a//b c+\xc3\xbc", S3_UNSIGNED, h, 2);
	char *text = s3_canonical(&r);

	assert_string_equal(text, "GET\n/b/a//b%20c%2B%C3%BC\n\nhost:examplebucket.s3.amazonaws.com\n"
	    "x-amz-meta-a:1\nx-amz-meta-a-b:two spaces\n\nhost;x-amz-meta-a;x-amz-meta-a-b\nUNSIGNED-PAYLOAD");
	free(text);
	text = s3_authorization(&r);
	assert_memory_equal(text, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ",
	    strlen("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "));
	free(text);
}

static void
uris_are_encoded_strictly(void **state)
{
	static const struct { const char *in, *kept, *all; } t[] = {
		{ "AZaz09-_.~", "AZaz09-_.~", "AZaz09-_.~" },
		{ "a//b/../c", "a//b/../c", "a%2F%2Fb%2F..%2Fc" },
		{ " +%&=?#:;,@!$'()*\"", "%20%2B%25%26%3D%3F%23%3A%3B%2C%40%21%24%27%28%29%2A%22",
		    "%20%2B%25%26%3D%3F%23%3A%3B%2C%40%21%24%27%28%29%2A%22" },
		{ "\xc3\xbc\xf0\x9f\x8e\xac", "%C3%BC%F0%9F%8E%AC", "%C3%BC%F0%9F%8E%AC" },
		{ "\x01\x7f", "%01%7F", "%01%7F" },
		{ "", "", "" },
	};
	char *got;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		got = s3_uri_encode(t[i].in, true);
		assert_string_equal(got, t[i].kept);
		free(got);
		got = s3_uri_encode(t[i].in, false);
		assert_string_equal(got, t[i].all);
		free(got);
	}
}

static void
queries_are_sorted_by_name(void **state)
{
	static const struct s3_pair q[] = { { "uploadId", "x/y=" }, { "a.b", "2" }, { "partNumber", "10" },
		{ "a", "2" }, { "a", "1" }, { "a-b", "3" }, { "uploads", "" } };
	char *got = s3_query(q, 7);

	assert_string_equal(got, "a=1&a=2&a-b=3&a.b=2&partNumber=10&uploadId=x%2Fy%3D&uploads=");
	free(got);
	got = s3_query(NULL, 0);
	assert_string_equal(got, "");
	free(got);
}

static void
dates_are_utc(void **state)
{
	char date[S3_DATE];

	s3_date(1369353600, date);
	assert_string_equal(date, "20130524T000000Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_test_suite),
		cmocka_unit_test(the_examples_of_the_s3_manual),
		cmocka_unit_test(the_credential_and_the_canonical_request),
		cmocka_unit_test(uris_are_encoded_strictly),
		cmocka_unit_test(queries_are_sorted_by_name),
		cmocka_unit_test(dates_are_utc),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
