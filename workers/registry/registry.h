/*
 * registry.h - what millrace-registry's files know of each other. One process, one loop, one
 * struct registry; each file owns what is named after it.
 *
 *   main.c     order of start and stop, messages
 *   link.c     Redis up and away: the log's line, the board's figures, who is told
 *   leases.c   names of this host: lease and directory entry, renewed while they are wanted
 *   hosts.c    this host's heartbeat
 *   events.c   spool -> Redis; spool.c reads the files
 *   calls.c    verbs of CALL
 *   ingress.c  keys of /v1/createIngress
 *   scripts.c  Lua; keys.h says what it all looks like in Redis
 */
#ifndef MILLRACE_REGISTRY_H
#define MILLRACE_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "svc.h"
#include "workers/common/redis.h"

struct registry {
	struct svc *svc;
	struct redis *redis;
	const char *prefix, *host, *host_id, *url;	/* of the config; url changes with it */
	bool stopping;
};

extern struct registry rg;	/* one process, one registry */

/* --- link.c --- */
void link_start(void);		/* begins to connect */
void link_stop(void);
void link_config(void);		/* timeouts may have changed */
/* It answers, but does not do what it is told (error; NULL: it does again): read-only, out of memory. */
void link_refused(const char *error);

/* --- leases.c --- */
/* CALL lease: answers with {granted, owner, epoch}; EHOSTDOWN at once when Redis is away. */
void leases_call(const struct msg *call, const char *name);
/* CALL release: answers {}; the name is not wanted any more. */
void leases_call_release(const struct msg *call, const char *name);
/* Looks at run/board, gives back what nobody wants any more, renews the rest. */
void leases_renew(void);
/* It is live: into the directory with it, now. */
void leases_listed(const char *name, const char *app, int64_t since_wall_ms);
unsigned leases_count(void);
void leases_release_all(void);
void leases_free(void);

/* --- hosts.c --- */
void hosts_beat(void);
void hosts_leave(redis_cb cb, void *ctx);

/* --- events.c --- */
void events_start(void);
void events_pump(void);		/* sends what is in the spool; harmless when it is at it */
void events_came(void);		/* one more in the spool */
void events_free(void);

/* --- calls.c --- */
void calls_handle(struct svc *s, struct msg *m);

/* --- ingress.c --- */
void ingress_get(const struct msg *m, const char *name);
void ingress_put(const struct msg *m, const char *name, const json_t *hashes);
void ingress_tell(void);	/* all to the supervisor */

/* --- main.c --- */
void registry_drained(void);	/* the spool is empty: a stop that waits for it goes on */
#endif
