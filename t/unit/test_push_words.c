/* push_words.c: lines as ffmpeg 5.1 and 7.1 print them, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "push_words.h"

static void
says(const char *const lines[], const char *want)
{
	struct push_words w;

	push_words_clear(&w);
	for (; *lines != NULL; lines++)
		assert_false(push_words_line(&w, *lines));
	assert_string_equal(w.text, want);
}

static void
test_causes(void **state)
{
	says((const char *const[]){ "[tcp @ 0x55d] [error] Connection to tcp://127.0.0.1:1 failed: Connection refused",
	    "[rtmp @ 0x55d] [error] Cannot open connection tcp://127.0.0.1:1?tcp_nodelay=0",
	    "[error] rtmp://127.0.0.1:1/live/KEY: Connection refused", NULL }, "connection refused: nothing listens there");
	says((const char *const[]){ "[rtmp @ 0x55d] [error] Server error: Already publishing",
	    "[error] rtmp://h/live/KEY: Operation not permitted", NULL }, "it refuses: Already publishing");
	says((const char *const[]){ "[out#0/flv @ 0x6] [error] Error opening output rtmp://h/live/KEY: Input/output error",
	    "[error] Error opening output file rtmp://h/live/KEY.", "[fatal] Error opening output files: Input/output error",
	    NULL }, "it closed the connection or went mute: a wrong app or key?");
	says((const char *const[]){ "[tcp @ 0x5] [error] Failed to resolve hostname nowhere.invalid: Name or service not known",
	    "[error] rtmp://nowhere.invalid/a/KEY: Input/output error", NULL }, "its host name can't be resolved");
	says((const char *const[]){ "[tls @ 0x5] [error] The certificate's owner does not match hostname h",
	    "[error] rtmps://h/a/KEY: Input/output error", NULL }, "its certificate is for another host name");
	says((const char *const[]){ "[tls @ 0x5] [error] Peer certificate failed verification", NULL },
	    "its certificate can't be trusted: expired, or signed by none of the file of CAs");
	says((const char *const[]){ "[tls @ 0x5] [error] Error while reading file.",
	    "[tls @ 0x5] [error] Peer certificate failed verification", NULL }, "the file of CAs can't be read");
	says((const char *const[]){ "[error] rtmp://h/live/KEY: Connection timed out", NULL }, "it does not answer");
	says((const char *const[]){ "[error] av_interleaved_write_frame(): Broken pipe", "[flv @ 0x5] [error] Failed to update"
	    " header with correct duration.", NULL }, "it closed the connection");
}

static void
test_others(void **state)
{
	says((const char *const[]){ NULL }, "");
	says((const char *const[]){ "[info] Input #0, flv, from 'pipe:0':", "[warning] Guessed Channel Layout", "", NULL }, "");
	says((const char *const[]){ "[flv @ 0x5] [error] Tag something", "[error] the last one counts", NULL },
	    "the last one counts");
	says((const char *const[]){ "[error", "[", "]", NULL }, "");
}

static void
test_accepted(void **state)
{
	struct push_words w;

	push_words_clear(&w);
	assert_true(push_words_line(&w, "[info] Output #0, flv, to 'rtmp://127.0.0.1/live/KEY':"));
	assert_true(push_words_line(&w, "Output #0, flv, to 'x':"));
	assert_false(push_words_line(&w, "[info]   Stream #0:0: Video: h264"));
	assert_false(push_words_line(&w, "[error] no Output #0"));
	assert_string_equal(w.text, "no Output #0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes), cmocka_unit_test(test_others), cmocka_unit_test(test_accepted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
