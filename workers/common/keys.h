/*
 * keys.h - every key a host writes to Redis. redis.prefix stands before each ("millrace:");
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
 *   hooks:in      stream  field data: events that go to webhooks, in the order in which they came; each goes
 *                         with its entry's spreading. At most hooks.max_waiting: more are lost, counted
 *   hooks:leader  string  HOST_ID:PID:START of the worker that delivers for all hosts; TTL 15 s
 *   hooks:registered hash HOOKID -> JSON {url, since}: URLs of /v1/registerWebhook
 *   hooks:lanes:HOOKID zset LANE ("HOOKID:NAME", NAME a stream's or "") by when its first entry is due (ms,
 *                         Redis' clock); what is under way is due again when its time must be over
 *   hooks:lane:LANE stream field data: what waits for this URL of this stream, in order
 *   hooks:tries   hash    LANE -> JSON {n, error} of its first entry's failures
 *   hooks:waiting hash    HOOKID -> entries in its lanes
 *   hooks:lost    hash    HOOKID -> events that did not fit into hooks.max_waiting; "hooks:in" for that
 *   hooks:dead    stream  hook, lane, error, tries, data: given up after hooks.retry; the newest
 *                         hooks.max_dead
 *   ingress:keys  hash    NAME -> JSON list of hashes of keys that /v1/createIngress made
 *
 *   jobs:q:host:ID:KIND:P, jobs:q:shared:KIND:P
 *                 stream  jobs of one kind and prio (0 first .. 2) for one host, or for any;
 *                         group w, consumer host_id; an entry {job: JOBID} goes with its job's end
 *   job:JOBID     hash    kind, key, host ("" = any), stream, file, args (JSON), prio, state queued |
 *                         running | delayed | parked | done | dead | cancelled, attempts, waits,
 *                         crashes, error, progress (0..1000), worker HOST_ID:PID:START, epoch (rises
 *                         with each take, a time in ms: the fencing token), entry (in its stream),
 *                         result (JSON), added, queued, taken, due, ended (ms, Redis' clock), lane
 *                         ("" = none)
 *   jobs:live     zset    JOBIDs queued, running or delayed, in the order they were added
 *   jobs:running  zset    JOBID by the end of its lease (ms)
 *   jobs:delayed  zset    JOBID by due time (ms)
 *   jobs:dead     zset    JOBIDs dead or parked, in this order; they keep their key
 *   jobs:refused  zset    JOBIDs dead because what was sent is of no use, in this order; they keep theirs, too
 *   jobs:cancelled zset   JOBIDs that the user does not want; they keep their key
 *   jobs:done     zset    JOBIDs done, in this order; trimmed to jobs.keep
 *   jobs:keys     hash    job key -> JOBID, until that is done: a second add finds the first
 *   jobs:lanes    hash    lane -> JOBID of the one of it that may run now
 *   jobs:lane:X   zset    JOBIDs of lane X that wait for it, in the order they were added; queued,
 *                         but in no stream
 *   jobs:seq      string  counter behind ids and orders
 *   jobs:hosts    hash    host_id -> name, of every host that ever tended the queue
 *   jobs:probes   hash    host_id -> JOBID of the parked job that is tried for all of them, or "*MS": those
 *                         that were parked before then go on
 *   jobs:tended   string  when a host last tended the queue (ms): after a gap leases are renewed
 *   files         hash    FILEID -> JSON ledger entry (ledger.h); numbers as strings. FILEID = first
 *                         32 hex digits of SHA-256 of HOST_ID, NUL, absolute path
 *   hash:SHA256   string  FILEID that was done with this content
 *   claim:SHA256  string  FILEID:MS: the file with this content that is to be uploaded, and since when
 *                         (ms, Redis' clock); TTL 7 days
 *   upload:FILEID hash    a multipart upload under way: upload_id, object, size, mtime_ns, part_size,
 *                         part N -> "etag size sha256"
 *   uploads       zset    ids of multipart uploads that hosts have under way, by when their host said so
 *                         last (ms, Redis' clock): each jobs.scan. What is not here is nobody's
 *   uploads:since hash    since: when hosts began to say so, last: when one did (ms); for storage.s3.stale_after
 *                         from then on nobody knows
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

#define KEY_HOOKS_IN "hooks:in"
#define KEY_HOOKS_LEADER "hooks:leader"
#define KEY_HOOKS_REGISTERED "hooks:registered"
#define KEY_HOOKS_WAITING "hooks:waiting"
#define KEY_HOOKS_LOST "hooks:lost"
#define KEY_HOOKS_DEAD "hooks:dead"
#define KEY_INGRESS "ingress:keys"

#define KEY_JOBS_KEYS "jobs:keys"
#define KEY_FILES "files"
#define KEY_HASH "hash:"
#define KEY_CLAIM "claim:"
#define KEY_UPLOAD "upload:"
#define KEY_UPLOADS "uploads"
#define KEY_UPLOADS_SINCE "uploads:since"

#define KEY_TTL_MS 15000	/* of leases and heartbeats */
#define KEY_RENEW_MS (KEY_TTL_MS / 3)
#define KEY_EVENTS_MAX 10000
#define KEY_HOST_KEPT_MS 3600000

#define KEY_BYTES 256		/* of a whole key; a longer prefix is refused at the start */

/* prefix + key + name into out; returns out. */
const char *key_make(char out[KEY_BYTES], const char *prefix, const char *key, const char *name);
#endif
