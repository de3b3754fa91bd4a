/* stun.c: RFC 5769's messages, every truncation and every changed byte, answers of our own, what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "net.h"
#include "rtc/stun.h"

#define PWD "VOkJxbRl1RmTxUk/WvJxBt"

/* RFC 5769 section 2.1 */
static const uint8_t request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74,
	0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20,
	0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
	0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf };
/* 2.2 */
static const uint8_t answer4[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53,
	0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96 };
/* 2.3 */
static const uint8_t answer6[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
	0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
	0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c,
	0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c };

static void
the_request_of_rfc_5769_is_read(void **state)
{
	struct stun s;

	assert_int_equal(stun_parse(&s, request, sizeof(request)), 0);
	assert_int_equal(s.type, STUN_REQUEST);
	assert_memory_equal(s.id, request + 8, STUN_ID);
	assert_int_equal(s.user_len, 9);
	assert_memory_equal(s.user, "evtj:h6vY", 9);
	assert_true(s.controlled);
	assert_false(s.use_candidate);
	assert_int_equal(s.nunknown, 0);
	assert_true(stun_verify(&s, request, PWD));
	assert_false(stun_verify(&s, request, "VOkJxbRl1RmTxUk/WvJxBu"));
	assert_false(stun_verify(&s, request, ""));
}

static void
its_answers_are_read(void **state)
{
	char text[NET_TEXT];
	struct stun s;

	assert_int_equal(stun_parse(&s, answer4, sizeof(answer4)), 0);
	assert_true(stun_verify(&s, answer4, PWD));
	assert_int_equal(s.type, STUN_SUCCESS);
	assert_string_equal(net_format((struct sockaddr *)&s.mapped, text), "192.0.2.1:32853");
	assert_int_equal(stun_parse(&s, answer6, sizeof(answer6)), 0);
	assert_true(stun_verify(&s, answer6, PWD));
	assert_string_equal(net_format((struct sockaddr *)&s.mapped, text), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

/* From a heap block of its exact size, so that ASan sees a byte too many. */
static int
parse(const uint8_t *p, size_t n, struct stun *s)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	int rc;

	memcpy(copy, p, n);
	rc = stun_parse(s, copy, n);
	if (rc == 0 && stun_verify(s, copy, PWD))
		rc = 1;
	free(copy);
	return rc;
}

static void
no_part_and_no_change_of_it_passes(void **state)
{
	static const struct { const uint8_t *p; size_t n; } all[] = { { request, sizeof(request) },
		{ answer4, sizeof(answer4) }, { answer6, sizeof(answer6) } };
	uint8_t copy[256];
	struct stun s;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parse(all[i].p, all[i].n, &s), 1);
		for (size_t n = 0; n < all[i].n; n++)
			assert_int_equal(parse(all[i].p, n, &s), -1);
		for (size_t at = 0; at < 8 * all[i].n; at++) {
			memcpy(copy, all[i].p, all[i].n);
			copy[at / 8] ^= (uint8_t)(1 << at % 8);
			assert_int_equal(parse(copy, all[i].n, &s), -1);
		}
	}
}

static const uint8_t id[STUN_ID] = "abcdefghijk";

static void
ours_are_read_back(void **state)
{
	static const char *const from[] = { "192.0.2.1:32853", "[2001:db8::1]:1", "[::ffff:10.0.0.7]:65535" };
	struct stun req = { .type = STUN_REQUEST }, s;
	char text[NET_TEXT];
	struct net_addr a;
	struct stun_out o;
	size_t n;

	memcpy(req.id, id, STUN_ID);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(net_parse(from[i], &a), 0);
		n = stun_success(&o, &req, (struct sockaddr *)&a.ss, PWD);
		assert_true(n > 0);
		assert_int_equal(parse(o.p, n, &s), 1);
		assert_int_equal(s.type, STUN_SUCCESS);
		assert_memory_equal(s.id, id, STUN_ID);
		net_format((struct sockaddr *)&s.mapped, text);
		assert_string_equal(text, i == 2 ? "10.0.0.7:65535" : from[i]);
		assert_int_equal(s.mapped.ss_family, i == 1 ? AF_INET6 : AF_INET);
	}
}

