/* lib/sketch.c: how near the count is, unions, and what is no sketch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "siphash.h"
#include "sketch.h"

/* The hash of the i-th player, as an http worker makes it. */
static uint64_t
player(uint64_t i)
{
	static const uint8_t key[16] = "a host_s id";

	return siphash(key, &i, sizeof(i));
}

static void
fill(struct sketch *s, uint64_t from, uint64_t to)
{
	memset(s, 0, sizeof(*s));
	for (uint64_t i = from; i < to; i++)
		sketch_add(s, player(i));
}

static void
small_numbers_are_exact(void **state)
{
	struct sketch s;

	for (uint32_t n = 0; n <= 20; n++) {
		fill(&s, 0, n);
		assert_int_equal(sketch_count(&s), n);
	}
}

static void
large_ones_are_near(void **state)
{
	static const uint32_t numbers[] = { 100, 1000, 5000, 20000, 100000 };
	struct sketch s;

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t n = numbers[i], off = n * 3 / 100;

		fill(&s, 0, n);
		assert_in_range(sketch_count(&s), n - off, n + off);
	}
}

static void
the_same_player_twice_is_one(void **state)
{
	struct sketch a, b;

	fill(&a, 0, 1000);
	b = a;
	sketch_unite(&b, &a);
	assert_memory_equal(&a, &b, sizeof(a));
	fill(&b, 500, 1500);
	sketch_unite(&a, &b);
	assert_in_range(sketch_count(&a), 1455, 1545);
	fill(&b, 0, 0);
	sketch_unite(&b, &a);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void
a_full_one_says_so(void **state)
{
	struct sketch s;

	memset(&s, 0xff, sizeof(s));
	assert_int_equal(sketch_count(&s), UINT32_MAX);
}

static void
text_and_back(void **state)
{
	struct sketch s, back;
	char text[SKETCH_TEXT], longer[SKETCH_TEXT + 4];

	fill(&s, 0, 3000);
	sketch_write(&s, text);
	assert_int_equal(strlen(text), SKETCH_TEXT - 1);
	assert_int_equal(sketch_read(&back, text), 0);
	assert_memory_equal(&s, &back, sizeof(s));
	memcpy(longer, text, sizeof(text));
	strcat(longer, "AAAA");
	assert_int_equal(sketch_read(&back, longer), -1);
	assert_int_equal(sketch_read(&back, ""), -1);
	assert_int_equal(sketch_read(&back, text + 4), -1);
	text[100] = '*';
	assert_int_equal(sketch_read(&back, text), -1);
	memset(text, 'A', SKETCH_TEXT - 1);	/* more bytes than a sketch has */
	assert_int_equal(sketch_read(&back, text), -1);
	memset(text, ' ', SKETCH_TEXT - 1);
	assert_int_equal(sketch_read(&back, text), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_numbers_are_exact), cmocka_unit_test(large_ones_are_near),
		cmocka_unit_test(the_same_player_twice_is_one), cmocka_unit_test(a_full_one_says_so),
		cmocka_unit_test(text_and_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
