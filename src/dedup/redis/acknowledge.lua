-- ARGV: claim

if known and entry.state == 'replied' then
  return hold()
elseif known and entry.state == 'running' then
  redis.call('HSET', key, 'acknowledged', '1')
end
return {'recorded'}
