import { Counters } from '@headwater/core'
import { serviceOrSkip } from '@headwater/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SinkPosition, StatsStore } from '../../src/ports.ts'
import type { RedisConnection } from '../../src/redis/connect-redis.ts'
import { BUCKET_KINDS } from '../../src/redis/stats-keys.ts'
import { redisStatsReader } from '../../src/stores/redis-stats-reader.ts'
import { redisStatsStore } from '../../src/stores/redis-stats-store.ts'
import { arbitrarySteps, count, fullCounters, sorted } from './random-counters.ts'
import { RedisFixture, redisIsThere } from './redis-fixture.ts'

const at = (position: number): SinkPosition => ({
  position,
  order: { generation: 1, position: position * 300, index: 2, scenarioId: 5 },
})

function oneEvent(date = 1.78e12): Counters {
  const counters = new Counters()
  counters.add({ scenarioId: 5, judgingVersion: 2, success: 1, date })
  return counters
}

describe.skipIf(!serviceOrSkip('redis-server', redisIsThere))(
  'redisStatsStore on a real Redis',
  { timeout: 90_000 },
  () => {
    const fixture = new RedisFixture()
    let shared: RedisConnection | undefined
    const redis = (): RedisConnection => {
      shared ??= fixture.connect()
      return shared
    }
    const keysOf = (prefix: string): Promise<string[]> =>
      redis().run(async client => (await client.keys(`${prefix}*`)).sort())

    it('gives back after any steps what the counters are, and leaves no key that is not needed', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySteps, fc.array(fc.nat(), { maxLength: 3 }), async (steps, restarts) => {
          const keyPrefix = fixture.prefix()
          const restartAt = new Set(restarts.map(n => n % steps.length))
          let store: StatsStore = redisStatsStore({ redis: redis(), keyPrefix })
          let counters = new Counters()
          let position: number | undefined
          for (const [i, step] of steps.entries()) {
            count(counters, step)
            await store.apply(3, position, at(i), counters)
            position = i
            if (restartAt.has(i)) {
              store = redisStatsStore({ redis: redis(), keyPrefix })
              counters = (await store.load(3))?.counters as Counters
            }
            const loaded = await redisStatsStore({ redis: redis(), keyPrefix }).load(3)
            expect(loaded?.at).toEqual(at(i))
            expect(sorted(loaded?.counters as Counters)).toEqual(sorted(counters))
          }
          const whole = new Counters()
          for (const step of steps) count(whole, step)
          expect(sorted(counters)).toEqual(sorted(whole))
          const fresh = fixture.prefix()
          await redisStatsStore({ redis: redis(), keyPrefix: fresh }).apply(3, undefined, at(0), whole)
          const bare = (prefix: string, keys: string[]): string[] => keys.map(key => key.slice(prefix.length))
          expect(bare(keyPrefix, await keysOf(keyPrefix))).toEqual(bare(fresh, await keysOf(fresh)))
        }),
        { numRuns: 20 },
      )
    })

    it('keeps for as long as the counters do, and expires no key earlier', () => {
      const counters = fullCounters(1)
      const [series] = counters.toJSON().series
      for (const kind of BUCKET_KINDS) {
        expect((series?.[kind.index].length ?? 0) / 3, kind.letter).toBe(kind.kept)
        expect(kind.expireS * 1000, kind.letter).toBeGreaterThan(kind.bucketMs * kind.kept)
      }
    })

    it('stores under the names that are documented', async () => {
      const keyPrefix = fixture.prefix()
      await redisStatsStore({ redis: redis(), keyPrefix }).apply(
        3,
        undefined,
        at(10),
        oneEvent(Date.UTC(2025, 5, 18, 12, 50, 12)),
      )
      expect(await keysOf(keyPrefix)).toEqual(
        [
          'hw:scenario-log:partitions',
          'hw:{scenario-log-3}:pos',
          'hw:{scenario-log-3}:s:5:v2',
          'hw:{scenario-log-3}:s:5:v2:f:2025-06-18T12',
          'hw:{scenario-log-3}:s:5:v2:h:2025-06',
          'hw:{scenario-log-3}:s:5:v2:m:2025-06-18',
          'hw:{scenario-log-3}:series',
        ].map(key => keyPrefix + key),
      )
      await redis().run(async client => {
        const root = `${keyPrefix}hw:{scenario-log-3}`
        expect(await client.hgetall(`${root}:pos`)).toMatchObject({ format: '1', position: '10', order: '1 3000 2 5' })
        expect(await client.hgetall(`${root}:s:5:v2`)).toEqual({ total: '1', success: '1', last: '1750251012000' })
        expect(await client.hgetall(`${root}:s:5:v2:f:2025-06-18T12`)).toEqual({ '1750251010': '1 1' })
        expect(await client.ttl(`${root}:s:5:v2:f:2025-06-18T12`)).toBeGreaterThan(80_000)
        expect(await client.ttl(`${root}:s:5:v2`)).toBe(-1)
      })
    })

    it('sends only what has changed, thousands of buckets in the first apply and a handful in the next', async () => {
      const keyPrefix = fixture.prefix()
      const connection = fixture.connect()
      const store = redisStatsStore({ redis: connection, keyPrefix })
      const counters = fullCounters(20)
      const bytes = async (): Promise<number> =>
        Number(/total_net_input_bytes:(\d+)/.exec(await redis().run(client => client.info('stats')))?.[1])
      const before = await bytes()
      await store.apply(0, undefined, at(1), counters)
      const first = (await bytes()) - before
      counters.add({ scenarioId: 5, judgingVersion: 1, success: 1, date: Date.UTC(2025, 0, 31, 23, 50) })
      const between = await bytes()
      await store.apply(0, 1, at(2), counters)
      expect(first).toBeGreaterThan(500_000)
      expect((await bytes()) - between).toBeLessThan(10_000)
      const loaded = await store.load(0)
      expect(sorted(loaded?.counters as Counters)).toEqual(sorted(counters))
    })

    it('lets exactly one of two appliers win each step, however they interleave', async () => {
      const connections = [fixture.connect(), fixture.connect()]
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), fc.nat(2)), { minLength: 2, maxLength: 12 }), async turns => {
          const keyPrefix = fixture.prefix()
          const stores = connections.map(connection => redisStatsStore({ redis: connection, keyPrefix }))
          await (stores[0] as StatsStore).apply(0, undefined, at(0), new Counters())
          const known = [0, 0]
          let stored = 0
          let sum = 0
          for (const [turn, [together, who]] of turns.entries()) {
            const next = stored + turn + 1
            const appliers = together ? [0, 1] : [who % 2]
            const results = await Promise.allSettled(
              appliers.map(async i => {
                const counters = new Counters()
                for (let n = 0; n <= sum + i; n++)
                  counters.add({ scenarioId: 5, judgingVersion: 1, success: 1, date: 1e12 })
                await (stores[i] as StatsStore).apply(0, known[i], at(next + i), counters)
                return i
              }),
            )
            const winners = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
            const ready = appliers.filter(i => known[i] === stored)
            expect(winners.length).toBe(Math.min(1, ready.length))
            for (const result of results) {
              if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'POSITION_MISMATCH' })
            }
            for (const i of winners) {
              stored = next + i
              known[i] = stored
              sum += i + 1
            }
            const loser = appliers.find(i => !winners.includes(i))
            if (loser === undefined) continue
            const loaded = await (stores[loser] as StatsStore).load(0)
            expect(loaded?.at.position).toBe(stored)
            known[loser] = stored
            sum = loaded?.counters.read()[0]?.total_count ?? 0
          }
        }),
        { numRuns: 15 },
      )
    })

    it('notices a hash that somebody has deleted, and writes it again as a whole', async () => {
      const keyPrefix = fixture.prefix()
      const store = redisStatsStore({ redis: redis(), keyPrefix })
      const counters = fullCounters(1)
      await store.apply(0, undefined, at(1), counters)
      const minutes = (await keysOf(keyPrefix)).find(key => key.endsWith('m:2025-01-31')) as string
      await redis().run(client => client.del(minutes))
      counters.add({ scenarioId: 1, judgingVersion: 1, success: 1, date: Date.UTC(2025, 0, 31, 23, 49) })
      await store.apply(0, 1, at(2), counters)
      expect(sorted((await store.load(0))?.counters as Counters)).toEqual(sorted(counters))
    })

    it('replaces what is there by what a rebuild has counted', async () => {
      const keyPrefix = fixture.prefix()
      await redisStatsStore({ redis: redis(), keyPrefix }).apply(0, undefined, at(9), fullCounters(3))
      const store = redisStatsStore({ redis: redis(), keyPrefix })
      await store.apply(0, 9, at(4), oneEvent())
      expect(sorted((await store.load(0))?.counters as Counters)).toEqual(sorted(oneEvent()))
      expect((await keysOf(keyPrefix)).length).toBe(7)
    })

    it('says what to do when what is stored is none of ours', async () => {
      const keyPrefix = fixture.prefix()
      const store = redisStatsStore({ redis: redis(), keyPrefix })
      const pos = `${keyPrefix}hw:{scenario-log-0}:pos`
      await store.apply(0, undefined, at(1), oneEvent())
      await redis().run(client => client.hset(pos, 'format', '2'))
      await expect(store.load(0)).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN', retryable: false })
      await redis().run(client => client.hset(pos, 'format', '1'))
      await redis().run(client => client.del(`${keyPrefix}hw:{scenario-log-0}:s:5:v2`))
      await expect(store.load(0)).rejects.toThrow(/STATE_DAMAGED.*headwater stats rebuild/)
      await redis().run(client => client.set(`${keyPrefix}hw:{scenario-log-1}:pos`, 'mine'))
      await expect(store.load(1)).rejects.toThrow(/STATE_DAMAGED.*key of another program/)
    })

    it('sums up all partitions for readers, and one scenario alone', async () => {
      const keyPrefix = fixture.prefix()
      const store = redisStatsStore({ redis: redis(), keyPrefix })
      const whole = new Counters()
      for (const partition of [0, 2, 7]) {
        const counters = fullCounters(3, Date.UTC(2025, 2, 1, partition, 7))
        await store.apply(partition, undefined, at(1), counters)
        whole.merge(Counters.fromJSON(counters.toJSON()))
      }
      const reader = redisStatsReader({ redis: redis(), keyPrefix })
      expect(await reader.partitions()).toEqual([0, 2, 7])
      expect(sorted(await reader.counters())).toEqual(sorted(whole))
      expect((await reader.counters({ resolutions: [] })).read()).toEqual(whole.read())
      const one = await reader.counters({ scenarioId: 2, resolutions: ['1m'] })
      expect(one.read()).toEqual(whole.read().filter(row => row.scenario_id === 2))
      const query = { scenarioId: 2, resolution: '1m' as const }
      expect(one.series(query)).toEqual(whole.series(query))
    })
  },
)
