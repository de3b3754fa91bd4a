/* amf0.c: every type both ways, torn at every byte, depth, counts and lengths that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/amf0.h"

/* Reads a copy of exactly len bytes, so that ASan sees a read past its end. */
static json_t *
read_copy(const void *in, size_t len, int *whole)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	json_t *v;

	memcpy(copy, in, len);
	v = amf0_read(copy, len, whole);
	free(copy);
	assert_true(json_is_array(v));
	return v;
}

static void
expect(const void *in, size_t len, int want_whole, const char *want)
{
	int whole = -1;
	json_t *v = read_copy(in, len, &whole);
	char *text = json_dumps(v, JSON_COMPACT | JSON_PRESERVE_ORDER);

	assert_string_equal(text, want);
	assert_int_equal(whole, want_whole);
	free(text);
	json_decref(v);
}
#define EXPECT(bytes, whole, want) expect(bytes, sizeof(bytes) - 1, whole, want)

static void
each_type(void **state)
{
	EXPECT("", 1, "[]");
	EXPECT("\x00\x3f\xf8\0\0\0\0\0\0", 1, "[1.5]");
	EXPECT("\x01\x00\x01\x01\x01\x07", 1, "[false,true,true]");
	EXPECT("\x02\x00\x02hi\x02\x00\x00", 1, "[\"hi\",\"\"]");
	EXPECT("\x03\0\1a\x05\0\1b\x01\x01\0\0\x09", 1, "[{\"a\":null,\"b\":true}]");
	EXPECT("\x05\x06\x0d", 1, "[null,null,null]");
	EXPECT("\x07\0\1\x05", 1, "[null,null]");
	EXPECT("\x08\0\0\0\1\0\1a\x02\0\1x\0\0\x09\x05", 1, "[{\"a\":\"x\"},null]");
	EXPECT("\x0a\0\0\0\2\x05\x01\x01", 1, "[[null,true]]");
	EXPECT("\x0b\x40\0\0\0\0\0\0\0\0\0\x05", 1, "[2.0,null]");
	EXPECT("\x0c\0\0\0\3abc\x0f\0\0\0\1x", 1, "[\"abc\",\"x\"]");
	EXPECT("\x10\0\3Cls\0\1a\x05\0\0\x09", 1, "[{\"a\":null}]");
	EXPECT("\x11\x01\x11\x02\x11\x03\x11\x04\x81\x01\x11\x06\x05hi", 1, "[null,false,true,129.0,\"hi\"]");
}

static void
what_is_unknown_ends_it(void **state)
{
	EXPECT("\x05\x04\x05", 0, "[null]");		/* MovieClip */
	EXPECT("\x05\x0e\x05", 0, "[null]");		/* RecordSet */
	EXPECT("\x05\x12\x05", 0, "[null]");
	EXPECT("\x05\xff\x05", 0, "[null]");
	EXPECT("\x05\x09", 0, "[null]");		/* an end without an object */
	EXPECT("\x11\x0a\x0b\x01", 0, "[]");		/* an AMF3 object */
}

static void
numbers_that_json_does_not_know(void **state)
{
	EXPECT("\x00\x7f\xf8\0\0\0\0\0\0\x00\x7f\xf0\0\0\0\0\0\0\x00\xff\xf0\0\0\0\0\0\0", 1, "[null,null,null]");
	EXPECT("\x00\x80\0\0\0\0\0\0\0", 1, "[-0.0]");
}

static void
strings_become_clean_text(void **state)
{
	int whole;
	json_t *v = read_copy("\x02\0\4a\xff\0b\x02\0\2\xc3\xa4", 12, &whole);

	assert_int_equal(whole, 1);
	assert_non_null(json_string_value(json_array_get(v, 0)));
	assert_string_equal(json_string_value(json_array_get(v, 1)), "\xc3\xa4");
	json_decref(v);
}

static struct evbuffer *
connect_message(void)
{
	struct evbuffer *b = evbuffer_new();

	amf0_string(b, "connect");
	amf0_number(b, 1);
	amf0_object(b);
	amf0_key(b, "app");
	amf0_string(b, "live");
	amf0_key(b, "inner");
	amf0_object(b);
	amf0_key(b, "n");
	amf0_number(b, -2.25);
	amf0_end(b);
	amf0_end(b);
	amf0_null(b);
	return b;
}

