/* tus_head.c: heads of the tus protocol, good ones and those that break one of its MUSTs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "ingest/tus_head.h"
#include "ws_head.h"

#define ID "0123456789abcdef0123456789abcdef"
#define V "Tus-Resumable: 1.0.0\r\n"
#define BODY "Content-Type: application/offset+octet-stream\r\n"

static struct tus_head h;
static const char *why;

/* The status that it is refused with, 0 if it is taken. */
static int
parse(const char *line, const char *fields)
{
	struct request r;
	char text[5000];
	int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, fields), rc;

	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(ws_head_read(&r, (const uint8_t *)text, (size_t)n), n);
	rc = tus_head_parse(&r, &h, &why);
	request_free(&r);
	return rc;
}

static void
creations(void **state)
{
	assert_int_equal(parse("POST /upload", V "Upload-Length: 77\r\n"), 0);
	assert_int_equal(h.method, TUS_CREATE);
	assert_int_equal(h.length, 77);
	assert_false(h.has_body || h.deferred);
	assert_int_equal(parse("POST /upload/alice", V "Upload-Defer-Length: 1\r\n"), 0);
	assert_string_equal(h.name, "alice");
	assert_true(h.deferred);
	assert_int_equal(parse("POST /upload/", V "Upload-Length: 0\r\n" BODY "Content-Length: 5\r\n"), 0);
	assert_true(h.has_body);
	assert_int_equal(parse("POST /upload", V), 400);
	assert_int_equal(parse("POST /upload", V "Upload-Length: 99999999999999999999\r\n"), 400);
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1 \r\nUpload-Defer-Length: 1\r\n"), 400);
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nContent-Length: 5\r\n"), 415);
	assert_int_equal(parse("POST /upload/..", V "Upload-Length: 1\r\n"), 400);
	assert_int_equal(parse("POST /upload/a/b", V "Upload-Length: 1\r\n"), 400);
}

static void
versions_and_methods(void **state)
{
	assert_int_equal(parse("OPTIONS /upload", ""), 0);
	assert_int_equal(parse("HEAD /upload/" ID, ""), 412);
	assert_int_equal(parse("HEAD /upload/" ID, "Tus-Resumable: 1.0\r\n"), 412);
	assert_int_equal(parse("HEAD /upload/" ID, V), 0);
	assert_string_equal(h.id, ID);
	assert_int_equal(parse("PUT /upload/" ID, V), 405);
	assert_int_equal(parse("POST /upload/" ID, V "X-HTTP-Method-Override: DELETE\r\n"), 0);
	assert_int_equal(h.method, TUS_DELETE);
	assert_int_equal(parse("DELETE /upload/" ID, V "X-HTTP-Method-Override: TRACE\r\n"), 405);
	assert_int_equal(parse("DELETE /upload/../x", V), 404);
	assert_int_equal(parse("HEAD /upload", V), 404);
}

static void
patches(void **state)
{
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 12\r\nTransfer-Encoding: chunked\r\n"), 0);
	assert_int_equal(h.offset, 12);
	assert_true(h.has_body);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY), 400);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: -1\r\n"), 400);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 0\r\nUpload-Length: x\r\n"), 400);
	assert_int_equal(parse("PATCH /upload/" ID, V "Content-Type: text/plain\r\nUpload-Offset: 0\r\n"), 415);
	assert_int_equal(parse("PATCH /upload/" ID, V "Content-Type: application/offset+octet-streams\r\nUpload-Offset: 0\r\n"),
	    415);
}

static void
checksums(void **state)
{
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 0\r\n"
	    "Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=\r\n"), 0);
	assert_int_equal(h.sum, TUS_SUM_SHA1);
	assert_int_equal(h.digest[0], 0x2a);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 0\r\n"
	    "Upload-Checksum: sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=\r\n"), 400);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 0\r\nUpload-Checksum: sha1\r\n"), 400);
	assert_int_equal(parse("PATCH /upload/" ID, V BODY "Upload-Offset: 0\r\nUpload-Checksum: \r\n"), 400);
}

static void
metadata(void **state)
{
	char fields[4000];

	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nUpload-Metadata: filename Wm/Dqy5tcDQ=,flag, x eQ==\r\n"), 0);
	assert_string_equal(h.file, "Zo\xc3\xab.mp4");
	assert_string_equal(h.meta, "filename Wm/Dqy5tcDQ=,flag, x eQ==");
	/* "a", ESC, 0xff, "b": what is no text is left out */
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nUpload-Metadata: filename YRv/Yg==\r\n"), 0);
	assert_string_equal(h.file, "ab");
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nUpload-Metadata: filename !!!\r\n"), 0);
	assert_string_equal(h.file, "");
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nUpload-Metadata: ,\r\n"), 400);
	assert_int_equal(parse("POST /upload", V "Upload-Length: 1\r\nUpload-Metadata: \xc3\xa4 eQ==\r\n"), 400);
	snprintf(fields, sizeof(fields), V "Upload-Length: 1\r\nUpload-Metadata: filename %02000d=====%0100d\r\n", 0, 0);
	assert_int_equal(parse("POST /upload", fields), 400);
	snprintf(fields, sizeof(fields), V "Upload-Length: 1\r\nUpload-Metadata: filename %01600d\r\n", 0);
	assert_int_equal(parse("POST /upload", fields), 0);
	assert_true(strlen(h.file) < sizeof(h.file));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(creations), cmocka_unit_test(versions_and_methods), cmocka_unit_test(patches),
		cmocka_unit_test(checksums), cmocka_unit_test(metadata),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
