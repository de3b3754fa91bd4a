/* scripts.h - the Lua scripts of keys.h, with their keys, arguments and answers. */
#ifndef MILLRACE_SCRIPTS_H
#define MILLRACE_SCRIPTS_H

#include "workers/common/redis.h"

/* KEYS lease epochs streams; ARGV owner ttl_ms name entry ("" = leave the directory alone)
 * -> {1, epoch} ours (taken, or renewed with the old epoch), {0, owner, pttl} somebody else's */
extern struct redis_script script_claim;
/* KEYS lease streams; ARGV owner name -> 1 given back, 0 was not ours */
extern struct redis_script script_release;
/* KEYS hosts host seen; ARGV id ttl_ms json name kept_ms -> {hosts alive, hosts dead} */
extern struct redis_script script_beat;
/* KEYS hosts host seen; ARGV id -> 1 */
extern struct redis_script script_leave;
/* KEYS hosts seen -> {json, age_ms, json, age_ms, ...} */
extern struct redis_script script_hosts;
/* KEYS lease streams; ARGV name -> {owner, entry}, {} if the name is nobody's */
extern struct redis_script script_where;
/* KEYS streams seen; ARGV cursor count prefix_of_lease -> {cursor, entry, entry, ...} */
extern struct redis_script script_streams;
/* KEYS events last hooks:in hooks:registered hooks:lost; ARGV owner maxlen hooks ("1": the config has URLs)
 * hooks_max [id event data]... -> number added */
extern struct redis_script script_events;
/* KEYS ingress:keys; ARGV name max [hash]... -> they are among name's; without any: name has none */
extern struct redis_script script_ingress;
#endif
