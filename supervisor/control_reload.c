/*
 * control_reload.c - a reload (SIGHUP, `millrace reload`): read the file again, say what
 * changes now, what for new streams, what only by a restart, and (unless it is a dry run)
 * do the first two. No stream is dropped for it. A file with errors changes nothing.
 *
 * Keys that need a restart keep their old values in the running config, so that nothing
 * in here ever sees half of a change. Called by control.c and main.c.
 */
#include <string.h>

#include "conf.h"
#include "log.h"
#include "supervisor/conf_table.h"
#include "supervisor/push.h"
#include "supervisor/supervisor.h"

static void
log_errors(const json_t *errors)
{
	const json_t *e;
	size_t i;

	json_array_foreach(errors, i, e)
		log_warnx("reload: %s", json_string_value(e));
	log_warnx("reload: nothing was changed");
}

/* What may not be meant so. */
static json_t *
warnings_of(const json_t *conf, bool dry_run)
{
	json_t *list = json_array();
	const json_t *w;
	size_t i;

	conf_host_hints(conf, sv.conf_path, list);
	json_array_foreach(list, i, w)
		if (!dry_run)
			log_warnx("reload: %s", json_string_value(w));
	return list;
}

static void
log_list(const json_t *plan, const char *key, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(plan, key), i, item)
		log_info("reload, %s: %s", text, json_string_value(item));
}

static void
keep_until_restart(json_t *to, const json_t *from)
{
	json_t *old;
	size_t i;

	for (i = 0; i < conf_nkeys; i++) {
		if (conf_keys[i].class != CONF_RESTART)
			continue;
		old = conf_get(from, conf_keys[i].path);
		if (old != NULL)
			conf_set(to, conf_keys[i].path, json_deep_copy(old));
	}
}

static void
apply(json_t *to, json_t *plan)
{
	json_t *from = sv.conf;

	keep_until_restart(to, from);
	sv.conf = to;
	listen_reload(from, to, plan);
	conf_apply_log(sv.conf);
	child_send_config();
	push_reload(from, to);
	json_decref(from);
	output_probe();		/* it may have been installed since, or another one */
	log_list(plan, "now", "changed now");
	log_list(plan, "new_streams", "for new streams");
	log_list(plan, "restart", "needs a restart");
	/* report_note() has logged what failed */
	log_info("configuration %s was read again", sv.conf_path);
}

json_t *
control_reload(bool dry_run)
{
	json_t *errors = json_array(), *plan, *warnings;
	json_t *to = conf_load(sv.conf_path, errors);

	if (to != NULL)
		conf_host_errors(to, sv.conf_path, errors);
	if (json_array_size(errors) > 0) {
		json_decref(to);
		log_errors(errors);
		return json_pack("{s:{s:[], s:[], s:[], s:[]}, s:o}", "plan", "now", "new_streams",
		    "restart", "failed", "errors", errors);
	}
	plan = conf_plan(sv.conf, to);
	warnings = warnings_of(to, dry_run);
	if (dry_run)
		json_decref(to);
	else
		apply(to, plan);
	return json_pack("{s:o, s:o, s:o}", "plan", plan, "errors", errors, "warnings", warnings);
}
