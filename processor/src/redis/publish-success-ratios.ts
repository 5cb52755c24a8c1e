import { setTimeout as pause } from 'node:timers/promises'
import { type Scenario, type ScenarioTotals, zoneClock } from '@headwater/core'
import type { Logger } from 'pino'
import { isRetryable } from '../drive-consumer.ts'
import type { ScenarioStore } from '../ports.ts'
import type { RedisStatsReader } from '../stores/redis-stats-reader.ts'
import type { RedisConnection } from './connect-redis.ts'

/*
 * One string for each scenario in force, for whoever reads what the original wrote (no EXPIRE):
 *
 *   <prefix>scenario:5:success_ratio
 *   {"success_ratio":0.85,"total_count":100,"success_count":85,"updated_at":"2025-06-18 12:50:10"}
 *
 * The totals of the present judging version, since its first event: the original overwrote them with those of the last five
 * seconds. The ratio has at most four places and is 0 when nothing was counted; `updated_at` is the scenario's wall clock when
 * the counts last changed.
 */
interface SuccessRatio {
  success_ratio: number
  total_count: number
  success_count: number
  updated_at: string
}

export interface PublishSuccessRatiosOptions {
  redis: RedisConnection
  reader: Pick<RedisStatsReader, 'counters'>
  scenarios: Pick<ScenarioStore, 'list' | 'removedIds'>
  /** The zone of scenarios and sites that name none. */
  timezone: string
  siteTimezone?: (siteId: number) => string | undefined
  /** Whether this process is the one to write: the owner of partition 0. Two at once do no harm, they write the same. */
  isOwner: () => boolean
  keyPrefix?: string
  /** Default 5 000. */
  everyMs?: number
  log: Logger
}

/**
 * Keeps the original's keys up to date while `isOwner` says so, until `stop` aborts. Never rejects for a store that is away:
 * the next round tries again.
 */
export async function publishSuccessRatios(options: PublishSuccessRatiosOptions, stop: AbortSignal): Promise<void> {
  const { isOwner, everyMs = 5_000, log } = options
  let failing = false
  while (!stop.aborted) {
    try {
      if (isOwner()) await publishOnce(options, Date.now())
      if (failing) log.info('Success ratios are published again')
      failing = false
    } catch (error) {
      if (!isRetryable(error)) throw error
      if (!failing) log.warn({ err: error }, 'Success ratios cannot be published now')
      failing = true
    }
    await pause(everyMs, undefined, { signal: stop }).catch(() => {})
  }
}

/** One round: writes the keys whose counts are not those that are stored, and removes those of deleted scenarios. */
export async function publishOnce(options: PublishSuccessRatiosOptions, now: number): Promise<void> {
  const { redis: connection, keyPrefix = '' } = options
  const [scenarios, removed, counters] = await Promise.all([
    options.scenarios.list(),
    options.scenarios.removedIds(),
    options.reader.counters({ resolutions: [] }),
  ])
  const totals = new Map(counters.read().map(row => [`${row.scenario_id} ${row.judging_version}`, row]))
  const keyOf = (scenarioId: number): string => `${keyPrefix}scenario:${scenarioId}:success_ratio`
  await connection.run(async redis => {
    const gone = [...removed].map(keyOf)
    if (gone.length > 0) await redis.del(...gone)
    if (scenarios.length === 0) return
    const stored = await redis.mget(scenarios.map(({ scenario_id }) => keyOf(scenario_id)))
    const changed = scenarios.flatMap((scenario, i): string[] => {
      const ratio = ratioOf(totals.get(`${scenario.scenario_id} ${scenario.judging_version}`))
      if (sameCounts(stored[i] ?? null, ratio)) return []
      const updated_at = wallClock(zoneOf(scenario, options), now)
      return [keyOf(scenario.scenario_id), JSON.stringify({ ...ratio, updated_at } satisfies SuccessRatio)]
    })
    if (changed.length > 0) await redis.mset(...changed)
  })
}

function ratioOf(row: ScenarioTotals | undefined): Omit<SuccessRatio, 'updated_at'> {
  const { total_count = 0, success_count = 0 } = row ?? {}
  const success_ratio = total_count === 0 ? 0 : Math.round((success_count / total_count) * 10_000) / 10_000
  return { success_ratio, total_count, success_count }
}

function sameCounts(stored: string | null, ratio: Omit<SuccessRatio, 'updated_at'>): boolean {
  if (stored === null) return false
  try {
    const was = JSON.parse(stored) as Partial<SuccessRatio> | null
    return was?.total_count === ratio.total_count && was.success_count === ratio.success_count
  } catch {
    return false
  }
}

function zoneOf(
  scenario: Scenario,
  { timezone, siteTimezone }: Pick<PublishSuccessRatiosOptions, 'timezone' | 'siteTimezone'>,
): string {
  const site = scenario.site_id === null ? undefined : siteTimezone?.(scenario.site_id)
  return scenario.timezone ?? site ?? timezone
}

/** `2025-06-18 12:50:10`. */
function wallClock(timezone: string, now: number): string {
  const local = new Date(now + zoneClock(timezone).offsetMs(now))
  return local.toISOString().slice(0, 19).replace('T', ' ')
}