/* RFC 5769's address bytes come out of ours as well. */
static void
our_address_is_that_of_the_vector(void **state)
{
	struct stun req;
	struct net_addr a;
	struct stun_out o;

	assert_int_equal(stun_parse(&req, request, sizeof(request)), 0);
	assert_int_equal(net_parse("192.0.2.1:32853", &a), 0);
	stun_success(&o, &req, (struct sockaddr *)&a.ss, PWD);
	assert_memory_equal(o.p + STUN_HEAD, answer4 + 36, 12);
	assert_int_equal(net_parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853", &a), 0);
	stun_success(&o, &req, (struct sockaddr *)&a.ss, PWD);
	assert_memory_equal(o.p + STUN_HEAD, answer6 + 36, 24);
}

static size_t
build(struct stun_out *o, uint16_t type, uint16_t attr, const void *value, size_t n, const char *pwd)
{
	stun_begin(o, type, id);
	stun_add(o, STUN_USERNAME, "u:v", 3);
	stun_add(o, attr, value, n);
	return stun_end(o, pwd);
}

static void
what_has_to_be_understood_is_named(void **state)
{
	struct stun s;
	struct stun_out o, e;
	size_t n;

	n = build(&o, STUN_REQUEST, 0x7001, "12345", 5, PWD);
	assert_int_equal(parse(o.p, n, &s), 1);
	assert_int_equal(s.nunknown, 1);
	assert_int_equal(s.unknown[0], 0x7001);
	n = stun_error(&e, &s, 420, PWD);
	assert_int_equal(parse(e.p, n, &s), 1);
	assert_int_equal(s.type, STUN_ERROR);
	assert_int_equal(s.error, 420);
	n = stun_error(&e, &s, 487, PWD);
	assert_int_equal(parse(e.p, n, &s), 1);
	assert_int_equal(s.error, 487);
	n = build(&o, STUN_REQUEST, 0xc057, "1234", 4, PWD);	/* Chromium's network cost: may be ignored */
	assert_int_equal(parse(o.p, n, &s), 1);
	assert_int_equal(s.nunknown, 0);
}

static void
attributes_behind_the_integrity_do_not_count(void **state)
{
	struct stun_out o, inner;
	struct stun s;
	size_t n;

	stun_begin(&o, STUN_REQUEST, id);
	stun_add(&o, STUN_USERNAME, "u:v", 3);
	inner = o;
	n = stun_end(&inner, PWD);
	/* The same integrity, then USE-CANDIDATE, then a fingerprint that is right for it. */
	stun_add(&o, STUN_INTEGRITY, inner.p + n - 8 - 20, 20);
	stun_add(&o, STUN_USE_CANDIDATE, NULL, 0);
	stun_add(&o, 0x7001, "1", 1);
	n = stun_end(&o, NULL);
	assert_int_equal(parse(o.p, n, &s), 1);
	assert_false(s.use_candidate);
	assert_int_equal(s.nunknown, 0);
}

static void
what_is_no_message_for_ice_is_refused(void **state)
{
	struct stun_out o;
	struct stun s;
	size_t n;

	n = build(&o, STUN_REQUEST, STUN_USE_CANDIDATE, NULL, 0, NULL);
	assert_int_equal(parse(o.p, n, &s), 0);			/* well-formed, but of nobody */
	assert_int_equal(parse(o.p, n - 8, &s), -1);		/* no fingerprint */
	n = build(&o, 0x003, STUN_USE_CANDIDATE, NULL, 0, PWD);
	assert_int_equal(parse(o.p, n, &s), -1);		/* TURN's Allocate */
	n = build(&o, STUN_REQUEST, STUN_USE_CANDIDATE, "x", 1, PWD);
	assert_int_equal(parse(o.p, n, &s), -1);
	n = build(&o, STUN_REQUEST, STUN_CONTROLLED, "x", 1, PWD);
	assert_int_equal(parse(o.p, n, &s), -1);
	n = build(&o, STUN_REQUEST, STUN_XOR_MAPPED_ADDRESS, "\0\1\1\1\1\1\1\1\1", 9, PWD);
	assert_int_equal(parse(o.p, n, &s), -1);
	n = build(&o, STUN_REQUEST, STUN_INTEGRITY, "x", 1, PWD);
	assert_int_equal(parse(o.p, n, &s), -1);
}

static void
no_message_grows_over_its_room(void **state)
{
	uint8_t value[STUN_MAX] = { 0 };
	struct stun_out o;
	struct stun s;

	for (size_t n = 0; n <= STUN_MAX; n++) {
		stun_begin(&o, STUN_REQUEST, id);
		stun_add(&o, STUN_USERNAME, value, n);
		if (stun_end(&o, PWD) == 0)
			assert_true(STUN_HEAD + 4 + (n + 3) / 4 * 4 + 24 + 8 > STUN_MAX);
		else
			assert_int_equal(parse(o.p, o.n, &s), 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_of_rfc_5769_is_read),
		cmocka_unit_test(its_answers_are_read),
		cmocka_unit_test(no_part_and_no_change_of_it_passes),
		cmocka_unit_test(ours_are_read_back),
		cmocka_unit_test(our_address_is_that_of_the_vector),
		cmocka_unit_test(what_has_to_be_understood_is_named),
		cmocka_unit_test(attributes_behind_the_integrity_do_not_count),
		cmocka_unit_test(what_is_no_message_for_ice_is_refused),
		cmocka_unit_test(no_message_grows_over_its_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
