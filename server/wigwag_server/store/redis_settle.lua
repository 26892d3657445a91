-- Settle what the state is when Redis came back (another run, or emptied), or begin the log where there is none.
--
-- KEYS  1 state  2 log  3 records  4 settling  5 offer
-- ARGV  1 how long offers are taken (ms)  2 epoch (the least) 3 head 4 at of a new log
--       and if the caller holds a state: 5 epoch  6 revision  7 head  8 at, then "kind/key" and JSON for each record
-- Returns the head.

local UP_FOR_LONG_S = 10

local function rank(epoch, revision)
  return tonumber(string.match(epoch, '^%d+')), tonumber(revision)
end

-- Whether the first state is to be preferred. A log of revision 0 holds nothing, of whatever history it is.
local function better(epoch, revision, than_epoch, than_revision)
  if not than_epoch or tonumber(than_revision) == 0 then
    return tonumber(revision) > 0 or not than_epoch
  end
  local generation, number = rank(epoch, revision)
  local than_generation, than_number = rank(than_epoch, than_revision)
  if generation ~= than_generation then
    return generation > than_generation and number > 0
  end
  return epoch == than_epoch and number > than_number
end

local refusal = too_new(KEYS[1])
if refusal then
  return refusal
end
local run = this_run()
local now = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'head', 'run', 'count')
local whole = intact(now[5], KEYS[3])
local offered = ARGV[5] ~= nil
-- A state whose records are gone is no state to prefer.
local offer_is_better = offered and better(ARGV[5], ARGV[6], whole and now[1], now[2])
if now[1] and now[4] == run and whole and not offer_is_better then
  return head_of(KEYS[1], KEYS[3], run)
end

-- The first to come opens the settling.
local now_ms = unix_ms()
local settling = redis.call('HMGET', KEYS[4], 'run', 'until', 'epoch', 'revision', 'head', 'at')
if settling[1] ~= run then
  redis.call('DEL', KEYS[4], KEYS[5])
  local until_ms = now_ms + tonumber(ARGV[1])
  if not now[1] and not offered then
    -- A Redis that has been up for long without a log is new to wigwag: a server with a state would be here by now.
    local up_s = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
    until_ms = up_s >= UP_FOR_LONG_S and now_ms or until_ms
  end
  redis.call('HSET', KEYS[4], 'run', run, 'until', until_ms)
  redis.call('HDEL', KEYS[1], 'run')
  settling = {run, until_ms, false, false, false, false}
end

if offer_is_better and better(ARGV[5], ARGV[6], settling[3], settling[4]) then
  redis.call('DEL', KEYS[5])
  for i = 9, #ARGV, 1000 do
    redis.call('HSET', KEYS[5], unpack(ARGV, i, math.min(i + 999, #ARGV)))
  end
  redis.call('HSET', KEYS[4], 'epoch', ARGV[5], 'revision', ARGV[6], 'head', ARGV[7], 'at', ARGV[8])
  settling = {run, settling[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8]}
end

if now_ms < tonumber(settling[2]) then
  return head_of(KEYS[1], KEYS[3], run)
end

-- What the log goes on from: the best offer, or what Redis itself has.
local chosen = {now[1], now[2], now[3]}
if settling[3] then
  chosen = {settling[3], settling[4], settling[5]}
  redis.call('DEL', KEYS[3])
  if redis.call('EXISTS', KEYS[5]) == 1 then
    redis.call('RENAME', KEYS[5], KEYS[3])
  end
  redis.call('HSET', KEYS[1], 'revision', settling[4], 'head', settling[5], 'at', settling[6])
end

if chosen[1] and not settling[3] and not whole and redis.call('EXISTS', KEYS[3]) == 0 then
  -- Nobody holds what is gone: this is the beginning of a log, and not a state without flags that apps would believe.
  local epoch = epoch_now(rank(chosen[1], 0) + 1, ARGV[2])
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[1], 'parent')
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'revision', '0', 'head', ARGV[3], 'at', ARGV[4], 'bytes', '0')
elseif chosen[1] then
  -- Always a new history. Somebody who was not heard may hold commits that are lost here; in the same history theirs
  -- and those to come would be two branches of it, and at the next settling the longer one would win, not the later.
  local epoch = epoch_now(math.max(rank(chosen[1], 0), now[1] and rank(now[1], 0) or 0) + 1, ARGV[2])
  local parent = chosen[1] .. ':' .. chosen[2] .. ':' .. chosen[3]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'parent', parent, 'bytes', '0')
else
  redis.call('HSET', KEYS[1], 'epoch', epoch_now(rank(ARGV[2], 0), ARGV[2]), 'revision', '0', 'head', ARGV[3], 'at', ARGV[4], 'bytes', '0')
end
redis.call('HSET', KEYS[1], 'run', run, 'format', FORMAT, 'count', redis.call('HLEN', KEYS[3]))
redis.call('DEL', KEYS[4], KEYS[5])
return head_of(KEYS[1], KEYS[3], run)
