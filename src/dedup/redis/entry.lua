-- The head of every script: reads the message as it is now.
--
-- One hash, with the fields
--   format        the version of this list
--   first_seen    when the message was first claimed; every time is in milliseconds of Redis' own clock
--   number        of its run
--   state         running, replied or done
--   owner         the claim that runs it, has completed it, or has ended it
--   lease         running: until when it belongs to the claim
--   acknowledged  running: 1 if WeChat has been told not to wait
--   ends          replied: until when the reply is kept
--   holders       replied, done: the claims that may give the reply to a delivery, each followed by a comma
--   status, body, content_type   replied: the reply; the last may be missing
-- The key expires with the message's mark.

local key, owner = KEYS[1], ARGV[1]
local nobody = string.rep('0', 32)

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A plain conversion would round a time to 14 digits.
local function integer(number)
  return string.format('%.0f', number)
end

-- The time that is this many milliseconds from now.
local function after(milliseconds)
  return integer(now + tonumber(milliseconds))
end

local function count(digits)
  return digits and #digits <= 16 and string.find(digits, '^%d+$') and tonumber(digits)
end

local stored = redis.call('HMGET', key,
  'format', 'first_seen', 'number', 'state', 'owner', 'lease', 'acknowledged', 'ends', 'holders')
local known = stored[1] ~= false
local entry = {
  first_seen = count(stored[2]),
  number = count(stored[3]),
  state = stored[4],
  owner = stored[5],
  lease = count(stored[6]),
  acknowledged = stored[7] == '1',
  ends = count(stored[8]),
  holders = stored[9],
}

if known then
  -- An entry of another version or another program stays as it is.
  if stored[1] ~= '1' then
    return {'foreign', 'format'}
  elseif not (entry.first_seen and entry.number and entry.owner) then
    return {'foreign', 'entry'}
  elseif not ((entry.state == 'running' and entry.lease)
      or (entry.state == 'replied' and entry.ends and entry.holders)
      or (entry.state == 'done' and entry.holders)) then
    return {'foreign', 'state'}
  end
elseif redis.call('EXISTS', key) == 1 then
  return {'foreign', 'format'}
end

-- Drops the reply. Its holders still have it.
local function done()
  entry.state = 'done'
  redis.call('HSET', key, 'state', 'done')
  redis.call('HDEL', key, 'ends', 'status', 'body', 'content_type')
end

if entry.state == 'replied' and entry.ends <= now then
  done()
end

-- Gives a message that Redis does not know to the claim `by`, with a lease that is over.
local function begin(by, age, number)
  entry = {
    first_seen = now - age, number = number, state = 'running', owner = by, lease = now,
    acknowledged = false,
  }
end

-- Gives the message to the claim from now on.
local function run(lease)
  redis.call('HSET', key, 'format', '1', 'first_seen', integer(entry.first_seen),
    'number', integer(entry.number), 'state', 'running', 'owner', owner, 'lease', after(lease))
  redis.call('PEXPIRE', key, ARGV[2])
end

-- How long the message has been known. Redis' clock may have been set back.
local function age()
  return math.max(now - entry.first_seen, 0)
end

-- Returns the reply, which the claim holds now.
local function hold()
  local reply = redis.call('HMGET', key, 'status', 'body', 'content_type')
  if not (reply[1] and reply[2]) then
    return {'foreign', 'reply'}
  end
  if not string.find(entry.holders, owner .. ',', 1, true) then
    redis.call('HSET', key, 'holders', entry.holders .. owner .. ',')
  end
  return {'replied', age(), reply[1], reply[2], reply[3]}
end

