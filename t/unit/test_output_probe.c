/* output_probe.c: what ffmpeg's banner tells, with the texts real versions printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/output.h"
#include "supervisor/supervisor.h"

struct supervisor sv;

static void
test_5_1(void **state)
{
	char version[64];

	output_probe_parse("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers\n"
	    "  built with gcc 12 (Debian 12.2.0-14)\n", version, sizeof(version));
	assert_string_equal(version, "5.1.9-0+deb12u1");
}

static void
test_newer(void **state)
{
	char version[64];

	output_probe_parse("ffmpeg version n9.0.2-17-g2a571b6068 Copyright (c) 2000\n", version, sizeof(version));
	assert_string_equal(version, "n9.0.2-17-g2a571b6068");
}

static void
test_none(void **state)
{
	char version[8];

	output_probe_parse("", version, sizeof(version));
	assert_string_equal(version, "");
	output_probe_parse("millrace-exec: ffmpeg: No such file or directory\n", version, sizeof(version));
	assert_string_equal(version, "");
	output_probe_parse("ffmpeg version 123456789", version, sizeof(version));
	assert_string_equal(version, "1234567");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_5_1),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
