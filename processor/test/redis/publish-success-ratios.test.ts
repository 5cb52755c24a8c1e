import { Counters, type Scenario } from '@headwater/core'
import { serviceOrSkip } from '@headwater/testkit'
import { describe, expect, it } from 'vitest'
import { publishOnce, publishSuccessRatios } from '../../src/redis/publish-success-ratios.ts'
import { redisStatsReader } from '../../src/stores/redis-stats-reader.ts'
import { redisStatsStore } from '../../src/stores/redis-stats-store.ts'
import { newScenario } from '../contracts/scenario-store.ts'
import { RedisFixture, redisIsThere, silent } from './redis-fixture.ts'

/** 2025-06-18 03:50:10 UTC, 12:50:10 in Seoul. */
const NOW = Date.UTC(2025, 5, 18, 3, 50, 10)

describe.skipIf(!serviceOrSkip('redis-server', redisIsThere))('publishSuccessRatios', { timeout: 90_000 }, () => {
  const fixture = new RedisFixture()

  function publisher(scenarios: Scenario[], removed: number[] = []) {
    const keyPrefix = fixture.prefix()
    const redis = fixture.connect()
    const store = redisStatsStore({ redis, keyPrefix })
    let position: number | undefined
    const options = {
      redis,
      keyPrefix,
      reader: redisStatsReader({ redis, keyPrefix }),
      scenarios: { list: async () => scenarios, removedIds: async () => new Set(removed) },
      timezone: 'UTC',
      siteTimezone: (siteId: number) => (siteId === 7 ? 'America/New_York' : undefined),
      isOwner: () => true,
      log: silent,
    }
    return {
      options,
      redis,
      counted: async (partition: number, judgingVersion: number, total: number, success: number) => {
        const counters = new Counters()
        for (let i = 0; i < total; i++)
          counters.add({ scenarioId: 5, judgingVersion, success: i < success ? 1 : 0, date: NOW })
        await store.apply(partition, position, { position: total, order: undefined }, counters)
      },
      key: (id: number) => redis.run(client => client.get(`${keyPrefix}scenario:${id}:success_ratio`)),
    }
  }

  it('writes the JSON of the original, summed up over all partitions, in the wall clock of the scenario', async () => {
    const { options, counted, key } = publisher([newScenario(5, { judging_version: 1, timezone: 'Asia/Seoul' })])
    await counted(0, 1, 60, 50)
    await counted(3, 1, 40, 35)
    await publishOnce(options, NOW)
    expect(await key(5)).toBe(
      '{"success_ratio":0.85,"total_count":100,"success_count":85,"updated_at":"2025-06-18 12:50:10"}',
    )
  })

  it('shows the judging version in force, four places, and zero when nothing was counted', async () => {
    const { options, counted, key } = publisher([
      newScenario(5, { judging_version: 2, site_id: 7 }),
      newScenario(6, { judging_version: 1 }),
    ])
    await counted(0, 1, 10, 10)
    await counted(1, 2, 3, 1)
    await publishOnce(options, NOW)
    expect(JSON.parse((await key(5)) as string)).toEqual({
      success_ratio: 0.3333,
      total_count: 3,
      success_count: 1,
      updated_at: '2025-06-17 23:50:10',
    })
    expect(JSON.parse((await key(6)) as string)).toMatchObject({ success_ratio: 0, total_count: 0 })
  })

  it('keeps the total of a quiet scenario with the time of its last change, and writes a lost key again', async () => {
    const { options, counted, key, redis } = publisher([newScenario(5, { judging_version: 1 })])
    await counted(0, 1, 4, 1)
    await publishOnce(options, NOW)
    const first = await key(5)
    await publishOnce(options, NOW + 60_000)
    expect(await key(5)).toBe(first)
    await redis.run(client => client.del(`${options.keyPrefix}scenario:5:success_ratio`))
    await publishOnce(options, NOW + 60_000)
    expect(JSON.parse((await key(5)) as string)).toMatchObject({ total_count: 4, updated_at: '2025-06-18 03:51:10' })
  })

  it('removes the key of a deleted scenario', async () => {
    const { options, key, redis } = publisher([], [5])
    await redis.run(client => client.set(`${options.keyPrefix}scenario:5:success_ratio`, '{}'))
    await publishOnce(options, NOW)
    expect(await key(5)).toBeNull()
  })

  it('writes only as the owner, and until it is stopped', async () => {
    const { options, counted, key } = publisher([newScenario(5, { judging_version: 1 })])
    await counted(0, 1, 4, 1)
    let isOwner = false
    const stop = new AbortController()
    const run = publishSuccessRatios({ ...options, isOwner: () => isOwner, everyMs: 20 }, stop.signal)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(await key(5)).toBeNull()
    isOwner = true
    await expect.poll(() => key(5), { timeout: 10_000 }).toContain('"total_count":4')
    stop.abort()
    await run
  })
})
