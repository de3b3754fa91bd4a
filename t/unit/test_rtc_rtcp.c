/* RTCP as it is built and taken apart; torn at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/rtcp.h"

static char said[2000];

static void
on_report(void *ctx, uint32_t from, const struct rtcp_report *r)
{
	snprintf(said + strlen(said), 200, "report %x of %x: %u %d %u %u %x %u; ", from, r->ssrc, r->fraction, r->lost,
	    r->highest, r->jitter, r->lsr, r->dlsr);
}

static void
on_sender(void *ctx, uint32_t from, uint64_t ntp, uint32_t rtp)
{
	snprintf(said + strlen(said), 100, "sender %x %llx %u; ", from, (unsigned long long)ntp, rtp);
}

static void
on_nack(void *ctx, uint32_t media, uint16_t seq)
{
	snprintf(said + strlen(said), 100, "nack %x %u; ", media, seq);
}

static void
on_key(void *ctx, uint32_t media)
{
	snprintf(said + strlen(said), 100, "key %x; ", media);
}

static void
on_bye(void *ctx, uint32_t from)
{
	snprintf(said + strlen(said), 100, "bye %x; ", from);
}

static const struct rtcp_ops ops = { on_report, on_sender, on_nack, on_key, on_bye };

static int
parse(const void *p, size_t n)
{
	static const struct rtcp_ops none;
	uint8_t *exact = malloc(n + 1);
	int rc;

	memcpy(exact, p, n);
	said[0] = '\0';
	rc = rtcp_parse(exact, n, &ops, NULL);
	assert_int_equal(rtcp_parse(exact, n, &none, NULL), rc);
	free(exact);
	return rc;
}

static void
sender_reports(void **state)
{
	const struct rtcp_sr sr = { 0xabcd, 0x1122334455667788, 90000, 10, 12000 };
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write_sr(out, sizeof(out), &sr, "cname");

	assert_int_equal(n, 28 + 16);
	assert_memory_equal(out, "\x80\xc8\0\x06\0\0\xab\xcd\x11\x22\x33\x44\x55\x66\x77\x88\0\x01\x5f\x90\0\0\0\x0a\0\0\x2e\xe0", 28);
	assert_memory_equal(out + 28, "\x81\xca\0\x03\0\0\xab\xcd\1\5cname\0", 16);
	assert_int_equal(parse(out, n), 0);
	assert_string_equal(said, "sender abcd 1122334455667788 90000; ");
	for (size_t i = 1; i < n; i++)
		assert_int_equal(parse(out, i), i == 28 ? 0 : -1);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rtcp_write_sr(out, i, &sr, "cname"), 0);
	/* an item's length is a byte */
	memset(out, 'x', 256);
	out[256] = '\0';
	assert_int_equal(rtcp_write_sr(out + 300, 600, &sr, (char *)out), 0);
	out[255] = '\0';
	assert_int_equal(rtcp_write_sr(out + 300, 600, &sr, (char *)out), 28 + 268);
}

static void
receiver_reports(void **state)
{
	const struct rtcp_report r[] = { { 0x11, 255, -5, 0x10007, 33, 0x55667788, 65536 }, { 0x22, 0, 0x900000, 8, 0, 0, 0 } };
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write_rr(out, sizeof(out), 0x99, r, 2, "c");

	assert_int_equal(n, 8 + 48 + 12);
	assert_int_equal(parse(out, n), 0);
	assert_string_equal(said, "report 99 of 11: 255 -5 65543 33 55667788 65536; report 99 of 22: 0 8388607 8 0 0 0; ");
	for (size_t i = 1; i < n; i++)
		assert_int_equal(parse(out, i), i == 56 ? 0 : -1);
	assert_int_equal(rtcp_write_rr(out, sizeof(out), 1, r, 32, "c"), 0);
	/* more blocks than bytes */
	out[0] = 0x83;
	assert_int_equal(parse(out, n), -1);
	/* 2 s after the SR that it names, of which the browser kept 1 */
	assert_int_equal(rtcp_round_trip_us(&r[0], 0x1122556877880000), 1000000);
	assert_int_equal(rtcp_round_trip_us(&r[0], (uint64_t)(0x55667788 + 65536 + 6554) << 16), 100006);
	assert_int_equal(rtcp_round_trip_us(&r[0], (uint64_t)(0x55667788 + 65535) << 16), -1);
	assert_int_equal(rtcp_round_trip_us(&r[1], 0), -1);
}

