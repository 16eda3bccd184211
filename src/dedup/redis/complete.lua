-- ARGV: claim, mark, reply, acknowledged, status, body, content type if there is one

if not known then
  begin(owner, 0, 1)
end
if entry.owner ~= owner then
  return {'lost'}
elseif entry.state ~= 'running' then
  -- A repeated operation.
  return {entry.holders == '' and 'acknowledged' or 'stored'}
end

redis.call('HSET', key, 'format', '1', 'first_seen', integer(entry.first_seen),
  'number', integer(entry.number), 'owner', owner)
redis.call('HDEL', key, 'lease', 'acknowledged')
local answer
if entry.acknowledged or ARGV[4] == '1' then
  redis.call('HSET', key, 'state', 'done', 'holders', '')
  answer = 'acknowledged'
else
  redis.call('HSET', key, 'state', 'replied', 'ends', after(ARGV[3]),
    'holders', owner .. ',', 'status', ARGV[5], 'body', ARGV[6])
  if ARGV[7] then
    redis.call('HSET', key, 'content_type', ARGV[7])
  end
  answer = 'stored'
end
redis.call('PEXPIRE', key, ARGV[2])
return {answer}
