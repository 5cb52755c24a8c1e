import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, type RedisConnection } from '@headwater/processor/distributed'
import { type DistributedServices, startDistributedServices } from '@headwater/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../src/distributed/audit.ts'
import { commandSays, type Said } from '../../src/distributed/command-says.ts'
import { type LineInput, lineInput } from '../../src/distributed/line-input.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { allStored, newTenant, setUpTenant, type Tenant } from '../../src/distributed/tenant.ts'
import { type HeadwaterProcess, type Settings, startHeadwater } from '../../src/headwater-process.ts'
import { until } from '../../src/until.ts'

const WRONG = 'not-the-Passw0rd'
const PARTITIONS = 2

describe.skipIf(!servicesThere())('in a bad state of a service the distributed mode says what to do', () => {
  let services: DistributedServices
  let dir: string
  let redis: RedisConnection
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-bad-state-'))
    services = await startDistributedServices()
    redis = connectRedis({ url: services.redis.url, log: pino({ level: 'silent' }) })
  }, 300_000)
  afterAll(async () => {
    redis?.close()
    await services?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const says = (settings: Settings, ...args: string[]) => commandSays(join(dir, 'command'), settings, args)

  /** What a person reads names the error's code or the place, says what to do, and gives no password away. */
  function expectSentence({ code, text }: Said, ...parts: readonly string[]): void {
    expect(code, text).toBe(1)
    for (const part of parts) expect(text).toContain(part)
    expect(text).not.toContain(WRONG)
    expect(text).not.toContain('let-me-in')
    expect(text, 'a sentence, no stack').not.toMatch(/^\s+at .*\.[jt]s:\d+/m)
  }

  describe('to whoever gives a command', () => {
    let tenant: Tenant
    beforeAll(async () => {
      tenant = await newTenant(services, PARTITIONS)
    })
    afterAll(() => tenant?.close())

    it('topics that are missing', async () => {
      const [worker, doctor, check] = await Promise.all([
        says(tenant.settings, 'worker', 'filter'),
        commandSays(join(dir, 'doctor'), tenant.settings, ['doctor']),
        commandSays(join(dir, 'topics'), tenant.settings, ['topics', '--check']),
      ])
      expectSentence(worker, 'TOPIC_MISSING', `${tenant.name}-access-log`, 'headwater topics')
      expectSentence(doctor, `There is no topic ${tenant.name}-access-log.`, 'Run headwater topics.')
      expectSentence(check, `${tenant.name}-dead-letter`, 'missing')
      expect(await says(tenant.settings, 'topics')).toMatchObject({ code: 0 })
      expect(await says(tenant.settings, 'topics', '--check')).toMatchObject({ code: 0 })
    }, 120_000)

    it('a schema that is not migrated', async () => {
      const [worker, doctor, stats] = await Promise.all([
        says(tenant.settings, 'worker', 'filter', 'stats'),
        commandSays(join(dir, 'doctor'), tenant.settings, ['doctor']),
        commandSays(join(dir, 'stats'), tenant.settings, ['stats']),
      ])
      for (const said of [worker, doctor, stats]) expectSentence(said, 'SCHEMA_MISMATCH', 'headwater db migrate')
      expect(await says(tenant.settings, 'db', 'migrate')).toMatchObject({ code: 0 })
      expect(await says(tenant.settings, 'doctor')).toMatchObject({ code: 0 })
    }, 120_000)

    it('a password that MariaDB refuses', async () => {
      const wrong = { ...tenant.settings, HEADWATER_MARIADB_PASSWORD: WRONG }
      const all = await Promise.all(
        [['worker', 'filter'], ['db', 'migrate'], ['stats'], ['doctor']].map(args =>
          commandSays(join(dir, args[0] as string), wrong, args),
        ),
      )
      for (const said of all) expectSentence(said, 'STORE_UNAVAILABLE', 'check mariadb.user and mariadb.password')
    }, 120_000)

    it('a password that Redis refuses', async () => {
      const wrong = { ...tenant.settings, HEADWATER_REDIS_PASSWORD: WRONG }
      await redis.run(it => it.config('SET', 'requirepass', 'let-me-in'))
      try {
        const all = await Promise.all(
          [['stats'], ['doctor']].map(args => commandSays(join(dir, args[0] as string), wrong, args)),
        )
        for (const said of all) expectSentence(said, 'STORE_UNAVAILABLE', 'check redis.username and redis.password')
      } finally {
        await redis.run(it => it.config('SET', 'requirepass', ''))
      }
    }, 120_000)
  })

  describe('and goes on by itself, losing nothing, after', () => {
    let tenant: Tenant
    let input: LineInput
    const workers = new Map<string, HeadwaterProcess>()
    const worker = (stage: string) => workers.get(stage) as HeadwaterProcess
    beforeAll(async () => {
      tenant = await newTenant(services, PARTITIONS)
      await setUpTenant(tenant, join(dir, 'command'))
      input = await lineInput(services.kafka, tenant, PARTITIONS)
      for (const stage of ['filter', 'stats', 'archive'])
        workers.set(stage, await startHeadwater(join(dir, stage), tenant.settings, ['worker', stage]))
    }, 180_000)
    afterAll(async () => {
      for (const process of workers.values()) await process.kill()
      await input?.stop()
      await tenant?.close()
    })

    /** The worker's log from here on has a line with all `parts`. */
    const saysSoon = (stage: string, seen: number, ...parts: string[]) =>
      until(
        `the ${stage} worker to say ${parts.join(', ')}`,
        async () => {
          const { output, isAlive } = worker(stage)
          if (!isAlive()) throw new Error(`the ${stage} worker has ended:\n${output()}`)
          return output()
            .slice(seen)
            .split('\n')
            .find(line => parts.every(part => line.includes(part)))
        },
        60_000,
      )

    async function expectAllStored(): Promise<void> {
      await allStored(tenant)
      const result = await audit(services, tenant, input)
      expect(result).toMatchObject({ lost: [], twice: [], invented: [], wrongCounters: [] })
      expect(result.outcomes).toBe(input.sent.size)
    }

    it('a Redis that may evict keys', async () => {
      await input.send(100)
      await expectAllStored()
      const seen = worker('stats').output().length
      await redis.run(it => it.config('SET', 'maxmemory-policy', 'allkeys-lru'))
      // Looked at once a connection.
      await redis.run(it => it.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
      await input.send(100)
      await saysSoon('stats', seen, 'Reading pauses', 'STORE_MISCONFIGURED', 'set maxmemory-policy noeviction')
      expectSentence(await says(tenant.settings, 'doctor'), 'set maxmemory-policy noeviction', 'Found: allkeys-lru.')
      await redis.run(it => it.config('SET', 'maxmemory-policy', 'noeviction'))
      await expectAllStored()
    }, 180_000)

    it('a Redis without memory', async () => {
      const seen = worker('stats').output().length
      await redis.run(it => it.config('SET', 'maxmemory', '1'))
      await input.send(100)
      await saysSoon('stats', seen, 'Reading pauses', 'STORE_UNAVAILABLE', 'raise its maxmemory')
      await redis.run(it => it.config('SET', 'maxmemory', '0'))
      await expectAllStored()
    }, 180_000)

    it('a Redis that refuses the password', async () => {
      const seen = worker('stats').output().length
      await redis.run(it => it.config('SET', 'requirepass', 'let-me-in'))
      await redis.run(it => it.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
      await input.send(100)
      const line = await saysSoon('stats', seen, 'Reading pauses', 'STORE_UNAVAILABLE', 'redis.password')
      expect(line).not.toContain('let-me-in')
      await redis.run(it => it.config('SET', 'requirepass', ''))
      await expectAllStored()
    }, 180_000)

    it('an HDFS folder at its quota', async () => {
      const seen = worker('archive').output().length
      await services.hdfs.dfsadmin('-setSpaceQuota', '1', tenant.root)
      await input.send(100)
      await saysSoon('archive', seen, 'Reading pauses', 'STORE_UNAVAILABLE', 'at its quota', '-setSpaceQuota')
      expectSentence(await says(tenant.settings, 'doctor'), 'hdfs', 'at its quota', '-setSpaceQuota')
      await services.hdfs.dfsadmin('-clrSpaceQuota', tenant.root)
      await expectAllStored()
    }, 180_000)

    it('all of them end well in the end', async () => {
      for (const process of workers.values()) expect(await process.stop(), process.output()).toBe(0)
      await expectAllStored()
    }, 90_000)
  })
})
