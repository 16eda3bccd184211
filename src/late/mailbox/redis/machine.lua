-- One operation on one conversation: ../machine.rs with Redis' clock and Redis' memory.
--
-- KEYS: the conversation. ARGV: the operation, the limits, then the operation's own arguments. All times are in
-- milliseconds.
--
-- The conversation is one hash, which expires with its last content:
--   format  the version of this list
--   open    there if there are slots
--   slots   a line for each, in the order of their places
--   gone    a line for each, the one that went first in front
--   closed  missing, or: questions asked until the first time are closed, until the second
--   <message>:<number>  a part

local key = KEYS[1]
local operation = ARGV[1]
local limits = {
  awaited_lease = tonumber(ARGV[2]),
  taken_lease = tonumber(ARGV[3]),
  keep = tonumber(ARGV[4]),
  mark = tonumber(ARGV[5]),
  answers = tonumber(ARGV[6]),
  bytes = tonumber(ARGV[7]),
}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local slot_pattern = '^(%x+) (%d+) (%d+) (%l+) (%x+) (%x+) (%d+) (%d+) (%d+) (%d+)$'
local slot_format = '%s %.0f %.0f %s %s %s %.0f %.0f %.0f %.0f'
-- Of a slot that has none.
local nobody = '0'

local stored = redis.call('HMGET', key, 'format', 'slots', 'gone', 'closed')
local known = stored[1] == '1'
local slots, gone, closed, intact = {}, {}, nil, true
-- The names of parts that are kept no more.
local dropped = {}
local has_expired = false

-- Drops a slot's parts. Returns how many.
local function drop(slot)
  for number = slot.number, slot.number + slot.count - 1 do
    table.insert(dropped, slot.message .. ':' .. number)
  end
  return slot.count
end

for line in string.gmatch(stored[2] or '', '[^\n]+') do
  local message, asked, ends, state, owner, by, lease, number, count, bytes = string.match(line, slot_pattern)
  if not message then
    intact = false
    break
  end
  local slot = {
    message = message, asked = tonumber(asked), ends = tonumber(ends),
    -- awaited, ready or taken
    state = state, owner = owner, by = by, lease = tonumber(lease),
    -- The first part's number, how many there are, and their size.
    number = tonumber(number), count = tonumber(count), bytes = tonumber(bytes),
  }
  if now < slot.ends then
    table.insert(slots, slot)
  else
    drop(slot)
    has_expired = true
  end
end
for line in string.gmatch(stored[3] or '', '[^\n]+') do
  local message, ends, given_up = string.match(line, '^(%x+) (%d+) ([01])$')
  if not message then
    intact = false
    break
  end
  if now < tonumber(ends) then
    table.insert(gone, {message = message, ends = tonumber(ends), given_up = given_up})
  else
    has_expired = true
  end
end
if stored[4] then
  local asked, ends = string.match(stored[4], '^(%d+) (%d+)$')
  intact = intact and asked
  if intact and now < tonumber(ends) then
    closed = {asked = tonumber(asked), ends = tonumber(ends)}
  else
    has_expired = true
  end
end

-- An entry of another version or another program stays as it is.
if known and not (intact and stored[2] and stored[3]) or not known and redis.call('EXISTS', key) == 1 then
  return 'foreign'
end

local function free()
  for _, part in ipairs(dropped) do
    redis.call('HDEL', key, part)
  end
  dropped = {}
end