static void
nacks(void **state)
{
	static const uint16_t seqs[] = { 65530, 65531, 65535, 3, 10, 11, 200 };
	uint8_t out[RTCP_MAX];
	unsigned taken;
	size_t n = rtcp_write_nack(out, sizeof(out), 1, 0xee, seqs, 7, &taken);

	assert_int_equal(taken, 7);
	assert_int_equal(n, 12 + 3 * 4);
	assert_memory_equal(out, "\x81\xcd\0\x05\0\0\0\1\0\0\0\xee", 12);
	assert_int_equal(parse(out, n), 0);
	assert_string_equal(said, "nack ee 65530; nack ee 65531; nack ee 65535; nack ee 3; nack ee 10; "
	    "nack ee 11; nack ee 200; ");
	for (size_t i = 1; i < n; i++)
		assert_int_equal(parse(out, i), -1);
	assert_int_equal(rtcp_write_nack(out, 16, 1, 2, seqs, 7, &taken), 16);
	assert_int_equal(taken, 5);
	assert_int_equal(rtcp_write_nack(out, 15, 1, 2, seqs, 7, &taken), 0);
	assert_int_equal(rtcp_write_nack(out, sizeof(out), 1, 2, seqs, 0, &taken), 0);
}

static void
key_frames_and_ends(void **state)
{
	uint8_t out[100];
	size_t n = rtcp_write_pli(out, sizeof(out), 1, 0xee);

	assert_int_equal(n, 12);
	/* with a FIR of two, a BYE, one of an unknown kind, padding, in one compound */
	memcpy(out + n, "\x84\xce\0\x06\0\0\0\1\0\0\0\0\0\0\0\xa1\1\0\0\0\0\0\0\xa2\1\0\0\0", 28);
	n += 28;
	memcpy(out + n, "\x80\xcf\0\x01\1\2\3\4\xa1\xcb\0\x02\0\0\0\x77\0\0\0\x04", 20);
	n += 20;
	assert_int_equal(parse(out, n), 0);
	assert_string_equal(said, "key ee; key a1; key a2; bye 77; ");
	out[n - 1] = 9;			/* more padding than packet */
	assert_int_equal(parse(out, n), -1);
	assert_int_equal(parse("\x41\xce\0\0", 4), -1);		/* version 1 */
	assert_int_equal(parse("\x81\xce\0\x01\0\0\0\0", 8), -1);
	assert_int_equal(parse("", 0), 0);
}

static void
ntp(void **state)
{
	assert_true(rtcp_ntp(0) == UINT64_C(2208988800) << 32);
	assert_true(rtcp_ntp(1500000) == (UINT64_C(2208988801) << 32 | 0x80000000));
}

/* 8 Mbit/s: 250000 * 2^5, as the mantissa has 18 bits. */
static void
remb(void **state)
{
	static const uint8_t want[] = { 0x8f, 206, 0, 5, 0, 0, 0, 7, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 0x17, 0xd0, 0x90,
		0, 0, 0, 9 };
	uint8_t out[64];
	uint32_t ssrc = 9;

	assert_int_equal(rtcp_write_remb(out, sizeof(out), 7, 8000000, &ssrc, 1), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(rtcp_write_remb(out, 23, 7, 8000000, &ssrc, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_reports), cmocka_unit_test(receiver_reports), cmocka_unit_test(nacks),
		cmocka_unit_test(key_frames_and_ends), cmocka_unit_test(ntp), cmocka_unit_test(remb),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
