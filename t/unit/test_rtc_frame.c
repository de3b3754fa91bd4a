/* frame.c split at every byte; demux.h by its table; table.c against a plain list; fingerprints of cert.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "rtc/cert.h"
#include "rtc/demux.h"
#include "rtc/frame.h"
#include "rtc/peer.h"
#include "rtc/table.h"

struct got { char text[256]; unsigned n, stop_at; };

static bool
take(void *ctx, uint8_t *p, size_t n)
{
	struct got *g = ctx;

	assert_int_equal((uintptr_t)p % 8, 0);
	snprintf(g->text + strlen(g->text), sizeof(g->text) - strlen(g->text), "%zu%.*s|", n, n < 8 ? (int)n : 8, p);
	return ++g->n != g->stop_at;
}

static const uint8_t frames[] = "\0\3abc\0\0\0\1x\0\12ABCDEFGHIJ";

static void
frames_come_whole_however_they_are_split(void **state)
{
	for (size_t first = 0; first < sizeof(frames); first++) {
		for (size_t second = first; second < sizeof(frames); second++) {
			size_t at[4] = { 0, first, second, sizeof(frames) - 1 };
			struct frame *f = calloc(1, sizeof(*f));
			struct got g = { .n = 0 };

			for (int i = 0; i < 3; i++) {
				at[i + 1] = at[i + 1] < at[3] ? at[i + 1] : at[3];
				assert_int_equal(frame_feed(f, frames + at[i], at[i + 1] - at[i], take, &g), 0);
			}
			assert_string_equal(g.text, "3abc|1x|10ABCDEFGH|");
			free(f);
		}
	}
}

static void
too_long_a_frame_is_refused(void **state)
{
	uint8_t in[FRAME_HEAD + FRAME_MAX] = { 0 };
	struct frame f = { .have = 0 };
	struct got g = { .n = 0 };

	be_put(in, 2, FRAME_MAX);
	assert_int_equal(frame_feed(&f, in, sizeof(in), take, &g), 0);
	assert_int_equal(g.n, 1);
	be_put(in, 2, FRAME_MAX + 1);
	assert_int_equal(frame_feed(&f, in, 1, take, &g), 0);
	assert_int_equal(frame_feed(&f, in + 1, 1, take, &g), -1);
}

static void
the_taker_may_stop(void **state)
{
	struct got g = { .stop_at = 2 };
	struct frame f = { .have = 0 };

	assert_int_equal(frame_feed(&f, frames, sizeof(frames) - 1, take, &g), -1);
	assert_int_equal(g.n, 2);
}

static void
the_first_bytes_say_what_it_is(void **state)
{
	uint8_t p[20] = { 0 };

	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			enum demux want = a < 4 ? DEMUX_STUN : a >= 20 && a <= 63 ? DEMUX_DTLS : a < 128 || a > 191 ?
			    DEMUX_NOTHING : b >= 192 && b <= 223 ? DEMUX_RTCP : DEMUX_RTP;

			p[0] = (uint8_t)a;
			p[1] = (uint8_t)b;
			assert_int_equal(demux(p, sizeof(p)), want);
			assert_int_equal(demux(p, 0), DEMUX_NOTHING);
			assert_int_equal(demux(p, 7), DEMUX_NOTHING);
			assert_int_equal(demux(p, 11), want == DEMUX_RTCP ? want : DEMUX_NOTHING);
		}
}

struct item { struct table_node node; uint32_t key; };

static bool
is_in(struct table *t, uint32_t key)
{
	struct table_node *node = table_first(t, table_hash(t, &key, sizeof(key)));

	while (node != NULL && ((struct item *)node)->key != key)
		node = table_next(node);
	return node != NULL;
}

static void
a_table_has_what_was_put_in(void **state)
{
	struct item *items = calloc(1000, sizeof(*items));
	struct table t;

	table_init(&t);
	for (uint32_t i = 0; i < 1000; i++) {
		items[i].key = i;
		assert_false(is_in(&t, i));
		table_put(&t, &items[i].node, table_hash(&t, &i, sizeof(i)));
		assert_true(is_in(&t, i));
	}
	for (uint32_t i = 0; i < 1000; i += 2) {
		table_take(&t, &items[i].node);
		table_take(&t, &items[i].node);
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(is_in(&t, i), i % 2 == 1);
	assert_int_equal(t.n, 500);
	table_done(&t);
	free(items);
}

static void
hashes_depend_on_every_byte_and_on_the_table(void **state)
{
	uint8_t key[24] = { 0 };
	struct table t, u;
	uint64_t hash;

	table_init(&t);
	table_init(&u);
	hash = table_hash(&t, key, sizeof(key));
	assert_int_not_equal(hash, table_hash(&u, key, sizeof(key)));
	assert_int_not_equal(hash, table_hash(&t, key, sizeof(key) - 1));
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] = 1;
		assert_int_not_equal(hash, table_hash(&t, key, sizeof(key)));
		key[i] = 0;
	}
	table_done(&t);
	table_done(&u);
}

static void
fingerprints_are_read(void **state)
{
	static const char *const bad[] = { "", "sha-256", "sha-256 ", "sha-256 AB:CD", "sha-1 AB", "md5 AB", "AB:CD" };
	struct cert_print p = { .len = 0 };
	char text[256];

	snprintf(text, sizeof(text), "%s", rtc_fingerprint());
	assert_int_equal(strlen(text), 8 + 32 * 3 - 1);
	assert_int_equal(cert_print_parse(&p, text), 0);
	assert_int_equal(p.len, 32);
	assert_string_equal(p.hash, "SHA256");
	for (char *c = text; *c != '\0'; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	memcpy(text, "SHA-256", 7);
	assert_int_equal(cert_print_parse(&p, text), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		assert_int_equal(cert_print_parse(&p, bad[i]), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (size_t n = strlen(text); n-- > 0;) {
		text[n] = '\0';
		assert_int_equal(cert_print_parse(&p, text), -1);
	}
	snprintf(text, sizeof(text), "%s:00", rtc_fingerprint());
	assert_int_equal(cert_print_parse(&p, text), -1);
	snprintf(text, sizeof(text), "%s", rtc_fingerprint());
	text[9] = 'G';
	assert_int_equal(cert_print_parse(&p, text), -1);
	text[9] = '0';
	text[10] = '0';
	assert_int_equal(cert_print_parse(&p, text), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_whole_however_they_are_split),
		cmocka_unit_test(too_long_a_frame_is_refused),
		cmocka_unit_test(the_taker_may_stop),
		cmocka_unit_test(the_first_bytes_say_what_it_is),
		cmocka_unit_test(a_table_has_what_was_put_in),
		cmocka_unit_test(hashes_depend_on_every_byte_and_on_the_table),
		cmocka_unit_test(fingerprints_are_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
