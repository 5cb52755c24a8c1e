import { parseScenario, type Scenario } from '@headwater/core'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { ScenarioStore } from '../ports.ts'
import type { RedisConnection } from '../redis/connect-redis.ts'

/*
 * <prefix>scenario:5:data         string, EXPIRE 600 s: the definition as in a scenario file, with its versions
 *                                 null, EXPIRE 60 s: there is no such scenario
 * <prefix>hw:changed:scenarios    channel: the id of a scenario that was saved or removed
 */

export interface CachedScenarioStoreOptions {
  /** Where scenarios are kept. */
  store: ScenarioStore
  redis: RedisConnection
  keyPrefix?: string
  /** How long a scenario is believed, s. Default 600. */
  redisTtlS?: number
  /** How long it is believed that there is none, s. Default 60. */
  negativeTtlS?: number
  log: Logger
}

/** KEYS[1] scenario:<id>:data, ARGV[1] definition, ARGV[2] its version, ARGV[3] seconds. Of two saves the later one stays. */
const SET_IF_NEWER = `
local stored = redis.call('GET', KEYS[1])
if stored then
  local ok, scenario = pcall(cjson.decode, stored)
  if ok and type(scenario) == 'table' and (tonumber(scenario.version) or 0) >= tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
`

/**
 * A `ScenarioStore` whose changes other processes hear of at once, and whose `get` answers from Redis.
 *
 * What holds: `list`, `removedIds`, `save` and `remove` ask the store itself. `get` is as the store had it at most `redisTtlS`
 * ago, and at once as saved or removed through a cached store; a change by SQL is seen by `list` and `watch` at once, by `get`
 * when the entry is too old. Redis is optional: while it is away `get` asks the store, and `watch` hears of changes when the store's
 * own look finds them.
 */
export function cachedScenarioStore(options: CachedScenarioStoreOptions): ScenarioStore {
  const { store, redis: connection, keyPrefix = '', redisTtlS = 600, negativeTtlS = 60, log } = options
  const channel = `${keyPrefix}hw:changed:scenarios`
  const keyOf = (scenarioId: number): string => `${keyPrefix}scenario:${scenarioId}:data`
  let isAway = false

  /** Does without Redis when it does not answer. */
  async function optional<T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> {
    if (!connection.isReady) return undefined
    try {
      const result = await connection.run(work)
      isAway = false
      return result
    } catch (error) {
      if (!isAway) log.warn({ err: error }, 'Redis does not cache scenarios now: the scenario store is asked')
      isAway = true
      return undefined
    }
  }

  return {
    list: () => store.list(),
    faults: () => store.faults(),
    removedIds: () => store.removedIds(),

    async get(scenarioId: number): Promise<Scenario | undefined> {
      const cached = readScenario(await optional(redis => redis.get(keyOf(scenarioId))))
      if (cached !== undefined) return cached ?? undefined
      const scenario = await store.get(scenarioId)
      const [value, ttl] = scenario === undefined ? ['null', negativeTtlS] : [JSON.stringify(scenario), redisTtlS]
      // NX: what a save has put there meanwhile is newer than what was read.
      await optional(redis => redis.set(keyOf(scenarioId), value, 'EX', ttl, 'NX'))
      return scenario
    },

    async save(scenario: Scenario): Promise<Scenario> {
      const stored = await store.save(scenario)
      const { scenario_id, version } = stored
      await optional(async redis => {
        await redis.eval(SET_IF_NEWER, 1, keyOf(scenario_id), JSON.stringify(stored), version, redisTtlS)
        await redis.publish(channel, String(scenario_id))
      })
      return stored
    },

    async remove(scenarioId: number): Promise<void> {
      await store.remove(scenarioId)
      await optional(async redis => {
        await redis.set(keyOf(scenarioId), 'null', 'EX', negativeTtlS)
        await redis.publish(channel, String(scenarioId))
      })
    },

    watch(changed: () => void, stop: AbortSignal): void {
      store.watch(changed, stop)
      connection.subscribe(channel, () => changed(), stop)
    },
  }
}

/** `null`: there is none. `undefined`: nothing there that we would have written. */
function readScenario(text: string | null | undefined): Scenario | null | undefined {
  if (text === null || text === undefined) return undefined
  if (text === 'null') return null
  try {
    const parsed = parseScenario(JSON.parse(text))
    return parsed.ok ? parsed.scenario : undefined
  } catch {
    return undefined
  }
}
