/*
 * conf_view.c - the part of the config that one kind of child may see.
 *
 * By the table's seen_by: an ingest has no Redis and no keys, a registry no HTTP secrets. What
 * a child was not given, a fuzzed one can't leak. Called by child_config.c, which makes it the
 * memfd on PROTO_FD_CONFIG and adds host_id.
 */
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"

static const struct {
	const char *kind;
	unsigned bit;
} kinds[] = {
	{ "ingest", SEE_INGEST }, { "finish", SEE_FINISH }, { "http", SEE_HTTP },
	{ "registry", SEE_REGISTRY }, { "jobs", SEE_JOBS }, { "watch", SEE_WATCH }, { "hooks", SEE_HOOKS },
	{ "webrtc", SEE_WEBRTC },
};

json_t *
conf_view(const json_t *conf, const char *kind)
{
	unsigned bit = 0;
	json_t *view;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			bit = kinds[i].bit;
	if (bit == 0)
		return NULL;
	view = json_object();
	for (i = 0; i < conf_nkeys; i++)
		if ((conf_keys[i].seen_by & bit) != 0)
			conf_set(view, conf_keys[i].path, json_deep_copy(conf_get(conf, conf_keys[i].path)));
	/* Children want the name alone; what the supervisor found out replaces it. */
	json_object_set_new(view, "host", json_string(conf_str(conf, "host.name")));
	json_object_set_new(view, "host_id", json_string(""));
	return view;
}