local function write()
  while #gone > 2 * limits.answers do
    table.remove(gone, 1)
  end
  local ends, slot_lines, gone_lines = 0, {}, {}
  for _, slot in ipairs(slots) do
    ends = math.max(ends, slot.ends)
    table.insert(slot_lines, string.format(slot_format, slot.message, slot.asked, slot.ends, slot.state,
      slot.owner, slot.by, slot.lease, slot.number, slot.count, slot.bytes))
  end
  for _, one in ipairs(gone) do
    ends = math.max(ends, one.ends)
    table.insert(gone_lines, string.format('%s %.0f %s', one.message, one.ends, one.given_up))
  end
  if closed then
    ends = math.max(ends, closed.ends)
  end
  if ends == 0 then
    redis.call('DEL', key)
    return
  end
  redis.call('HSET', key, 'format', '1', 'slots', table.concat(slot_lines, '\n'), 'gone', table.concat(gone_lines, '\n'))
  if #slots > 0 then
    redis.call('HSET', key, 'open', '1')
  else
    redis.call('HDEL', key, 'open')
  end
  if closed then
    redis.call('HSET', key, 'closed', string.format('%.0f %.0f', closed.asked, closed.ends))
  else
    redis.call('HDEL', key, 'closed')
  end
  -- Not before: after a command that frees memory, Redis without memory carries out all the rest.
  free()
  redis.call('PEXPIRE', key, string.format('%.0f', ends - now))
end

local function find(list, message)
  for at, one in ipairs(list) do
    if one.message == message then
      return one, at
    end
  end
end

local function before(age)
  return math.max(now - tonumber(age), 0)
end

local function is_closed(asked)
  return closed and asked <= closed.asked
end

-- Whether the place of a question is before another one's.
local function is_before(asked, message, other_asked, other_message)
  return asked < other_asked or asked == other_asked and message < other_message
end

local function await(slot, owner)
  slot.state, slot.owner, slot.lease = 'awaited', owner, now + limits.awaited_lease
  slot.ends = math.max(slot.lease, now + limits.keep)
end

local function finish(slot, given_up)
  local _, at = find(slots, slot.message)
  table.remove(slots, at)
  table.insert(gone, {message = slot.message, ends = now + limits.mark, given_up = given_up})
end

-- Counts the slots for which this is true, and the bytes of their parts.
local function count(is_counted)
  local number, bytes = 0, 0
  for _, slot in ipairs(slots) do
    if is_counted(slot) then
      number, bytes = number + 1, bytes + slot.bytes
    end
  end
  return number, bytes
end

local function first(is_wanted)
  for _, slot in ipairs(slots) do
    if is_wanted(slot) then
      return slot
    end
  end
end

local function open(message, asked, owner)
  local awaited = first(function(slot) return slot.state == 'awaited' end)
  if #slots >= 2 * limits.answers and awaited then
    finish(awaited, '1')
  end
  local slot = {message = message, asked = asked, by = nobody, number = 0, count = 0, bytes = 0}
  await(slot, owner)
  local at = 1
  while slots[at] and is_before(slots[at].asked, slots[at].message, asked, message) do
    at = at + 1
  end
  table.insert(slots, at, slot)
  return slot
end

local operations = {}

function operations.expect(message, age, owner)
  local slot = find(slots, message)
  if slot then
    if slot.state ~= 'awaited' then
      return 'answered'
    elseif slot.owner ~= owner and now < slot.lease then
      return 'awaited'
    end
    await(slot, owner)
  elseif find(gone, message) then
    return 'answered'
  elseif is_closed(before(age)) then
    return 'closed'
  else
    open(message, before(age), owner)
  end
  return 'yours', true
end

function operations.renew(message, owner)
  local slot = find(slots, message)
  if not slot or slot.state ~= 'awaited' or slot.owner ~= owner then
    return 'no'
  end
  await(slot, owner)
  return 'yes', true
end

