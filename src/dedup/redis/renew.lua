-- ARGV: claim, mark, lease, age, number

if not known then
  begin(owner, tonumber(ARGV[4]), tonumber(ARGV[5]))
end
if entry.state ~= 'running' or entry.owner ~= owner then
  return {'lost'}
end
run(ARGV[3])
return {'yours'}
