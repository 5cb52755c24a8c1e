import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Counters } from '@headwater/core'
import { serviceOrSkip, startRedis } from '@headwater/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import type { SinkPosition, StatsStore } from '../../src/ports.ts'
import { checkRedis } from '../../src/redis/check-redis.ts'
import type { RedisConnection } from '../../src/redis/connect-redis.ts'
import { redisStatsStore } from '../../src/stores/redis-stats-store.ts'
import { fullCounters, sorted } from './random-counters.ts'
import { RedisFixture, redisIsThere } from './redis-fixture.ts'

const at = (position: number): SinkPosition => ({ position, order: undefined })

function events(number: number): Counters {
  const counters = new Counters()
  for (let i = 0; i < number; i++) counters.add({ scenarioId: 5, judgingVersion: 1, success: 1, date: 1.78e12 + i })
  return counters
}

/** As drive-consumer does: the same call again while the error says that it may help. Resolves with the number of failures. */
async function insist(call: () => Promise<unknown>): Promise<number> {
  for (let failures = 0; ; failures++) {
    try {
      await call()
      return failures
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true || failures > 300) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

describe.skipIf(!serviceOrSkip('redis-server', redisIsThere))('a Redis in trouble', { timeout: 90_000 }, () => {
  const fixture = new RedisFixture()
  const fast = { connectTimeoutMs: 2_000, commandTimeoutMs: 2_000 }
  const admin = (): RedisConnection => fixture.connect()
  const configure = (name: string, value: string): Promise<unknown> =>
    admin().run(client => client.config('SET', name, value))

  /** Until what was answered stands in the append-only file, which Redis writes later while the disk is busy. */
  async function written(): Promise<void> {
    const connection = admin()
    const idle = [
      'aof_rewrite_in_progress:0',
      'aof_rewrite_scheduled:0',
      'aof_buffer_length:0',
      'aof_pending_bio_fsync:0',
    ]
    await expect
      .poll(() => connection.run(client => client.info('persistence')), { timeout: 30_000 })
      .toSatisfy((info: string) => idle.every(line => info.includes(line)))
  }

  afterEach(() => fixture.close())

  it('that is killed and starts again: nothing is lost, and nothing needs a restart of ours', async () => {
    const keyPrefix = fixture.prefix()
    const store = redisStatsStore({ redis: fixture.connect(fast), keyPrefix })
    await store.apply(0, undefined, at(1), events(1))
    await written()
    await fixture.server.kill()
    const found = /STORE_UNAVAILABLE: Redis at 127\.0\.0\.1:\d+ must answer: check redis\.url.* Found: /
    await expect(store.apply(0, 1, at(2), events(2))).rejects.toThrow(found)
    await fixture.server.restart()
    await insist(() => store.apply(0, 1, at(2), events(2)))
    const loaded = await store.load(0)
    expect(loaded?.at.position).toBe(2)
    expect(sorted(loaded?.counters as Counters)).toEqual(sorted(events(2)))
  })

  it('that is frozen: every call ends in time, and goes on when Redis does', async () => {
    const keyPrefix = fixture.prefix()
    const store = redisStatsStore({ redis: fixture.connect(fast), keyPrefix })
    await store.apply(0, undefined, at(1), events(1))
    fixture.server.pause()
    try {
      const before = performance.now()
      for (let i = 0; i < 3; i++) {
        await expect(store.apply(0, 1, at(2), events(2))).rejects.toMatchObject({
          code: 'STORE_UNAVAILABLE',
          retryable: true,
        })
      }
      expect(performance.now() - before).toBeLessThan(30_000)
    } finally {
      fixture.server.resume()
    }
    // What was sent before it froze may have been done: then it says so, and has the new counters.
    const result = await insist(() => store.apply(0, 1, at(2), events(2))).catch(error => error.code)
    expect([result === 'POSITION_MISMATCH' || typeof result === 'number', (await store.load(0))?.at.position]).toEqual([
      true,
      2,
    ])
    expect(sorted((await store.load(0))?.counters as Counters)).toEqual(sorted(events(2)))
  })

  it('that has no memory left: refused as a whole with what to do, and stored when there is room', async () => {
    const keyPrefix = fixture.prefix()
    const store = redisStatsStore({ redis: fixture.connect(), keyPrefix })
    await store.apply(0, undefined, at(1), events(1))
    await configure('maxmemory', '1mb')
    await expect(store.apply(0, 1, at(2), fullCounters(20))).rejects.toThrow(
      /STORE_UNAVAILABLE.*raise its maxmemory.*OOM/,
    )
    const loaded = await store.load(0)
    expect(loaded?.at.position).toBe(1)
    expect(sorted(loaded?.counters as Counters)).toEqual(sorted(events(1)))
    expect((await checkRedis(admin())).full).toMatch(
      / is full and takes no more: raise its maxmemory.* of 1048576 bytes used\.$/,
    )
    await configure('maxmemory', '0')
    await store.apply(0, 1, at(2), fullCounters(20))
  })

  it('that may evict: refused before anything is stored, and used once it may not', async () => {
    await configure('maxmemory-policy', 'allkeys-lru')
    const store = redisStatsStore({ redis: fixture.connect(), keyPrefix: fixture.prefix() })
    const sentence = /STORE_MISCONFIGURED: .* must never evict: set maxmemory-policy noeviction.* Found: allkeys-lru\./
    await expect(store.load(0)).rejects.toThrow(sentence)
    await expect(store.apply(0, undefined, at(1), events(1))).rejects.toMatchObject({ retryable: true })
    await configure('maxmemory-policy', 'noeviction')
    expect(await store.load(0)).toBeUndefined()
    await store.apply(0, undefined, at(1), events(1))
  })

  it('that keeps no append-only file: refused', async () => {
    await configure('appendonly', 'no')
    expect((await checkRedis(admin())).faults).toEqual([expect.stringMatching(/set appendonly yes.* Found: no\.$/)])
    await configure('appendonly', 'yes')
    expect(await checkRedis(admin())).toEqual({ faults: [], warnings: [] })
  })

  it('that does not let us in: says so without the password, and goes on when it does', async () => {
    await configure('requirepass', 'right-horse')
    const open = fixture.connect({ password: 'right-horse' })
    const store = redisStatsStore({
      redis: fixture.connect({ ...fast, password: 'wrong-horse' }),
      keyPrefix: fixture.prefix(),
    })
    const none = redisStatsStore({ redis: fixture.connect(fast), keyPrefix: fixture.prefix() })
    for (const refused of [store, none]) {
      const error = await refused.load(0).catch(error => error as Error)
      expect(String(error)).toMatch(/STORE_UNAVAILABLE.*check redis.username and redis.password.*(WRONGPASS|NOAUTH)/)
      expect(JSON.stringify([error, String(error)])).not.toContain('horse')
      expect(error).toMatchObject({ retryable: true })
    }
    await open.run(client => client.config('SET', 'requirepass', 'wrong-horse'))
    await insist(() => store.load(0))
    await fixture.connect({ password: 'wrong-horse' }).run(client => client.config('SET', 'requirepass', ''))
    await insist(() => none.load(0))
  })

  it('that has gone back by a second: counters and positions went together', async () => {
    const keyPrefix = fixture.prefix()
    const store: StatsStore = redisStatsStore({ redis: fixture.connect(fast), keyPrefix })
    await store.apply(0, undefined, at(1), events(1))
    await store.apply(1, undefined, at(7), events(7))
    await written()
    const aof = join(fixture.server.folder, 'appendonlydir')
    await cp(aof, `${aof}.before`, { recursive: true })
    await store.apply(0, 1, at(2), events(2))
    await fixture.server.kill()
    await rm(aof, { recursive: true })
    await cp(`${aof}.before`, aof, { recursive: true })
    await fixture.server.restart()
    await expect(insist(() => store.apply(0, 2, at(3), events(3)))).rejects.toMatchObject({ code: 'POSITION_MISMATCH' })
    const loaded = await store.load(0)
    expect(loaded?.at.position).toBe(1)
    expect(sorted(loaded?.counters as Counters)).toEqual(sorted(events(1)))
    await store.apply(0, 1, at(3), events(3))
    expect(sorted((await store.load(0))?.counters as Counters)).toEqual(sorted(events(3)))
    expect((await store.load(1))?.at.position).toBe(7)
  })

  it('that is a replica: refused with what to do', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(fixture.server.port)] })
    try {
      const connection = fixture.connect({ url: replica.url })
      const store = redisStatsStore({ redis: connection, keyPrefix: fixture.prefix() })
      await expect(store.apply(0, undefined, at(1), events(1))).rejects.toThrow(/must be the primary/)
    } finally {
      await replica.stop()
    }
  })

  it('that is managed and forbids CONFIG: INFO tells enough, and without both there is a warning', async () => {
    const noConfig = await startRedis({ args: ['--rename-command', 'CONFIG', ''] })
    const nothing = await startRedis({ args: ['--rename-command', 'CONFIG', '', '--rename-command', 'INFO', ''] })
    try {
      expect(await checkRedis(fixture.connect({ url: noConfig.url }))).toEqual({ faults: [], warnings: [] })
      const { faults, warnings } = await checkRedis(fixture.connect({ url: nothing.url }))
      expect(faults).toEqual([])
      expect(warnings).toEqual([
        expect.stringContaining('make sure that it is noeviction'),
        expect.stringContaining('make sure that appendonly is yes'),
      ])
    } finally {
      await Promise.all([noConfig.stop(), nothing.stop()])
    }
  })
})
