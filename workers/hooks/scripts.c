/*
 * scripts.c - the Lua scripts of the outbox (arguments in scripts.h). Data only.
 *
 * The clock is Redis' own: hosts need not agree on the time, and an event's age is that of its
 * entry. Keys of lanes are made in here, of prefix and names that were checked.
 */
#include "scripts.h"

#include "workers/common/keys.h"

#define LEADER "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end\n"
#define NOW \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
/* An entry goes; an empty lane goes with all that is known of it. */
#define TAKE_OFF \
	"local function take_off(prefix, hook, lane, entry, now, waiting)\n" \
	"  local key, lanes = prefix .. 'hooks:lane:' .. lane, prefix .. 'hooks:lanes:' .. hook\n" \
	"  if redis.call('XDEL', key, entry) == 1 then\n" \
	"    if redis.call('HINCRBY', waiting, hook, -1) <= 0 then redis.call('HDEL', waiting, hook) end\n" \
	"  end\n" \
	"  redis.call('HDEL', prefix .. 'hooks:tries', lane)\n" \
	"  if redis.call('XLEN', key) == 0 then\n" \
	"    redis.call('DEL', key)\n" \
	"    redis.call('ZREM', lanes, lane)\n" \
	"  else\n" \
	"    redis.call('ZADD', lanes, now, lane)\n" \
	"  end\n" \
	"end\n"

struct redis_script script_lead = { .text =
	"local owner = redis.call('GET', KEYS[1])\n"
	"local host = string.match(ARGV[1], '^[^:]*')\n"
	"if owner and string.match(owner, '^[^:]*') ~= host then return 0 end\n"
	"if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end\n"
	"redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
	"return 1\n" };

struct redis_script script_spread = { .text = LEADER NOW
	"local i = 4\n"
	"while i <= #ARGV do\n"
	"  local entry, data, n = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])\n"
	"  i = i + 3\n"
	"  for k = 1, n do\n"
	"    local hook, lane = ARGV[i], ARGV[i] .. ':' .. ARGV[i + 1]\n"
	"    i = i + 2\n"
	"    if tonumber(redis.call('HGET', KEYS[3], hook) or '0') >= tonumber(ARGV[3]) then\n"
	"      redis.call('HINCRBY', KEYS[4], hook, 1)\n"
	"    else\n"
	"      redis.call('XADD', ARGV[2] .. 'hooks:lane:' .. lane, '*', 'data', data)\n"
	"      redis.call('ZADD', ARGV[2] .. 'hooks:lanes:' .. hook, 'NX', now, lane)\n"
	"      redis.call('HINCRBY', KEYS[3], hook, 1)\n"
	"    end\n"
	"  end\n"
	"  redis.call('XDEL', KEYS[2], entry)\n"
	"end\n"
	"if redis.call('XLEN', KEYS[2]) == 0 then redis.call('DEL', KEYS[2]) end\n"
	"return 1\n" };

struct redis_script script_due = { .text = LEADER NOW
	"local out, soonest = {-1}, false\n"
	"for i = 4, #ARGV, 2 do\n"
	"  local lanes = ARGV[2] .. 'hooks:lanes:' .. ARGV[i]\n"
	"  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', lanes, '-inf', now, 'LIMIT', 0, ARGV[i + 1])) do\n"
	"    local e = redis.call('XRANGE', ARGV[2] .. 'hooks:lane:' .. lane, '-', '+', 'COUNT', 1)[1]\n"
	"    if e then\n"
	"      redis.call('ZADD', lanes, now + ARGV[3], lane)\n"
	"      out[#out + 1] = {lane, e[1], now - tonumber(string.match(e[1], '^%d+')),\n"
	"        redis.call('HGET', ARGV[2] .. 'hooks:tries', lane) or '', e[2][2]}\n"
	"    else\n"
	"      redis.call('ZREM', lanes, lane)\n"
	"    end\n"
	"  end\n"
	"  local first = redis.call('ZRANGE', lanes, 0, 0, 'WITHSCORES')\n"
	"  if first[2] and (not soonest or tonumber(first[2]) < soonest) then soonest = tonumber(first[2]) end\n"
	"end\n"
	"if soonest then out[1] = math.max(0, soonest - now) end\n"
	"return out\n" };

