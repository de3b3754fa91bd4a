/* rtc_argv.c: every param is checked; the argvs are the measured ones, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/args.h"
#include "supervisor/rtc_argv.h"

#define INPUT(format) "ffmpeg -hide_banner -nostdin -loglevel level+error -nostats -fpsprobesize 0 -probesize 32768 " \
	"-analyzeduration 100000 -protocol_whitelist pipe -threads 1 -filter_threads 1 -copyts -f " format " -i pipe:0 "

static void
expect(bool video, const char *json, const char *want)
{
	json_t *params = json_loads(json, 0, NULL);
	char line[4096] = "", **argv;
	struct rtc_params p;
	const char *why;

	assert_int_equal(rtc_params_parse(video, params, &p, &why), 0);
	argv = rtc_argv(&p, "ffmpeg", 64000);
	for (int i = 0; argv[i] != NULL; i++) {
		strcat(line, i > 0 ? " " : "");
		strcat(line, argv[i]);
	}
	assert_string_equal(line, want);
	args_free(&argv);
	json_decref(params);
}

static void
opus(void **state)
{
	expect(false, "{\"matroska\": false}", INPUT("flv") "-map 0:a:0 -af aresample=async=1 -ar 48000 -ac 2 -c:a libopus "
	    "-b:a 64000 -application lowdelay -frame_duration 20 -page_duration 20000 -flush_packets 1 -f ogg pipe:1");
}

static void
h264(void **state)
{
	expect(true, "{\"matroska\": true, \"from_ms\": 100042}", INPUT("matroska") "-map 0:v:0 -vf "
	    "select='gte(t,100.042)',scale=trunc(iw/2)*2:trunc(ih/2)*2:out_range=tv,format=yuv420p -fps_mode vfr "
	    "-c:v libx264 -preset superfast -tune zerolatency -profile:v baseline -threads:v 2 -crf 23 -maxrate 4M "
	    "-bufsize 2M -g 250 -sc_threshold 0 -force_key_frames "
	    "expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+2)) -flush_packets 1 -f flv "
	    "-flvflags no_duration_filesize pipe:1");
}

static void
wrong(bool video, const char *json, const char *want)
{
	json_t *params = json_loads(json, 0, NULL);
	struct rtc_params p;
	const char *why;

	assert_int_equal(rtc_params_parse(video, params, &p, &why), -1);
	assert_string_equal(why, want);
	json_decref(params);
}

static void
wrong_params(void **state)
{
	wrong(false, "{}", "matroska");
	wrong(false, "{\"matroska\": 1}", "matroska");
	wrong(true, "{\"matroska\": false}", "from_ms");
	wrong(true, "{\"matroska\": false, \"from_ms\": -1}", "from_ms");
	wrong(true, "{\"matroska\": false, \"from_ms\": \"1\"}", "from_ms");
	wrong(true, "{\"matroska\": false, \"from_ms\": 9007199254740992}", "from_ms");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(opus), cmocka_unit_test(h264), cmocka_unit_test(wrong_params),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
