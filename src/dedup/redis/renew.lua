-- ARGV: claim, lease, mark, number

if not known then
  begin(owner, tonumber(ARGV[4]))
end
if entry.state ~= 'running' or entry.owner ~= owner then
  return {'lost'}
end
run(ARGV[2], ARGV[3])
return {'yours'}
