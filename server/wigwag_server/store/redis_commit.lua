-- One commit: compare the head, append to the log, write the records, tell the feed. All of it or nothing.
--
-- KEYS  1 state (hash: epoch, revision, head, at, bytes)
--       2 log (stream; the ids are the revisions)
--       3 records (hash: "kind/key" to the record as JSON)
-- ARGV  1 epoch  2 prev  3 revision  4 head  5 at  6 the commit as JSON  7 size of the log in bytes  8 channel
--       then for each change: "kind/key", and the record as JSON or "" to remove it
-- Returns {1}, {0, epoch, revision, head}, {0} when there is no such log, or {-1} when the state is not settled.

local now = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'head', 'run')
if not now[1] then
  return {0}
end
if now[4] ~= this_run() then
  return {-1}
end
if now[1] ~= ARGV[1] or now[3] ~= ARGV[2] then
  return {0, now[1], now[2], now[3]}
end

-- Whatever can fail comes before the first write or is the first write: Redis does not undo half a script.
redis.call('HLEN', KEYS[3])
redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'commit', ARGV[6])

for i = 9, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[i])
  else
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'head', ARGV[4], 'at', ARGV[5])

-- Forget the oldest entries beyond the log's size, never the one just made.
local bytes = redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[6])
while bytes > tonumber(ARGV[7]) do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not oldest or oldest[1] == ARGV[3] .. '-0' then
    break
  end
  redis.call('XDEL', KEYS[2], oldest[1])
  bytes = redis.call('HINCRBY', KEYS[1], 'bytes', -#oldest[2][2])
end

-- The whole commit, so that subscribers need not read it back.
redis.call('PUBLISH', ARGV[8], ARGV[1] .. ' ' .. ARGV[6])
return {1}
