-- One operation on one message: ../machine.rs with Redis' clock and Redis' memory.
--
-- KEYS: the message. ARGV: the operation, the claim, the times of its mark and of its lease, its fingerprint or nothing, then
-- the operation's own arguments. All times are in milliseconds.
--
-- The message is one hash, which expires with the mark:
--   format        the version of this list
--   first_seen    when the message was first claimed; every time is by Redis' own clock
--   number        of its run
--   fingerprint   of the claim that it began with; empty or missing if that had none
--   state         running, replied, late or done
--   owner         the claim that runs it, has completed it, hands it over, or has ended it
--   lease         running, late: until when it belongs to the claim
--   acknowledged  running: 1 if WeChat has been told not to wait
--   ends          replied: until when the reply is kept
--   holders       replied, done: the claims that may give the reply to a delivery, each followed by a comma
--   status, body, content_type, attachment   replied, late: the reply; the last two may be missing

local key = KEYS[1]
local operation, claim, mark, lease, fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

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
  'format', 'first_seen', 'number', 'state', 'owner', 'lease', 'acknowledged', 'ends', 'holders',
  'fingerprint')
local known = stored[1] == '1'
local entry = {
  first_seen = count(stored[2]),
  number = count(stored[3]),
  state = stored[4],
  owner = stored[5],
  lease = count(stored[6]),
  acknowledged = stored[7] == '1',
  ends = count(stored[8]),
  holders = stored[9],
  fingerprint = stored[10] or '',
}
local intact = entry.first_seen and entry.number and entry.owner
  and (((entry.state == 'running' or entry.state == 'late') and entry.lease)
    or (entry.state == 'replied' and entry.ends and entry.holders)
    or (entry.state == 'done' and entry.holders))

-- An entry of another version or another program stays as it is.
if known and not intact or not known and redis.call('EXISTS', key) == 1 then
  return 'foreign'
end

-- The fields that a message does not have in a state.
local absent = {
  replied = {'lease', 'acknowledged'},
  late = {'acknowledged', 'ends', 'holders'},
  done = {'lease', 'acknowledged', 'ends', 'status', 'body', 'content_type', 'attachment'},
}

-- The time of the reply is over. Its holders still have it.
if entry.state == 'replied' and entry.ends <= now then
  entry.state = 'done'
  redis.call('HSET', key, 'state', 'done')
  redis.call('HDEL', key, unpack(absent.done))
end

-- Makes a vacant message the claim's. Its lease is over.
local function begin(by, age, number)
  if not known then
    entry = {first_seen = now - age, number = number, state = 'running', owner = by, lease = now,
      fingerprint = fingerprint}
  end
end

-- Writes that the claim has the message, in this state. A mark of no time deletes it, so no field is set after this.
-- Nor is one deleted before: after a command that frees memory, Redis without memory carries out all the rest.
local function write(state, ...)
  redis.call('HSET', key, 'format', '1', 'first_seen', integer(entry.first_seen),
    'number', integer(entry.number), 'fingerprint', entry.fingerprint, 'owner', claim, 'state', state, ...)
  redis.call('PEXPIRE', key, mark)
  if absent[state] then
    redis.call('HDEL', key, unpack(absent[state]))
  end
end

-- How long the message has been known. Redis' clock may have been set back.
local function age()
  return math.max(now - entry.first_seen, 0)
end

-- Returns the reply. An entry without one is another program's.
local function read_reply()
  local reply = redis.call('HMGET', key, 'status', 'body', 'content_type', 'attachment')
  return reply[1] and reply[2] and reply
end

-- Returns the reply, which the claim holds now.
local function hold()
  local reply = read_reply()
  if reply and not string.find(entry.holders, claim .. ',', 1, true) then
    redis.call('HSET', key, 'holders', entry.holders .. claim .. ',')
  end
  return reply
end

-- Whether the message is on another claim's lease, if it is running or late.
local function is_elsewhere()
  return entry.owner ~= claim and now < entry.lease
end

local operations = {}

function operations.claim()
  begin(string.rep('0', 32), 0, 0)
  if entry.state == 'replied' then
    return {'replied', age(), 0, hold(), entry.fingerprint}
  elseif entry.state == 'done' then
    return {'done', 0, 0, false, entry.fingerprint}
  elseif is_elsewhere() then
    return {entry.state, age(), entry.lease - now, false, entry.fingerprint}
  elseif entry.state == 'late' then
    local reply = read_reply()
    if reply then
      write('late', 'lease', after(lease))
    end
    return {'taken over', 0, 0, reply, entry.fingerprint}
  elseif entry.owner ~= claim then
    entry.number = math.min(entry.number + 1, 4294967295)
  end
  write('running', 'lease', after(lease))
  return {'won', age(), entry.number, false, entry.fingerprint}
end

function operations.renew(its_age, number)
  begin(claim, tonumber(its_age), tonumber(number))
  if entry.owner ~= claim or entry.state == 'replied' or entry.state == 'done' then
    return 'lost'
  end
  -- The claim may have been carried out late.
  entry.first_seen = math.min(entry.first_seen, now - tonumber(its_age))
  write(entry.state, 'lease', after(lease))
  return 'yours'
end

-- Ends in this state, or late if it has been acknowledged. The attachment may be empty, the type missing.
function operations.complete(state, ttl, status, body, attachment, content_type)
  begin(claim, 0, 1)
  if entry.state == 'replied' or entry.state == 'done' then
    if state == 'replied' or entry.holders ~= claim .. ',' then
      -- A repeated operation, or another claim's message.
      local answer = entry.holders == '' and 'acknowledged' or 'stored'
      return entry.owner == claim and answer or 'lost'
    end
  elseif entry.owner ~= claim then
    return 'lost'
  elseif state == 'replied' and (entry.state == 'late' or entry.acknowledged) then
    state = 'late'
  end
  local reply = {'status', status, 'body', body, 'attachment', attachment}
  if content_type then
    reply[7], reply[8] = 'content_type', content_type
  end
  if state == 'replied' then
    write(state, 'ends', after(ttl), 'holders', claim .. ',', unpack(reply))
    return 'stored'
  elseif state == 'late' then
    write(state, 'lease', after(lease), unpack(reply))
    if not content_type then
      redis.call('HDEL', key, 'content_type')
    end
  else
    write(state, 'holders', '')
  end
  return 'acknowledged'
end

function operations.acknowledge()
  if entry.state == 'replied' then
    return hold() or 'foreign'
  elseif entry.state == 'running' then
    redis.call('HSET', key, 'acknowledged', '1')
  end
  return false
end

function operations.release()
  if not known then
    return 'unclaimed'
  elseif entry.state == 'running' and entry.owner == claim then
    write('running', 'lease', integer(entry.first_seen))
    return 'not completed'
  elseif entry.state == 'running' then
    -- With its lease over, nobody runs it: another claim has lost it.
    return is_elsewhere() and 'running elsewhere' or 'unclaimed'
  elseif entry.state == 'late' or entry.holders == '' then
    -- The first is a repeated operation.
    return entry.owner == claim and 'last' or 'sent elsewhere'
  elseif entry.holders ~= claim .. ',' then
    local start, stop = string.find(entry.holders, claim .. ',', 1, true)
    if start then
      local others = string.sub(entry.holders, 1, start - 1) .. string.sub(entry.holders, stop + 1)
      redis.call('HSET', key, 'holders', others)
    end
    return 'held elsewhere'
  elseif entry.state == 'replied' then
    write('late', 'lease', after(lease))
  else
    write('done', 'holders', '')
  end
  return 'last'
end

return operations[operation](unpack(ARGV, 6))
