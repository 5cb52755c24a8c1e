import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type DistributedServices, startDistributedServices } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandSays } from '../../src/distributed/command-says.ts'
import { type LineInput, lineInput } from '../../src/distributed/line-input.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { allStored, newTenant, setUpTenant, type Tenant } from '../../src/distributed/tenant.ts'
import {
  type HeadwaterProcess,
  runHeadwater,
  type Settings,
  spawnHeadwater,
  startHeadwater,
} from '../../src/headwater-process.ts'
import { killAtAnyMoment } from '../../src/kill-at-any-moment.ts'
import { seededRandom } from '../../src/seeded-random.ts'
import { until } from '../../src/until.ts'

const PARTITIONS = 2
const VISITOR = '00000000000000aa'
const OTHER = '00000000000000bb'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

interface Told {
  tables: { table: string; found: number; removed: number; left: number; since: number }[]
  unarchived: number
  remains: { topics: { topic: string; retentionMs: number }[] }
}

describe.skipIf(!servicesThere())('an archive in HDFS', () => {
  let services: DistributedServices
  let tenant: Tenant
  let dir: string
  let input: LineInput
  let worker: HeadwaterProcess | undefined
  /** Events sent so far. */
  const sent = { mine: 0, others: 0 }
  const send = async (mine: number, others: number): Promise<void> => {
    await input.send(mine, VISITOR)
    await input.send(others, OTHER)
    sent.mine += mine
    sent.others += others
  }
  const work = async (more: Settings = {}) => {
    worker = await startHeadwater(join(dir, 'worker'), { ...tenant.settings, ...more }, [
      'worker',
      'filter',
      'stats',
      'archive',
    ])
  }
  const command = (...args: string[]) => runHeadwater(join(dir, 'command'), tenant.settings, args)
  const forget = async (...args: string[]) => JSON.parse(await command('forget', '--json', ...args)) as Told
  /** As a host that knows nothing of the other one's copy sees it. */
  const counts = async () => {
    const sql = `SELECT (SELECT count(*) FROM event_log WHERE visitor_id = '${VISITOR}')::INT AS mine,
      (SELECT count(DISTINCT event_id) FROM event_log WHERE visitor_id = '${OTHER}')::INT AS others,
      (SELECT count(*) FROM event_log)::INT AS events, (SELECT count(*) FROM scenario_log)::INT AS outcomes`
    const rows = await runHeadwater(join(dir, 'reader'), tenant.settings, ['query', '--json', sql])
    return (JSON.parse(rows) as Record<string, number>[])[0]
  }
  const removed = ({ tables }: Told) => tables.map(one => [one.removed, one.left])
  const doctor = async (): Promise<string[]> =>
    (JSON.parse(await command('doctor', '--archive', '--json').catch(error => error.stdout)) as Finding[])
      .filter(({ check }) => check === 'archive')
      .map(({ verdict, message }) => `${verdict} ${message}`)
  interface Finding {
    check: string
    verdict: string
    message: string
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-forget-'))
    services = await startDistributedServices()
    tenant = await newTenant(services, PARTITIONS)
    await setUpTenant(tenant, join(dir, 'command'))
    input = await lineInput(services.kafka, tenant, PARTITIONS)
    await work()
  }, 300_000)
  afterAll(async () => {
    await worker?.kill()
    await input?.stop()
    await tenant?.close()
    await services?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('loses a visitor of whom nothing was archived yet when the command began, and is proved to be whole', async () => {
    await send(20, 30)
    const told = await forget('--visitor', VISITOR)
    expect(removed(told)).toEqual([
      [20, 0],
      [20, 0],
    ])
    expect(told.unarchived).toBe(0)
    expect(told.remains.topics.map(({ retentionMs }) => retentionMs)).toEqual(Array(5).fill(7 * 86_400_000))
    expect(await counts()).toEqual({ mine: 0, others: 30, events: 30, outcomes: 30 })
    await allStored(tenant)
    expect(await doctor()).toEqual([
      expect.stringMatching(/^ok event_log: 30 rows in \d+ files .*, all read\.$/),
      expect.stringMatching(/^ok scenario_log: 30 rows in \d+ files .*, all read\.$/),
      'warn 50 outcomes counted, 30 of them archived; at most 0 can be on their way.',
    ])
    await expect(command('forget', '--visitor', VISITOR, '--logs')).rejects.toMatchObject({ code: 1 })
  }, 120_000)

  it('loses no other row and shows none twice when the command is killed at any moment while workers publish', async () => {
    console.log(`forget over HDFS: SEED=${seed}`)
    const random = seededRandom(seed)
    let loading = true
    const load = (async () => {
      while (loading) {
        await send(2, 4)
        await pause(50)
      }
    })()
    load.catch(() => {})
    await killAtAnyMoment({
      times: 3,
      random,
      start: () => spawnHeadwater(join(dir, 'command'), tenant.settings, ['forget', '--visitor', VISITOR]),
      check: async () => {
        const seen = JSON.parse(
          await runHeadwater(join(dir, 'reader'), tenant.settings, [
            'query',
            '--json',
            'SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS ids FROM event_log',
          ]),
        )
        expect(seen[0].n).toBe(seen[0].ids)
      },
    })
    loading = false
    await load
    expect((await forget('--visitor', VISITOR)).tables.map(({ left, since }) => [left, since])).toEqual([
      [0, 0],
      [0, 0],
    ])
    expect(await counts()).toEqual({ mine: 0, others: sent.others, events: sent.others, outcomes: sent.others })
  }, 240_000)

  it('is forgotten in as far as it goes while no worker runs, and the command says what waits', async () => {
    expect(await worker?.stop()).toBe(0)
    await send(3, 2)
    const { code, text } = await commandSays(join(dir, 'command'), tenant.settings, ['forget', '--visitor', VISITOR])
    expect(code).toBe(1)
    expect(text).toMatch(/! event_log was left as it is/)
    expect(text).toMatch(/! At most 5 lines, events and outcomes wait in Kafka/)
    expect(text).toMatch(new RegExp(`${tenant.name}-access-log: every request as it came; 7 days, until 20`))
    await work()
    expect(removed(await forget('--visitor', VISITOR))).toEqual([
      [3, 0],
      [3, 0],
    ])
  }, 120_000)

  it('keeps no day longer than archive.keepDays, and goes on behind it', async () => {
    expect(await worker?.stop()).toBe(0)
    const webhdfs = `${services.hdfs.nameNodeUrl}/webhdfs/v1${tenant.root}`
    for (const table of ['event_log', 'scenario_log']) {
      const listed = await (await fetch(`${webhdfs}/${table}?op=LISTSTATUS&user.name=headwater`)).json()
      const days = (listed as { FileStatuses: { FileStatus: { pathSuffix: string }[] } }).FileStatuses.FileStatus
      for (const [i, { pathSuffix }] of days.entries()) {
        const to = `${tenant.root}/${table}/day=2020-02-0${i + 1}`
        const rename = `op=RENAME&user.name=headwater&renameoptions=NONE&destination=${encodeURIComponent(to)}`
        expect((await fetch(`${webhdfs}/${table}/${pathSuffix}?${rename}`, { method: 'PUT' })).status).toBe(200)
      }
    }
    await work({ HEADWATER_ARCHIVE_KEEP_DAYS: '1' })
    const isEmpty = async () => {
      const { events, outcomes } = (await counts()) ?? {}
      return events === 0 && outcomes === 0 ? true : undefined
    }
    await until('the old rows to be gone', isEmpty, 90_000)
    await send(1, 6)
    await allStored(tenant)
    expect(await counts()).toEqual({ mine: 1, others: 6, events: 7, outcomes: 7 })
  }, 180_000)
})
