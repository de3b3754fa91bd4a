/* route_may.c: what each kind needs it may ask; what a taken-over ingest would like it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "supervisor/supervisor.h"

struct supervisor sv;

static const struct { const char *to, *verb; bool http, ingest; } calls[] = {
	{ "jobs", "job", true, true },
	{ "jobs", "list", false, false }, { "jobs", "cancel", false, false }, { "jobs", "retry", false, false },
	{ "registry", "where", true, false }, { "registry", "ingress_put", true, false },
	{ "registry", "ingress_get", true, false }, { "registry", "lease", false, false },
	{ "registry", "release", false, false }, { "registry", "hosts", false, false },
	{ "supervisor", "kick", true, false }, { "supervisor", "whip", true, false },
	{ "supervisor", "push_add", true, false }, { "supervisor", "push_list", true, false },
	{ "supervisor", "push_remove", true, false }, { "supervisor", "ingress", true, false },
	{ "supervisor", "ingress_remove", true, false }, { "supervisor", "push_", false, false },
	{ "hooks", "register", true, false }, { "hooks", "unregister", true, false },
	{ "hooks", "authorize", false, false }, { "hooks", "drop", false, false },
	{ "webrtc", "offer", true, false }, { "webrtc", "patch", true, false },
	{ "webrtc", "delete", true, false }, { "webrtc", "stats", true, false },
	{ "", "", false, false }, { "jobs", "", false, false }, { "", "job", false, false }, { "http", "job", false, false },
};

static void
who(void **state)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const char *to = calls[i].to, *verb = calls[i].verb;

		for (int kind = 0; kind < KIND_COUNT; kind++) {
			bool want = kind == KIND_HTTP ? calls[i].http : kind == KIND_INGEST && calls[i].ingest;

			if (route_may((enum child_kind)kind, to, verb) != want)
				fail_msg("kind %d, %s/%s", kind, to, verb);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
