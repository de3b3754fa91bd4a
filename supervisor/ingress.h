/*
 * ingress.h - keys that back ends have made for streams (/v1/createIngress): who asks for NAME gets
 * the same key each time until it is removed, then a new one; and from the first time on nobody publishes as
 * NAME without it or another one that authorize.keys has for it.
 *
 * A key is HMAC-SHA256 of the name and a random salt with authorize.secret, or, without one, with a secret of
 * this host's (data_dir/ingress.secret): so it need not be kept. What is kept is its hash with that salt, as in
 * authorize.keys: in Redis, which is the truth, and a copy in data_dir/ingress.json.
 */
#ifndef MILLRACE_SUPERVISOR_INGRESS_H
#define MILLRACE_SUPERVISOR_INGRESS_H

#include <jansson.h>

void ingress_start(void);
void ingress_stop(void);
/* The hashes of NAME's keys, borrowed; NULL: it has none that this host knows of. */
const json_t *ingress_hashes(const char *name);
/* What Redis has of NAME: a list, perhaps empty. */
void ingress_learn(const char *name, const json_t *hashes);
/* The registry's EVENT "ingress" {keys: {NAME: hashes}}: added to what is known. */
void ingress_event(const json_t *body);
/*
 * CALL "ingress" {name, hashes: what Redis has of it} -> {id, key, hashes}, "ingress_remove" {name} -> {}. The asker
 * asks the registry first (ingress_get: another host may have removed the key) and tells it then (ingress_put);
 * until that has answered other hosts do not know. rc; *body a new reference.
 */
int ingress_call(const char *verb, const json_t *args, json_t **body);
#endif
