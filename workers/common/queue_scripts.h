/*
 * queue_scripts.h - the Lua scripts of the queue: one step each, whole or not at all. KEYS[1]
 * of each is jobs:keys (keys.h); ARGV[1] is the prefix, from which the other keys are made.
 */
#ifndef MILLRACE_QUEUE_SCRIPTS_H
#define MILLRACE_QUEUE_SCRIPTS_H

#include "workers/common/redis.h"

/* Of these four each does what is asked of many jobs, and answers {of the first, of the second, ...}. */
/* [kind key host prio args file stream lane]... -> {id, 1 if it existed} each */
extern struct redis_script queue_script_add;
/* host_id worker lease_ms count kind... -> {id kind host epoch attempts crashes prio key args} of count at most */
extern struct redis_script queue_script_take;
/* lease_ms worker [id epoch progress kind key host prio args file stream lane]...
 * -> 1 renewed, 0 somebody else's now, -1 cancelled */
extern struct redis_script queue_script_renew;
/* attempts retry_min retry_max keep [id epoch key verb text random]... -> as renew.
 * verb: done (text: result) | failed | later | dead | refuse | park (text: error) | back */
extern struct redis_script queue_script_end;
/* host_id lease_ms gap_ms crashes retry_min retry_max random host_name [id epoch]... of workers of
 * this host that are gone -> {live running delayed dead done refused oldest_ms [id epoch worker]...}, those of
 * this host's workers */
extern struct redis_script queue_script_tend;
/* state cursor count fields... (the first must be host)
 * -> {cursor, {cursor behind it, value..., id, name of the host}, ...}; cursor "" at the end */
extern struct redis_script queue_script_list;
/* id or key, fields... as list -> one entry as list has it, {} = none */
extern struct redis_script queue_script_find;
/* kind... -> {id name running waiting ...} of hosts that have any; waiting: only they can take it */
extern struct redis_script queue_script_hosts;
/* id -> 1, 0 no such job, or its state, in which that is not possible */
extern struct redis_script queue_script_retry, queue_script_cancel, queue_script_forget;
#endif
