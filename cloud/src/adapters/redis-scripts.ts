/**
 * The steps on one device's entry (see redis-entry.ts), each one script on one key, so that each is atomic also on
 * a cluster. `s` and `i` are written as they came, never from a Lua number, so that no digit is lost.
 */

/** Which of two packed contents is later; `same` decides between equal ones. */
const ORDER = `
local function later(new, old, same)
  if not old then return true end
  local nb, ns = string.match(new, '^([^:]+):([^:]+):')
  local ob, os = string.match(old, '^([^:]+):([^:]+):')
  nb, ns, ob, os = tonumber(nb), tonumber(ns), tonumber(ob), tonumber(os)
  if nb ~= ob then return nb > ob end
  return ns > os or (same and ns == os)
end
local function rest(content) return string.match(content, '^[^:]+:[^:]+:(.*)$') end
-- Takes packed values and health from ARGV[from] on; answers whether a person sees a change. A thousand at a time:
-- Lua bounds how many arguments a call may have.
local function take(from)
  local changed = false
  for first = from, #ARGV, 2000 do
    local fields, writes, known = {}, {}, {}
    for i = first, math.min(first + 1998, #ARGV), 2 do fields[#fields + 1] = ARGV[i] end
    local olds = redis.call('HMGET', KEYS[1], unpack(fields))
    for n, field in ipairs(fields) do
      local old, new = known[field] or olds[n], ARGV[first + 2 * n - 1]
      local isHealth = string.sub(field, 1, 2) == 'h:'
      if later(new, old, isHealth) then
        known[field] = new
        writes[#writes + 1] = field
        writes[#writes + 1] = new
        if not isHealth or not old or rest(old) ~= rest(new) then changed = true end
      end
    end
    if #writes > 0 then redis.call('HSET', KEYS[1], unpack(writes)) end
  end
  return changed
end
local function see(old, new)
  if new ~= '' and (not old or tonumber(new) > tonumber(old)) then
    redis.call('HSET', KEYS[1], 's', new)
    return new
  end
  return old
end
`;

/** ARGV: seen, life ms, how much last-seen may run ahead of the index, packed pairs. Answers outcome and new score. */
const APPLY = `${ORDER}
local entry = redis.call('HMGET', KEYS[1], 'p', 's', 'i')
if not entry[1] then return {'missing', false} end
local outcome = take(4) and 'changed' or 'same'
if entry[1] == 'TIMEOUT' then
  redis.call('HSET', KEYS[1], 'p', 'ONLINE')
  entry[1] = 'ONLINE'
  entry[3] = false
  outcome = 'revived'
end
local seen = see(entry[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if entry[1] ~= 'ONLINE' then return {outcome, false} end
if entry[3] and tonumber(seen) - tonumber(entry[3]) < tonumber(ARGV[3]) then return {outcome, false} end
redis.call('HSET', KEYS[1], 'i', seen)
return {outcome, seen}
`;

/** ARGV: connection, seen, life ms. */
const BIRTH = `${ORDER}
local entry = redis.call('HMGET', KEYS[1], 'p', 's')
if not entry[1] then return 0 end
redis.call('HSET', KEYS[1], 'p', 'ONLINE', 'c', ARGV[1], 'i', ARGV[2])
see(entry[2], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`;

/** ARGV: connection. Answers the score up to which the index forgets the device. */
const WILL = `
local entry = redis.call('HMGET', KEYS[1], 'p', 'c', 's')
if not entry[1] or entry[2] ~= ARGV[1] or entry[1] == 'OFFLINE' then return false end
redis.call('HSET', KEYS[1], 'p', 'OFFLINE')
redis.call('HDEL', KEYS[1], 'i')
return entry[3] or '0'
`;

/** ARGV: seen before. */
const TIME_OUT = `
local entry = redis.call('HMGET', KEYS[1], 'p', 's')
if entry[1] ~= 'ONLINE' or tonumber(entry[2] or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'p', 'TIMEOUT')
redis.call('HDEL', KEYS[1], 'i')
return 1
`;

/** ARGV: running epoch, mark under which was read, presence, connection or '', seen or '', life ms, packed pairs. Answers the score. */
const REFILL = `${ORDER}
local entry = redis.call('HMGET', KEYS[1], 'p', 's', 'e', 'm')
if entry[4] ~= ARGV[2] then return false end
if not entry[1] or entry[3] ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'p', ARGV[3])
  redis.call('HDEL', KEYS[1], 'c')
  if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'c', ARGV[4]) end
  entry[1] = ARGV[3]
end
local seen = see(entry[2], ARGV[5])
take(7)
redis.call('HSET', KEYS[1], 'e', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if entry[1] ~= 'ONLINE' then
  redis.call('HDEL', KEYS[1], 'i')
  return false
end
redis.call('HSET', KEYS[1], 'i', seen or '0')
return seen or '0'
`;

/** ARGV: the same as below. Answers the mark that the device has, so that losing the entry is noticed too. */
const STAMP = `
local mark = redis.call('HGET', KEYS[1], 'm')
if mark then return mark end
redis.call('HSET', KEYS[1], 'm', ARGV[1])
if redis.call('HEXISTS', KEYS[1], 'p') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return ARGV[1]
`;

/** ARGV: mark, ms that a mark without an entry stays. What is being read of the device is outdated. */
const DIRTY = `
redis.call('HDEL', KEYS[1], 'e')
redis.call('HSET', KEYS[1], 'm', ARGV[1])
if redis.call('HEXISTS', KEYS[1], 'p') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
`;

/** ARGV: the same. Nothing but the mark stays. */
const DROP = `
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'm', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** On the index: forgets a device, unless it was seen after ARGV[2]. ARGV: device, score. */
const FORGET = `
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
`;

/** ARGV: who asks, for how long. Answers whether the asker holds the lease. */
const LEASE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;

/** By the names under which the client knows them; each takes one key. */
export const redisScripts = {
  aresApply: { numberOfKeys: 1, lua: APPLY },
  aresBirth: { numberOfKeys: 1, lua: BIRTH },
  aresWill: { numberOfKeys: 1, lua: WILL },
  aresTimeOut: { numberOfKeys: 1, lua: TIME_OUT },
  aresRefill: { numberOfKeys: 1, lua: REFILL },
  aresStamp: { numberOfKeys: 1, lua: STAMP },
  aresDirty: { numberOfKeys: 1, lua: DIRTY },
  aresDrop: { numberOfKeys: 1, lua: DROP },
  aresForget: { numberOfKeys: 1, lua: FORGET },
  aresLease: { numberOfKeys: 1, lua: LEASE },
} as const;

type Argument = string | number;
type Call<T> = (key: string, ...args: readonly Argument[]) => Promise<T>;

/** What the client can do once it knows the scripts. */
export interface RedisScripts {
  readonly aresApply: Call<['missing' | 'changed' | 'revived' | 'same', string | null]>;
  readonly aresBirth: Call<0 | 1>;
  readonly aresWill: Call<string | null>;
  readonly aresTimeOut: Call<0 | 1>;
  readonly aresRefill: Call<string | null>;
  readonly aresStamp: Call<string>;
  readonly aresDirty: Call<null>;
  readonly aresDrop: Call<null>;
  readonly aresForget: Call<number>;
  readonly aresLease: Call<0 | 1>;
}
