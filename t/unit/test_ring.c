/* ring.c: order, bytes counted, what an overrun drops, generations shared and copied. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ingest/ring.h"

static struct ring ring;
static struct ring_gen *gen;

static int
setup(void **state)
{
	ring_init(&ring, 4000);
	gen = ring_gen_new(NULL);
	gen->video = gen->audio = true;
	return 0;
}

static int
teardown(void **state)
{
	ring_free(&ring);
	assert_int_equal(gen->refs, 1);
	ring_gen_unref(&gen);
	return 0;
}

static struct tag *
add(bool audio, bool key, size_t len)
{
	static const uint8_t body[2000] = { 1 };
	const struct flv_info info = { .type = audio ? FLV_AUDIO : FLV_VIDEO, .keyframe = key };
	struct tag *t = ring_append(&ring, gen, &info, body, len);

	return t;
}

static void
tags_stay_in_order_and_are_trimmed_from_the_front(void **state)
{
	struct tag *a = add(false, true, 10), *b = add(true, false, 20), *c = add(false, false, 30);
	size_t before = ring.bytes;

	assert_ptr_equal(ring.head, a);
	assert_ptr_equal(a->next, b);
	assert_true(b->audio);
	ring_trim(&ring, b);
	assert_ptr_equal(ring.head, b);
	assert_int_equal(before - ring.bytes, sizeof(struct tag) + 10);
	ring_trim(&ring, NULL);
	assert_null(ring.head);
	assert_int_equal(ring.bytes, 0);
	c = add(false, true, 1);
	assert_ptr_equal(ring.head, c);
}

static void
an_overrun_goes_to_a_key_frame(void **state)
{
	struct tag *key;

	add(false, true, 1000);
	add(false, false, 1000);
	add(true, false, 10);
	assert_null(ring_overrun(&ring));
	key = add(false, true, 1000);
	assert_null(ring_overrun(&ring));
	add(false, false, 1000);
	assert_ptr_equal(ring_overrun(&ring), key);
}

static void
without_key_frames_only_the_newest_is_left(void **state)
{
	struct tag *last = NULL;

	for (int i = 0; i < 5; i++)
		last = add(false, false, 1000);
	assert_ptr_equal(ring_overrun(&ring), last);
}

static void
audio_alone_may_be_dropped_anywhere(void **state)
{
	struct tag *second;

	gen->video = false;
	add(true, false, 1500);
	second = add(true, false, 1500);
	add(true, false, 1500);
	assert_ptr_equal(ring_overrun(&ring), second);
}

static void
a_generation_copies_its_headers(void **state)
{
	const struct flv_info info = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1'), .payload = 1 };
	const struct flv_info opus = { .type = FLV_AUDIO, .codec = FLV_FOURCC('O', 'p', 'u', 's'), .enhanced = true };
	struct ring_gen *copy;

	ring_gen_set(gen, &info, (const uint8_t *)"abc", 3);
	copy = ring_gen_new(gen);
	ring_gen_set(gen, &info, (const uint8_t *)"xy", 2);
	assert_int_equal(copy->video_len, 3);
	assert_memory_equal(copy->video_header, "abc", 3);
	assert_int_equal(gen->video_len, 2);
	assert_int_equal(gen->video_config, 1);
	assert_false(ring_gen_enhanced(gen));
	ring_gen_set(gen, &opus, NULL, 0);
	assert_true(ring_gen_enhanced(gen));
	gen->audio = false;
	assert_false(ring_gen_enhanced(gen));
	ring_gen_unref(&copy);
	assert_null(copy);
}

static void
an_ended_video_leaves_what_came_after_it_to_another_generation(void **state)
{
	struct ring_gen *alone = ring_gen_new(gen);
	struct tag *before = add(true, false, 1), *video = add(false, true, 1), *after = add(true, false, 1);

	assert_ptr_equal(ring_regen(&ring, alone), after);
	assert_ptr_equal(before->gen, gen);
	assert_ptr_equal(video->gen, gen);
	assert_ptr_equal(after->gen, alone);
	ring_trim(&ring, after);
	assert_ptr_equal(ring_regen(&ring, alone), after);
	ring_trim(&ring, NULL);
	assert_null(ring_regen(&ring, alone));
	assert_int_equal(alone->refs, 1);
	ring_gen_unref(&alone);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tags_stay_in_order_and_are_trimmed_from_the_front, setup, teardown),
		cmocka_unit_test_setup_teardown(an_overrun_goes_to_a_key_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(without_key_frames_only_the_newest_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(audio_alone_may_be_dropped_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(a_generation_copies_its_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(an_ended_video_leaves_what_came_after_it_to_another_generation,
		    setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
