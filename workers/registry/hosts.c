/*
 * hosts.c - this host among the others: its heartbeat, and its leaving.
 *
 * The answer to a heartbeat is how many hosts are alive and how many dead, which goes to the board. Called by
 * link.c every third of the time to live and when Redis is back, by main.c at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"
#include "workers/registry/scripts.h"

static void
beat_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct board_page *p = rg.svc->page;
	static bool said;

	if (rc == 0) {
		board_begin(&p->seq);
		p->registry.hosts = (int32_t)json_integer_value(json_array_get(reply, 0));
		p->registry.hosts_dead = (int32_t)json_integer_value(json_array_get(reply, 1));
		board_end(&p->seq);
		link_refused(NULL);
		if (said)
			log_info("Redis takes this host's heartbeat again");
		said = false;
	} else if (rc == EIO) {
		link_refused(error);
		if (!said)
			log_warnx("Redis refuses this host's heartbeat: %s; tried again every %d s", error,
			    KEY_RENEW_MS / 1000);
		said = true;
	}
}

void
hosts_beat(void)
{
	char hosts[KEY_BYTES], host[KEY_BYTES], seen[KEY_BYTES], ttl[16], kept[16];
	json_t *o = json_pack("{s:s, s:o, s:o, s:s, s:i}", "id", rg.host_id,
	    "name", msg_text(rg.host, strlen(rg.host)), "url", msg_text(rg.url, strlen(rg.url)),
	    "version", MILLRACE_VERSION, "streams", (int)leases_count());
	char *text = json_dumps(o, JSON_COMPACT);
	const char *argv[] = {
		key_make(hosts, rg.prefix, KEY_HOSTS, ""), key_make(host, rg.prefix, KEY_HOST, rg.host_id),
		key_make(seen, rg.prefix, KEY_SEEN, ""), rg.host_id, ttl, text, rg.host, kept,
	};

	snprintf(ttl, sizeof ttl, "%d", KEY_TTL_MS);
	snprintf(kept, sizeof kept, "%d", KEY_HOST_KEPT_MS);
	if (redis_is_up(rg.redis))
		redis_run(rg.redis, &script_beat, 3, 8, argv, beat_cb, NULL);
	free(text);
	json_decref(o);
}

void
hosts_leave(redis_cb cb, void *ctx)
{
	char hosts[KEY_BYTES], host[KEY_BYTES], seen[KEY_BYTES];
	const char *argv[] = {
		key_make(hosts, rg.prefix, KEY_HOSTS, ""), key_make(host, rg.prefix, KEY_HOST, rg.host_id),
		key_make(seen, rg.prefix, KEY_SEEN, ""), rg.host_id,
	};

	redis_run(rg.redis, &script_leave, 3, 4, argv, cb, ctx);
}