struct redis_script script_done = { .text = LEADER NOW TAKE_OFF
	"take_off(ARGV[2], ARGV[3], ARGV[4], ARGV[5], now, KEYS[2])\n"
	"return 1\n" };

/* Of a lane that was dropped meanwhile nothing comes back. */
struct redis_script script_failed = { .text = LEADER NOW
	"local lanes = ARGV[2] .. 'hooks:lanes:' .. ARGV[3]\n"
	"if not redis.call('ZSCORE', lanes, ARGV[4]) then return 1 end\n"
	"redis.call('HSET', ARGV[2] .. 'hooks:tries', ARGV[4], ARGV[5])\n"
	"redis.call('ZADD', lanes, now + ARGV[6], ARGV[4])\n"
	"return 1\n" };

struct redis_script script_dead = { .text = LEADER NOW TAKE_OFF
	"if tonumber(ARGV[6]) > 0 then\n"
	"  redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[6], '*', 'hook', ARGV[3], 'lane', ARGV[4], 'error', ARGV[7],\n"
	"    'tries', ARGV[8], 'data', ARGV[9])\n"
	"end\n"
	"take_off(ARGV[2], ARGV[3], ARGV[4], ARGV[5], now, KEYS[2])\n"
	"return 1\n" };

struct redis_script script_wake = { .text = NOW
	"local lanes = ARGV[1] .. 'hooks:lanes:' .. ARGV[2]\n"
	"local n = 0\n"
	"for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, -1)) do\n"
	"  if redis.call('HEXISTS', ARGV[1] .. 'hooks:tries', lane) == 1 then\n"
	"    redis.call('ZADD', lanes, now, lane)\n"
	"  end\n"
	"  n = n + redis.call('XLEN', ARGV[1] .. 'hooks:lane:' .. lane)\n"
	"end\n"
	"return n\n" };

struct redis_script script_forget = { .text =
	"local lanes = ARGV[1] .. 'hooks:lanes:' .. ARGV[2]\n"
	"local n = 0\n"
	"for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, -1)) do\n"
	"  n = n + redis.call('XLEN', ARGV[1] .. 'hooks:lane:' .. lane)\n"
	"  redis.call('DEL', ARGV[1] .. 'hooks:lane:' .. lane)\n"
	"  redis.call('HDEL', ARGV[1] .. 'hooks:tries', lane)\n"
	"end\n"
	"redis.call('DEL', lanes)\n"
	"redis.call('HDEL', KEYS[1], ARGV[2])\n"
	"redis.call('HDEL', KEYS[2], ARGV[2])\n"
	"return n\n" };

struct redis_script script_revive = { .text = NOW
	"local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]\n"
	"if not e then return 0 end\n"
	"local f = {}\n"
	"for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end\n"
	"redis.call('XADD', ARGV[1] .. 'hooks:lane:' .. f.lane, '*', 'data', f.data)\n"
	"redis.call('ZADD', ARGV[1] .. 'hooks:lanes:' .. f.hook, 'NX', now, f.lane)\n"
	"redis.call('HINCRBY', KEYS[2], f.hook, 1)\n"
	"redis.call('XDEL', KEYS[1], ARGV[2])\n"
	"return 1\n" };

struct redis_script script_list = { .text =
	"local out = {tonumber(redis.call('HGET', KEYS[2], '" KEY_HOOKS_IN "') or '0')}\n"
	"for i = 2, #ARGV do\n"
	"  local lanes = ARGV[1] .. 'hooks:lanes:' .. ARGV[i]\n"
	"  local tries = ''\n"
	"  for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, 15)) do\n"
	"    if tries == '' then tries = redis.call('HGET', ARGV[1] .. 'hooks:tries', lane) or '' end\n"
	"  end\n"
	"  out[#out + 1] = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')\n"
	"  out[#out + 1] = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or '0')\n"
	"  out[#out + 1] = redis.call('ZCARD', lanes)\n"
	"  out[#out + 1] = tries\n"
	"end\n"
	"return out\n" };

struct redis_script script_register = { .text =
	"if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end\n"
	"if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return -1 end\n"
	"redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
	"return 1\n" };