function operations.put(message, age)
  local slot, one = find(slots, message), find(gone, message)
  if slot and slot.state ~= 'awaited' or one and one.given_up == '0' then
    return {'kept', 0}
  elseif one then
    return {'given up', 0}
  elseif not slot and is_closed(before(age)) then
    return {'closed', 0}
  end
  local parts, size = #ARGV - 9, 0
  for at = 10, #ARGV do
    size = size + #ARGV[at] + 64
  end
  local taken, bytes = count(function(other) return other.state == 'taken' end)
  if taken >= limits.answers or bytes + size > limits.bytes then
    return {'no room', 0}
  end
  -- An answer of the same question may have expired, and its parts have the same names.
  free()
  for number = 0, parts - 1 do
    redis.call('HSET', key, message .. ':' .. number, ARGV[10 + number])
  end
  slot = slot or open(message, before(age), nobody)
  if parts == 0 then
    finish(slot, '0')
  else
    slot.state, slot.ends, slot.count, slot.bytes = 'ready', now + limits.keep, parts, size
    slot.owner, slot.lease = nobody, 0
  end
  local lost = 0
  while true do
    local answers, all = count(function(other) return other.state ~= 'awaited' end)
    local earliest = first(function(other) return other ~= slot and other.state == 'ready' end)
    if answers <= limits.answers and all <= limits.bytes or not earliest then
      return {'kept', lost}, true
    end
    lost = lost + drop(earliest)
    finish(earliest, '0')
  end
end

function operations.close(message, owner)
  local slot, at = find(slots, message)
  if not slot or slot.state ~= 'awaited' or slot.owner ~= owner then
    return 'done'
  end
  table.remove(slots, at)
  return 'done', true
end

function operations.take(by, age, owner, opens_slot)
  local asked = before(age)
  local own = find(slots, by)
  local slot = first(function(other) return other.state == 'taken' and other.by == by end)
  if not slot then
    slot = slots[1]
    local place = own or {asked = asked, message = by}
    if not slot or not is_before(slot.asked, slot.message, place.asked, place.message) then
      return {'nothing', '', 0, ''}
    end
  end
  local answer, changed = {'wait', '', 0, ''}, false
  if slot.state == 'awaited' then
    if slot.owner == owner or slot.lease <= now then
      await(slot, owner)
      answer, changed = {'lapsed', slot.message, math.max(now - slot.asked, 0), ''}, true
    end
  elseif slot.state == 'ready' or slot.by == by or slot.lease <= now then
    local part = redis.call('HGET', key, slot.message .. ':' .. slot.number)
    if not part then
      return 'foreign'
    end
    slot.state, slot.by, slot.owner, slot.lease = 'taken', by, owner, now + limits.taken_lease
    slot.ends = math.max(slot.ends, slot.lease)
    answer, changed = {'part', slot.message, slot.number, part}, true
  end
  if opens_slot == '1' and not own and not find(gone, by) and not is_closed(asked) then
    open(by, asked, owner)
    changed = true
  end
  return answer, changed
end

function operations.settle(by, question, number)
  local slot = find(slots, question)
  if not slot or slot.state == 'awaited' then
    return 'yes'
  elseif slot.state ~= 'taken' or slot.by ~= by or slot.number ~= tonumber(number) then
    return tonumber(number) < slot.number and 'yes' or 'no'
  end
  local name = question .. ':' .. number
  slot.bytes = slot.bytes - redis.call('HSTRLEN', key, name) - 64
  slot.number, slot.count = slot.number + 1, slot.count - 1
  slot.state, slot.owner, slot.by, slot.lease = 'ready', nobody, nobody, 0
  table.insert(dropped, name)
  if slot.count == 0 then
    finish(slot, '0')
  end
  -- First: what has been shown goes even when there is no memory.
  free()
  return 'yes', true
end

function operations.give_back(by, owner)
  local slot = first(function(other) return other.state == 'taken' and other.by == by and other.owner == owner end)
  if not slot then
    return 'done'
  end
  slot.state, slot.owner, slot.by, slot.lease = 'ready', nobody, nobody, 0
  return 'done', true
end

function operations.clear(age)
  local asked, kept, parts = before(age), {}, 0
  asked = closed and math.max(closed.asked, asked) or asked
  closed = {asked = asked, ends = now + limits.mark}
  for _, slot in ipairs(slots) do
    if asked < slot.asked then
      table.insert(kept, slot)
    else
      parts = parts + drop(slot)
    end
  end
  slots = kept
  -- First, likewise.
  free()
  return parts, true
end

local answer, has_changed = operations[operation](unpack(ARGV, 8, 11))
if answer ~= 'foreign' and (has_changed or has_expired) then
  write()
end
return answer
