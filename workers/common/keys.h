/*
 * keys.h - every key this host writes to Redis. redis.prefix stands before each ("millrace:");
 * a prefix with a hash tag ("{millrace}:") keeps them together behind a cluster proxy.
 *
 *   KEY           TYPE    WHAT
 *   hosts         hash    host_id -> JSON {id, name, url, version, streams}
 *   host:ID       string  heartbeat: the host's name; TTL 15 s, set anew every 5 s; absent = dead
 *   seen          zset    host_id by the time (ms, Redis' clock) of its last heartbeat; both
 *                         entries of a host go an hour after that
 *   lease:NAME    hash    owner (host_id), epoch; TTL 15 s, renewed every 5 s. Absent = anybody
 *                         may have the name
 *   epochs        hash    NAME -> how many times its lease has changed hands
 *   streams       hash    NAME -> JSON {name, app, host, host_id, url, since}; true only while
 *                         lease:NAME is its host_id's (an entry without goes with its host)
 *   events        stream  fields id, event, data (the event as JSON); trimmed to about 10,000
 *   events:last   hash    host_id -> id of its last event in `events`: what comes again after
 *                         a crash is not added twice
 *
 * Times in JSON are ms since the epoch. Every change of more than one key is one Lua script
 * (scripts.c). Nothing here is ever looked for with KEYS or SCAN over all keys.
 */
#ifndef MILLRACE_KEYS_H
#define MILLRACE_KEYS_H

#define KEY_HOSTS "hosts"
#define KEY_HOST "host:"
#define KEY_SEEN "seen"
#define KEY_LEASE "lease:"
#define KEY_EPOCHS "epochs"
#define KEY_STREAMS "streams"
#define KEY_EVENTS "events"
#define KEY_EVENTS_LAST "events:last"

#define KEY_TTL_MS 15000	/* of leases and heartbeats */
#define KEY_RENEW_MS (KEY_TTL_MS / 3)
#define KEY_EVENTS_MAX 10000
#define KEY_HOST_KEPT_MS 3600000

#define KEY_BYTES 256		/* of a whole key; a longer prefix is refused at the start */

/* prefix + key + name into out; returns out. */
const char *key_make(char out[KEY_BYTES], const char *prefix, const char *key, const char *name);
#endif
