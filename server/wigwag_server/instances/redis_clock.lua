-- Put before each of the other scripts.

-- Microseconds by the one clock that all servers share. They fit into a double.
local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function whole(number)
  return string.format('%.0f', number)
end