static void
written_and_read_back(void **state)
{
	struct evbuffer *b = connect_message();
	size_t n = evbuffer_get_length(b);

	expect(evbuffer_pullup(b, -1), n, 1,
	    "[\"connect\",1.0,{\"app\":\"live\",\"inner\":{\"n\":-2.25}},null]");
	evbuffer_free(b);
}

/* A prefix is whole only where a top level value ends. */
static void
torn_at_every_byte(void **state)
{
	struct evbuffer *b = connect_message();
	size_t n = evbuffer_get_length(b), wholes = 0;
	const uint8_t *p = evbuffer_pullup(b, -1);
	int whole;
	json_t *v;

	for (size_t i = 0; i <= n; i++) {
		v = read_copy(p, i, &whole);
		wholes += (size_t)whole;
		if (i >= 10)
			assert_string_equal(json_string_value(json_array_get(v, 0)), "connect");
		assert_int_equal(whole, i == 0 || i == 10 || i == 19 || i >= n - 1);
		json_decref(v);
	}
	assert_int_equal(wholes, 5);
	evbuffer_free(b);
}

static void
what_came_before_the_tear_is_kept(void **state)
{
	EXPECT("\x08\0\0\0\2\0\1w\x00\x40\0\0\0\0\0\0\0\0\1h\x00\x40", 0, "[{\"w\":2.0}]");
	EXPECT("\x0a\0\0\0\3\x05\x05", 0, "[[null,null]]");
}

static void
nested(unsigned depth, int array, int want_whole)
{
	struct evbuffer *b = evbuffer_new();
	size_t n;
	int whole;
	json_t *v;

	for (unsigned i = 1; i < depth; i++) {
		if (array)
			evbuffer_add(b, "\x0a\0\0\0\1", 5);
		else
			evbuffer_add(b, "\x03\0\1a", 4);
	}
	amf0_null(b);
	for (unsigned i = 1; !array && i < depth; i++)
		amf0_end(b);
	n = evbuffer_get_length(b);
	v = read_copy(evbuffer_pullup(b, -1), n, &whole);
	assert_int_equal(whole, want_whole);
	json_decref(v);
	evbuffer_free(b);
}

static void
depth_is_bounded(void **state)
{
	for (int array = 0; array < 2; array++) {
		nested(AMF0_DEPTH_MAX, array, 1);
		nested(AMF0_DEPTH_MAX + 1, array, 0);
		nested(200000, array, 0);
	}
}

static void
number_of_values_is_bounded(void **state)
{
	uint8_t in[AMF0_VALUES_MAX + 1];
	int whole;
	json_t *v;

	memset(in, 5, sizeof(in));
	v = read_copy(in, AMF0_VALUES_MAX, &whole);
	assert_int_equal(whole, 1);
	assert_int_equal(json_array_size(v), AMF0_VALUES_MAX);
	json_decref(v);
	v = read_copy(in, AMF0_VALUES_MAX + 1, &whole);
	assert_int_equal(whole, 0);
	assert_int_equal(json_array_size(v), AMF0_VALUES_MAX);
	json_decref(v);
}

static void
announced_counts_and_lengths_cost_nothing(void **state)
{
	EXPECT("\x0a\xff\xff\xff\xff", 0, "[[]]");
	EXPECT("\x0a\xff\xff\xff\xff\x05", 0, "[[null]]");
	EXPECT("\x08\xff\xff\xff\xff\0\0\x09", 1, "[{}]");	/* the count of an ECMA array is a hint */
	EXPECT("\x0c\xff\xff\xff\xff""abc", 0, "[]");
	EXPECT("\x0f\x7f\xff\xff\xff""abc", 0, "[]");
	EXPECT("\x02\xff\xff""abc", 0, "[]");
	EXPECT("\x11\x06\xff\xff\xff\xff""abc", 0, "[]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type),
		cmocka_unit_test(what_is_unknown_ends_it),
		cmocka_unit_test(numbers_that_json_does_not_know),
		cmocka_unit_test(strings_become_clean_text),
		cmocka_unit_test(written_and_read_back),
		cmocka_unit_test(torn_at_every_byte),
		cmocka_unit_test(what_came_before_the_tear_is_kept),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(number_of_values_is_bounded),
		cmocka_unit_test(announced_counts_and_lengths_cost_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
