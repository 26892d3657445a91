-- Begin a new history with the state as it is, unless the log has moved on.
--
-- KEYS  1 state  2 log  3 records      ARGV  1 epoch and 2 head that the log must be at  3 the least epoch to begin  4 the cursor it replaces

local refusal = too_new(KEYS[1])
if refusal then
  return refusal
end
local now = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if now[1] == ARGV[1] and now[2] == ARGV[2] then
  redis.call('DEL', KEYS[2])
  local epoch = epoch_now(tonumber(string.match(ARGV[3], '^%d+')), ARGV[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'parent', ARGV[4], 'bytes', '0')
end
return head_of(KEYS[1], KEYS[3], this_run())
