import type { Redis } from 'ioredis'
import type { Position, SinkPosition } from '../ports.ts'
import type { CountersDiff, HashChange } from './diff-counters.ts'
import { orderText } from './read-partition.ts'
import type { StatsKeys } from './stats-keys.ts'

/*
 * The position comes last: were the script ended in its midst (a key that is no hash), the old position stands over some
 * new values, and since values are absolute the next apply from there mends them. Redis itself refuses the first write
 * or none when it has no memory left or is a replica.
 */
const SCRIPT = `
--[[ Changes a partition's counters if position and revision are still the expected ones.
     KEYS[1] position hash, KEYS[2] set of series, KEYS[3..] one hash for each change
     ARGV[1] expected position or '', ARGV[2] expected revision or '', ARGV[3..5] new position, order, revision
     ARGV[6], ARGV[7] series added and removed, ARGV[8..] one change for each of KEYS[3..]; all of these JSON
     returns {1} applied; {0, position or ''} the position is another one; {2} only what was known about the rest is old ]]
local at = redis.call('HMGET', KEYS[1], 'position', 'revision')
local position = at[1] or ''
if position ~= ARGV[1] then return {0, position} end
if (at[2] or '') ~= ARGV[2] then return {2} end
local changes = {}
for i = 3, #KEYS do
  local change = cjson.decode(ARGV[i + 5])
  if change.had and redis.call('EXISTS', KEYS[i]) == 0 then return {2} end
  changes[i] = change
end
local function inChunks(command, key, list)
  for from = 1, #list, 2000 do
    redis.call(command, key, unpack(list, from, math.min(from + 1999, #list)))
  end
end
for i = 3, #KEYS do
  local change = changes[i]
  if change.drop then
    redis.call('DEL', KEYS[i])
  else
    inChunks('HSET', KEYS[i], change.set)
    inChunks('HDEL', KEYS[i], change.remove)
    if change.expireS > 0 then redis.call('EXPIRE', KEYS[i], change.expireS) end
  end
end
inChunks('SADD', KEYS[2], cjson.decode(ARGV[6]))
inChunks('SREM', KEYS[2], cjson.decode(ARGV[7]))
redis.call('HSET', KEYS[1], 'format', '1', 'position', ARGV[3], 'order', ARGV[4], 'revision', ARGV[5])
return {1}
`

/** What an apply came to. */
export type ApplyResult =
  | { result: 'applied' }
  | { result: 'moved'; position: Position | undefined }
  | { result: 'stale' }

/** Runs the script. 'stale': the position is as expected, but what `diff` was made against is not what is stored. */
export async function applyCounters(
  redis: Redis,
  keys: StatsKeys,
  expected: { position: Position | undefined; revision: string },
  next: { at: SinkPosition; revision: string },
  diff: CountersDiff,
): Promise<ApplyResult> {
  if (!('headwaterApply' in redis)) redis.defineCommand('headwaterApply', { lua: SCRIPT })
  // ioredis knows the commands that it is taught at run time by name only.
  const { headwaterApply } = redis as unknown as { headwaterApply(...args: (string | number)[]): Promise<unknown> }
  const [code, position] = (await headwaterApply.call(
    redis,
    2 + diff.hashes.length,
    keys.pos,
    keys.series,
    ...diff.hashes.map(({ key }) => key),
    expected.position === undefined ? '' : String(expected.position),
    expected.revision,
    String(next.at.position),
    orderText(next.at.order),
    next.revision,
    JSON.stringify(diff.addedSeries),
    JSON.stringify(diff.removedSeries),
    ...diff.hashes.map(changeText),
  )) as [number, string?]
  if (code === 1) return { result: 'applied' }
  if (code === 2) return { result: 'stale' }
  return { result: 'moved', position: position === undefined || position === '' ? undefined : Number(position) }
}

function changeText({ had, drop, set, remove, expireS }: HashChange): string {
  return JSON.stringify({ had, drop, set, remove, expireS })
}
