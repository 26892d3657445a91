-- One commit: compare the head, append to the log, write the records, tell the feed. All of it or nothing.
--
-- KEYS  1 state (hash: epoch, revision, head, at, bytes, run, count: how many records there are)
--       2 log (stream; the ids are the revisions)
--       3 records (hash: "kind/key" to the record as JSON)
--       4 audit (stream; the ids are the sequence)  5 chain (hash: sequence, link, bytes)
--       then for each change: the sorted set of the audit entries that touched this record
-- ARGV  1 epoch  2 prev  3 revision  4 head  5 at  6 the commit as JSON  7 size of the log in bytes  8 channel
--       9 the audit entry or ""  10 its SHA-256  11 size of the audit log in bytes
--       then for each change: "kind/key", and the record as JSON or "" to remove it
-- Returns {1}, {0, epoch, revision, head}, {0} when there is no such log, or {-1} when the state is not settled.

local refusal = too_new(KEYS[1])
if refusal then
  return refusal
end
local now = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'head', 'run', 'count')
if not now[1] then
  return {0}
end
if now[4] ~= this_run() or not intact(now[5], KEYS[3]) then
  return {-1}
end
if now[1] ~= ARGV[1] or now[3] ~= ARGV[2] then
  return {0, now[1], now[2], now[3]}
end

-- Whatever can fail comes before the first write or is the first write: Redis does not undo half a script.
redis.call('HLEN', KEYS[3])
redis.call('XLEN', KEYS[4])
redis.call('HLEN', KEYS[5])
redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'commit', ARGV[6])

for i = 12, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[i])
  else
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'head', ARGV[4], 'at', ARGV[5], 'count', redis.call('HLEN', KEYS[3]))

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

if ARGV[9] ~= '' then
  local chain = redis.call('HMGET', KEYS[5], 'sequence', 'link')
  local sequence = (tonumber(chain[1]) or 0) + 1
  local link = redis.sha1hex((chain[2] or string.rep('0', 40)) .. ARGV[10])
  local id = string.format('%.0f-0', sequence)
  redis.call('XADD', KEYS[4], id, 'link', link, 'data', ARGV[9])
  redis.call('HSET', KEYS[5], 'sequence', string.format('%.0f', sequence), 'link', link)
  for i = 6, #KEYS do
    redis.pcall('ZADD', KEYS[i], sequence, id)
  end
  local size = redis.call('HINCRBY', KEYS[5], 'bytes', #ARGV[9])
  while size > tonumber(ARGV[11]) do
    local oldest = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1]
    if not oldest or oldest[1] == id then
      break
    end
    redis.call('XDEL', KEYS[4], oldest[1])
    size = redis.call('HINCRBY', KEYS[5], 'bytes', -#oldest[2][4])
  end
  -- What the log has forgotten need not be found by record either.
  local first = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1][1]
  for i = 6, #KEYS do
    redis.pcall('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. string.match(first, '^%d+'))
  end
end

-- The whole commit, so that subscribers need not read it back.
redis.call('PUBLISH', ARGV[8], ARGV[1] .. ' ' .. ARGV[6])
return {1}
