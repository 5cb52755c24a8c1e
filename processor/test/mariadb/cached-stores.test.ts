import { serviceOrSkip } from '@headwater/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MemberStore } from '../../src/ports.ts'
import { CachedEntries } from '../../src/stores/cached-entries.ts'
import {
  type CachedMemberStoreOptions,
  cachedMemberStore,
  invalidateMembers,
} from '../../src/stores/cached-member-store.ts'
import { cachedScenarioStore } from '../../src/stores/cached-scenario-store.ts'
import { mariadbMemberStore } from '../../src/stores/mariadb-member-store.ts'
import { mariadbScenarioStore } from '../../src/stores/mariadb-scenario-store.ts'
import { testMemberStore } from '../contracts/member-store.ts'
import { newScenario, testScenarioStore } from '../contracts/scenario-store.ts'
import { RedisFixture, redisIsThere } from '../redis/redis-fixture.ts'
import { contractMembers } from './contract-members.ts'
import { MariadbFixture, mariadbIsThere, silent } from './mariadb-fixture.ts'

const isThere = serviceOrSkip('mariadbd', mariadbIsThere) && serviceOrSkip('redis-server', redisIsThere)

describe.skipIf(!isThere)('MariaDB cached in Redis', { timeout: 90_000 }, () => {
  const mariadb = new MariadbFixture()
  const redis = new RedisFixture()
  const fast = { connectTimeoutMs: 3_000, commandTimeoutMs: 3_000 }

  /** A connection that is used: caches do without one that is not ready yet. */
  async function ready(options = {}) {
    const connection = redis.connect(options)
    await connection.run(client => client.ping())
    return connection
  }

  testScenarioStore('cachedScenarioStore', {
    make: async () => {
      const { database, db } = await mariadb.migrated()
      const keyPrefix = redis.prefix()
      const make = (pool: typeof db) =>
        cachedScenarioStore({
          store: mariadbScenarioStore({ db: pool, log: silent }),
          redis: redis.connect(),
          keyPrefix,
          log: silent,
        })
      return { store: make(db), reopen: () => make(mariadb.connect(database)) }
    },
  })

  let members: Awaited<ReturnType<MariadbFixture['migrated']>> | undefined
  let contractPrefix = ''
  async function contractStore(size: number): Promise<MemberStore> {
    if (members === undefined) {
      members = await mariadb.migrated()
      contractPrefix = redis.prefix()
      await contractMembers(members.db)
    }
    const store = mariadbMemberStore({ db: members.db })
    return cachedMemberStore({ store, redis: await ready(), keyPrefix: contractPrefix, size, log: silent })
  }
  // All tests of one suite share what is in Redis: most answers come from there.
  testMemberStore('cachedMemberStore', { make: () => contractStore(10_000) })
  testMemberStore('cachedMemberStore without memory of its own', { make: () => contractStore(0) })

  /** Two processes: caches over one database and one Redis, and how often each asked the database. */
  async function twoProcesses(options: Partial<CachedMemberStoreOptions> = {}) {
    const { db } = await mariadb.migrated()
    const keyPrefix = redis.prefix()
    const stop = new AbortController()
    const make = async () => {
      const inner = mariadbMemberStore({ db })
      const asked: string[][] = []
      const store: MemberStore = {
        columns: () => inner.columns(),
        get: ids => {
          asked.push([...ids])
          return inner.get(ids)
        },
      }
      const cached = cachedMemberStore({ store, redis: await ready(fast), keyPrefix, log: silent, ...options })
      cached.watch(stop.signal)
      return { asked, age: async (id: string) => (await cached.get([id])).get(id)?.age, cached }
    }
    const [a, b] = [await make(), await make()]
    const admin = await ready()
    const subscribers = async () =>
      Number((await admin.run(c => c.pubsub('NUMSUB', `${keyPrefix}hw:changed:members`)))[1])
    await expect.poll(subscribers, { timeout: 10_000 }).toBe(2)
    const set = (id: string, age: string) =>
      db.run(session => session.execute('REPLACE INTO member (member_id, age) VALUES (?, ?)', [id, age]))
    return { a, b, admin, keyPrefix, set, stop }
  }

  it('asks the database once for all processes, and keeps what it said in JSON that anybody can read', async () => {
    const { a, b, set, admin, keyPrefix } = await twoProcesses()
    await set('1', '34')
    expect([await a.age('1'), await a.age('1'), await b.age('1'), await b.age('1')]).toEqual(['34', '34', '34', '34'])
    expect([a.asked, b.asked]).toEqual([[['1']], []])
    await a.age('nobody')
    await admin.run(async client => {
      expect(await client.get(`${keyPrefix}member:1:info`)).toBe('{"member_id":"1","age":"34"}')
      expect(await client.ttl(`${keyPrefix}member:1:info`)).toBeGreaterThan(500)
      expect(await client.get(`${keyPrefix}member:nobody:info`)).toBe('null')
      expect(await client.ttl(`${keyPrefix}member:nobody:info`)).toBeLessThanOrEqual(60)
    })
    expect(await b.age('nobody')).toBeUndefined()
    expect(b.asked).toEqual([])
  })

  it('notes at most so many missing members in Redis, for anybody may send ids that nobody has', async () => {
    const { a, admin, keyPrefix } = await twoProcesses({ maxNegativesPerMinute: 100 })
    const ids = Array.from({ length: 250 }, (_, i) => `forged-${i}`)
    expect((await a.cached.get(ids)).size).toBe(0)
    expect((await admin.run(client => client.keys(`${keyPrefix}member:forged-*`))).length).toBe(100)
  })

  it('sees a member at once that was missing and then made, when it is told, in every process', async () => {
    const { a, b, set, admin, keyPrefix } = await twoProcesses()
    expect([await a.age('2'), await b.age('2')]).toEqual([undefined, undefined])
    await set('2', '20')
    await invalidateMembers(admin, ['2'], keyPrefix)
    await expect.poll(() => a.age('2'), { timeout: 10_000 }).toBe('20')
    await expect.poll(() => b.age('2'), { timeout: 10_000 }).toBe('20')
    await set('2', '21')
    await set('3', '30')
    await invalidateMembers(admin, ['2', '3'], keyPrefix)
    await expect.poll(() => a.age('2'), { timeout: 10_000 }).toBe('21')
    await expect.poll(() => b.age('2'), { timeout: 10_000 }).toBe('21')
  })

  it('sees it when the entries are too old, when it is not told', async () => {
    const { a, b, set } = await twoProcesses({ negativeTtlS: 1, ttlMs: 300, redisTtlS: 1 })
    expect([await a.age('2'), await b.age('2')]).toEqual([undefined, undefined])
    await set('2', '20')
    await expect.poll(() => a.age('2'), { timeout: 10_000 }).toBe('20')
    await set('2', '21')
    await expect.poll(() => b.age('2'), { timeout: 10_000 }).toBe('21')
  })

  it('does without Redis, killed or frozen, and without MariaDB for what is cached; without both it says so', async () => {
    const { a, b, set } = await twoProcesses()
    await set('1', '34')
    await a.age('1')
    await redis.server.kill()
    expect([await a.age('1'), await b.age('1')]).toEqual(['34', '34'])
    expect(b.asked).toEqual([['1']])
    await mariadb.server.kill()
    expect([await a.age('1'), await b.age('1')]).toEqual(['34', '34'])
    await expect(b.age('2')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    await redis.server.restart()
    await mariadb.server.restart()
    await expect.poll(() => b.age('2').catch(() => 'away'), { timeout: 30_000 }).toBeUndefined()

    redis.server.pause()
    try {
      await set('3', '30')
      expect(await a.age('3')).toBe('30')
      const before = performance.now()
      expect([await a.age('4'), await a.age('5')]).toEqual([undefined, undefined])
      expect(performance.now() - before).toBeLessThan(20_000)
    } finally {
      redis.server.resume()
    }
  })

  it('tells other processes of a saved scenario at once, without waiting for their look at the database', async () => {
    const { db } = await mariadb.migrated()
    const keyPrefix = redis.prefix()
    const make = async () =>
      cachedScenarioStore({
        store: mariadbScenarioStore({ db, pollMs: 3_600_000, log: silent }),
        redis: await ready(),
        keyPrefix,
        log: silent,
      })
    const [a, b] = [await make(), await make()]
    const stop = new AbortController()
    let changes = 0
    b.watch(() => changes++, stop.signal)
    const admin = await ready()
    // The first look at the database, and the begin of listening.
    await expect.poll(() => changes, { timeout: 10_000 }).toBe(2)

    expect(await b.get(5)).toBeUndefined()
    const saved = await a.save(newScenario(5))
    await expect.poll(() => changes, { timeout: 10_000 }).toBe(3)
    expect([await b.get(5), await b.list()]).toEqual([saved, [saved]])
    const data = await admin.run(client => client.get(`${keyPrefix}scenario:5:data`))
    expect(JSON.parse(data as string)).toEqual(saved)
    await a.remove(5)
    await expect.poll(() => changes, { timeout: 10_000 }).toBe(4)
    expect([await b.get(5), await b.list()]).toEqual([undefined, []])
    stop.abort()
  })
})

describe('CachedEntries', () => {
  it('forgets what is too old, and everything when asked to', () => {
    let now = 0
    const entries = new CachedEntries<string>(10, () => now)
    entries.set('a', 'A', 10)
    entries.set('b', 'B', 100)
    expect([entries.get('a'), entries.get('b')]).toEqual(['A', 'B'])
    now = 10
    expect([entries.get('a'), entries.get('b')]).toEqual([undefined, 'B'])
    entries.delete('b')
    expect(entries.get('b')).toBeUndefined()
    entries.set('c', 'C', 10)
    entries.clear()
    expect(entries.get('c')).toBeUndefined()
  })

  it('has the half of its size that was used last, and never more than its size', () => {
    const key = fc.nat({ max: 30 }).map(String)
    const steps = fc.array(fc.record({ key, isSet: fc.boolean() }), { maxLength: 200 })
    fc.assert(
      fc.property(fc.nat({ max: 12 }), steps, (size, all) => {
        const entries = new CachedEntries<string>(size, () => 0)
        /** In the order of use, newest last. */
        const used: string[] = []
        for (const { key, isSet } of all) {
          const at = used.indexOf(key)
          const found = entries.get(key)
          if (at >= 0 && used.length - at <= Math.floor(size / 2)) expect(found).toBe(key)
          if (isSet) entries.set(key, key, 1)
          if (!isSet && found === undefined) continue
          if (at >= 0) used.splice(at, 1)
          used.push(key)
        }
        expect(used.filter(each => entries.get(each) !== undefined).length).toBeLessThanOrEqual(size)
      }),
    )
  })
})
