/*
 * scripts.c - the Lua scripts, each one change of Redis that is whole or not at all.
 *
 * Who owns a name is decided here and only here: by lease:NAME, whose epoch rises each time
 * it changes hands. The clock is Redis' own, so hosts need not agree on the time. Data only;
 * sent by leases.c, hosts.c, calls.c and events.c. Arguments are described in scripts.h.
 */
#include "scripts.h"

#include "workers/common/keys.h"

struct redis_script script_claim = { .text =
	"local v = redis.call('HMGET', KEYS[1], 'owner', 'epoch')\n"
	"if v[1] and v[1] ~= ARGV[1] then\n"
	"  return {0, v[1], redis.call('PTTL', KEYS[1])}\n"
	"end\n"
	"local epoch = v[2]\n"
	"if not v[1] then\n"
	"  epoch = redis.call('HINCRBY', KEYS[2], ARGV[3], 1)\n"
	"  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch)\n"
	"end\n"
	"redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
	"if ARGV[4] ~= '' and redis.call('HGET', KEYS[3], ARGV[3]) ~= ARGV[4] then\n"
	"  redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])\n"
	"end\n"
	"return {1, tonumber(epoch)}\n" };

struct redis_script script_release = { .text =
	"if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end\n"
	"redis.call('DEL', KEYS[1])\n"
	"redis.call('HDEL', KEYS[2], ARGV[2])\n"
	"return 1\n" };

struct redis_script script_beat = { .text =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])\n"
	"redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[2])\n"
	"redis.call('ZADD', KEYS[3], now, ARGV[1])\n"
	"for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5],\n"
	"    'LIMIT', 0, 100)) do\n"
	"  redis.call('HDEL', KEYS[1], id)\n"
	"  redis.call('ZREM', KEYS[3], id)\n"
	"end\n"
	"local alive = redis.call('ZCOUNT', KEYS[3], now - ARGV[2], '+inf')\n"
	"return {alive, redis.call('ZCARD', KEYS[3]) - alive}\n" };

struct redis_script script_leave = { .text =
	"redis.call('HDEL', KEYS[1], ARGV[1])\n"
	"redis.call('DEL', KEYS[2])\n"
	"redis.call('ZREM', KEYS[3], ARGV[1])\n"
	"return 1\n" };

struct redis_script script_hosts = { .text =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"local seen = redis.call('ZREVRANGE', KEYS[2], 0, 999, 'WITHSCORES')\n"
	"local out = {}\n"
	"for i = 1, #seen, 2 do\n"
	"  local json = redis.call('HGET', KEYS[1], seen[i])\n"
	"  if json then\n"
	"    out[#out + 1] = json\n"
	"    out[#out + 1] = now - seen[i + 1]\n"
	"  end\n"
	"end\n"
	"return out\n" };

struct redis_script script_where = { .text =
	"local owner = redis.call('HGET', KEYS[1], 'owner')\n"
	"if not owner then return {} end\n"
	"return {owner, redis.call('HGET', KEYS[2], ARGV[1]) or ''}\n" };

/* An entry whose lease is gone is left for its owner, who may be coming back; when that
 * host is not even seen any more, nobody else would ever remove it. */
struct redis_script script_streams = { .text =
	"local r = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])\n"
	"local out = {r[1]}\n"
	"for i = 1, #r[2], 2 do\n"
	"  local ok, entry = pcall(cjson.decode, r[2][i + 1])\n"
	"  local host = ok and entry.host_id or ''\n"
	"  if redis.call('HGET', ARGV[3] .. r[2][i], 'owner') == host then\n"
	"    out[#out + 1] = r[2][i + 1]\n"
	"  elseif not redis.call('ZSCORE', KEYS[2], host) then\n"
	"    redis.call('HDEL', KEYS[1], r[2][i])\n"
	"  end\n"
	"end\n"
	"return out\n" };

/* Ids are HOST-EPOCH-COUNTER. One call holds events of one epoch, so what was added before
 * and comes again is told by its counter. What comes by the thousands would drive the rest out
 * of `events`: it is for webhooks alone. */
struct redis_script script_events = { .text =
	"local function parts(id)\n"
	"  local e, n = string.match(id, '%-(%d+)%-(%d+)$')\n"
	"  return e, tonumber(n)\n"
	"end\n"
	"local many = {play = true, stop = true, segment = true}\n"
	"local hooks = ARGV[3] == '1' or redis.call('EXISTS', KEYS[4]) == 1\n"
	"local last = redis.call('HGET', KEYS[2], ARGV[1]) or ''\n"
	"local le, ln = parts(last)\n"
	"local added = 0\n"
	"for i = 5, #ARGV, 3 do\n"
	"  local e, n = parts(ARGV[i])\n"
	"  if not (e and e == le and n <= ln) then\n"
	"    if not many[ARGV[i + 1]] then\n"
	"      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[i],\n"
	"        'event', ARGV[i + 1], 'data', ARGV[i + 2])\n"
	"    end\n"
	"    if hooks and redis.call('XLEN', KEYS[3]) < tonumber(ARGV[4]) then\n"
	"      redis.call('XADD', KEYS[3], '*', 'data', ARGV[i + 2])\n"
	"    elseif hooks then\n"
	"      redis.call('HINCRBY', KEYS[5], '" KEY_HOOKS_IN "', 1)\n"
	"    end\n"
	"    redis.call('HSET', KEYS[2], ARGV[1], ARGV[i])\n"
	"    le, ln = e, n\n"
	"    added = added + 1\n"
	"  end\n"
	"end\n"
	"return added\n" };

struct redis_script script_ingress = { .text =
	"if #ARGV == 2 then return redis.call('HDEL', KEYS[1], ARGV[1]) end\n"
	"local ok, list = pcall(cjson.decode, redis.call('HGET', KEYS[1], ARGV[1]) or '[]')\n"
	"if not ok or type(list) ~= 'table' then list = {} end\n"
	"for i = 3, #ARGV do\n"
	"  local there = false\n"
	"  for _, hash in ipairs(list) do there = there or hash == ARGV[i] end\n"
	"  if not there then list[#list + 1] = ARGV[i] end\n"
	"end\n"
	"while #list > tonumber(ARGV[2]) do table.remove(list, 1) end\n"
	"redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(list))\n"
	"return 1\n" };
