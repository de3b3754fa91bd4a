/*
 * route_may.c - which questions (CALL) a process may ask: a table of kind, whom, and verb.
 *
 * What an ingest says may be what its publisher makes it say, and what http says a viewer: so each
 * may ask what it has a use for and nothing else. The CLI is not bound by it (control.c says who
 * that is), nor are the supervisor's own questions. Pure; called by route.c.
 */
#include <string.h>

#include "supervisor/supervisor.h"

#define VERBS_MAX 6

static const struct {
	enum child_kind kind;
	const char *to;
	const char *verbs[VERBS_MAX + 1];
} rows[] = {
	/* how far the job of its upload is */
	{ KIND_INGEST, "jobs", { "job" } },
	/* the API, the player's server of a stream, WHIP and WHEP after the POST */
	{ KIND_HTTP, "supervisor", { "kick", "push_list", "push_add", "push_remove", "ingress", "ingress_remove" } },
	{ KIND_HTTP, "supervisor", { "whip" } },
	{ KIND_HTTP, "registry", { "where", "ingress_get", "ingress_put" } },
	{ KIND_HTTP, "jobs", { "job" } },
	{ KIND_HTTP, "hooks", { "register", "unregister" } },
	{ KIND_HTTP, "webrtc", { "offer", "patch", "delete", "stats" } },
};

static bool
has(const char *const *verbs, const char *verb)
{
	while (*verbs != NULL && strcmp(*verbs, verb) != 0)
		verbs++;
	return *verbs != NULL;
}

bool
route_may(enum child_kind kind, const char *to, const char *verb)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].kind == kind && strcmp(rows[i].to, to) == 0 && has(rows[i].verbs, verb))
			return true;
	return false;
}
