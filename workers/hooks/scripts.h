/*
 * scripts.h - the Lua scripts of the outbox. Each is one change, whole or not at all; all but the
 * first and those of calls.c give nil, and change nothing, unless ARGV[1] is the leader. keys.h
 * says what it all looks like in Redis. LANE is "HOOKID:NAME".
 *
 *   lead    KEYS leader            ARGV me, ttl_ms (0: no more)       -> 1, or 0 if another host leads
 *   spread  KEYS leader, in, waiting, lost
 *           ARGV me, prefix, max, then per entry: its id, data, n, n x (hook, name)   -> 1
 *           from `in` into the lanes of those who want it; more than max waiting: lost
 *   due     KEYS leader            ARGV me, prefix, busy_ms, then per hook: id, how many
 *           -> {ms until the next one is due or -1, {lane, entry, age_ms, tries, data} ...}
 *           the first entry of lanes that are due, which are not due again for busy_ms
 *   done    KEYS leader, waiting   ARGV me, prefix, hook, lane, entry -> 1
 *   failed  KEYS leader            ARGV me, prefix, hook, lane, tries, again_ms       -> 1
 *   dead    KEYS leader, waiting, dead   ARGV me, prefix, hook, lane, entry, max, error, tries, data -> 1
 *   wake    KEYS                   ARGV prefix, hook                  -> how many events that is
 *   forget  KEYS waiting, lost     ARGV prefix, hook                  -> how many events were dropped
 *   revive  KEYS dead, waiting     ARGV prefix, id                    -> 1, or 0: no such dead letter
 *   list    KEYS waiting, lost     ARGV prefix, then hooks -> lost before it was spread; per hook: waiting,
 *           lost, lanes, tries of the lane that has waited for longest, or ""
 *   register KEYS registered       ARGV id, json, max                 -> 1, 0: it was there, -1: there are max
 */
#ifndef MILLRACE_HOOKS_SCRIPTS_H
#define MILLRACE_HOOKS_SCRIPTS_H

#include "workers/common/redis.h"

extern struct redis_script script_lead, script_spread, script_due, script_done, script_failed, script_dead,
    script_wake, script_forget, script_revive, script_list, script_register;
#endif
