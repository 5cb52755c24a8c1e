import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { localFileStore, readFooter } from '@headwater/processor'
import { type DistributedServices, downloadHdfs, startDistributedServices } from '@headwater/testkit'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../src/distributed/audit.ts'
import { commandSays } from '../../src/distributed/command-says.ts'
import { type LineInput, lineInput } from '../../src/distributed/line-input.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { allStored, newTenant, setUpTenant, type Tenant } from '../../src/distributed/tenant.ts'
import { topicContent } from '../../src/distributed/topic-content.ts'
import { filterResults } from '../../src/filter-results.ts'
import { type HeadwaterProcess, type Settings, startHeadwater } from '../../src/headwater-process.ts'
import { metricsOf } from '../../src/metrics-of.ts'
import { until } from '../../src/until.ts'

const PARTITIONS = 2
/** A worker that hangs for a moment on a loaded machine keeps its partitions, and what it holds. */
const HOLDING: Settings = {
  HEADWATER_KAFKA_SESSION_TIMEOUT_MS: '60000',
  HEADWATER_ARCHIVE_ROLL_EVERY_MS: '600000',
  HEADWATER_ARCHIVE_ROLL_IDLE_MS: '600000',
}

/** What a worker says about records that were gone when it came to them. */
interface Gap {
  topic: string
  partition: number
  from: number
  to: number
}

describe.skipIf(!servicesThere())('when retention deletes what a worker had still to read', () => {
  let services: DistributedServices
  let tenant: Tenant
  let dir: string
  let client: Kafka
  let input: LineInput
  const workers = new Map<string, HeadwaterProcess>()
  const worker = (stage: string) => workers.get(stage) as HeadwaterProcess
  const start = async (stage: string, more: Settings = {}) =>
    workers.set(stage, await startHeadwater(join(dir, stage), { ...tenant.settings, ...more }, ['worker', stage]))
  /** Ids that retention took from the events, whoever had still to read them. */
  const eaten: string[] = []
  /** Outcomes that were counted, and deleted before they were archived. */
  let unarchived = 0
  const idsAt = (partition: number, from: number, to: number) => input.byPartition[partition]?.slice(from, to) ?? []

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-retention-'))
    services = await startDistributedServices()
    tenant = await newTenant(services, PARTITIONS)
    client = new Kafka({ brokers: services.kafka.bootstrap, logLevel: logLevel.NOTHING })
    await setUpTenant(tenant, join(dir, 'command'))
    input = await lineInput(services.kafka, tenant, PARTITIONS)
    for (const stage of ['filter', 'stats', 'archive']) await start(stage)
    await input.send(200)
    await allStored(tenant)
  }, 400_000)
  afterAll(async () => {
    for (const process of workers.values()) await process.kill()
    await input?.stop()
    await tenant?.close()
    await services?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const unreadBy = (group: string, log: string) =>
    tenant.progress.unread(`${tenant.name}-${group}`, `${tenant.name}-${log}`)
  /** Filter and statistics have read all; the archive may have what it likes. */
  const judged = () =>
    until(
      'all lines to be judged and counted',
      async () =>
        (await unreadBy('filter', 'access-log')) + (await unreadBy('stats', 'scenario-log')) === 0 ? true : undefined,
      60_000,
    )

  /** Deletes the records of a log before these offsets, a partition each. */
  async function deleteBefore(log: string, offsets: readonly number[]): Promise<void> {
    const admin = client.admin()
    await admin.connect()
    try {
      const topic = `${tenant.name}-${log}`
      const highs = (await admin.fetchTopicOffsets(topic)).sort((a, b) => a.partition - b.partition)
      // A line is one event is one record: so the ids of what is gone are known.
      expect(highs.map(({ high }) => Number(high))).toEqual(input.byPartition.map(ids => ids.length))
      const partitions = offsets.map((offset, partition) => ({ partition, offset: String(offset) }))
      await admin.deleteTopicRecords({ topic, partitions })
    } finally {
      await admin.disconnect()
    }
  }

  /** `headwater_<name>` of a worker, the values of all that has these labels added up. */
  async function metric(stage: string, name: string, labels: string): Promise<number> {
    const samples = [...(await metricsOf(worker(stage).ports.metrics))]
    return samples
      .filter(([sample]) => sample.startsWith(`${name}{`) && sample.includes(labels))
      .reduce((sum, [, value]) => sum + value, 0)
  }
  const lostRecords = (stage: string, group: string) =>
    metric(stage, 'headwater_kafka_lost_records_total', `group="${tenant.name}-${group}"`)

  /** Log lines of a worker with this message. */
  const said = (stage: string, message: string) =>
    worker(stage)
      .output()
      .split('\n')
      .filter(line => line.includes(`"msg":"${message}"`))
      .map(line => JSON.parse(line) as Record<string, unknown>)

  /** No file of the archive begins within the range that another one's footer claims. */
  async function expectDisjointFiles(): Promise<void> {
    const copy = await mkdtemp(join(dir, 'copy-'))
    await downloadHdfs(services.hdfs.nameNodeUrl, tenant.root, copy)
    const paths = (await readdir(copy, { recursive: true })).filter(path => path.endsWith('.parquet'))
    expect(paths.length).toBeGreaterThan(PARTITIONS * 2)
    const ranges = new Map<string, [start: number, end: number][]>()
    for (const path of paths) {
      const { metadata } = (await readFooter(localFileStore(copy), path)) ?? { metadata: {} as Record<string, string> }
      const owner = `${metadata['headwater.table']} ${metadata['headwater.partition']}`
      const range: [number, number] = [Number(metadata['headwater.start']), Number(metadata['headwater.end'])]
      ranges.set(owner, [...(ranges.get(owner) ?? []), range])
    }
    expect([...ranges.keys()].sort()).toEqual(['event_log 0', 'event_log 1', 'scenario_log 0', 'scenario_log 1'])
    for (const [owner, list] of ranges) {
      list.sort((a, b) => a[0] - b[0])
      for (const [i, [begin]] of list.entries()) expect(begin, owner).toBeGreaterThanOrEqual(list[i - 1]?.[1] ?? 0)
    }
  }

  it('an archive worker that was away says so, and archives once all that is still there', async () => {
    expect(await worker('archive').stop()).toBe(0)
    await input.send(400)
    await judged()
    // It had archived 100 of each partition. Below that nothing is lost.
    await deleteBefore('event-log', [60, 200])
    await deleteBefore('scenario-log', [200, 200])
    eaten.push(...idsAt(1, 100, 200))
    unarchived += 200

    const doctor = await commandSays(join(dir, 'command'), tenant.settings, ['doctor'])
    expect(doctor.code, doctor.text).toBe(1)
    expect(doctor.text).toContain(`${tenant.name}-archive-event-log: 100 records were deleted by retention`)
    expect(doctor.text).toContain(`${tenant.name}-archive-scenario-log: 200 records were deleted by retention`)

    await start('archive')
    await allStored(tenant)
    const gaps = said('archive', 'Records were deleted before they were archived')
    expect(gaps).toHaveLength(3)
    expect(gaps).toContainEqual(
      expect.objectContaining({ level: 50, table: 'event_log', partition: 1, position: 100, oldest: 200 }),
    )
    await expectDisjointFiles()
    const result = await audit(services, tenant, input)
    expect(result).toMatchObject({ twice: [], invented: [] })
    expect(result.lost.sort()).toEqual([...eaten].sort())
    // The statistics had read them all.
    expect(result.outcomes).toBe(400)
    expect(result.wrongCounters).toHaveLength(1)
    expect(result.wrongCounters[0]).toMatch(/counters say 600 events, .* the archive 400 events/)
  }, 180_000)

  it('an archive worker that hung archives what it holds, and goes on behind the gap', async () => {
    expect(await worker('archive').stop()).toBe(0)
    await start('archive', HOLDING)
    await input.send(100)
    const held = () => metric('archive', 'headwater_kafka_position_records', `${tenant.name}-archive-`)
    await until('the archive worker to hold them', async () => ((await held()) === 4 * 350 ? true : undefined), 60_000)
    worker('archive').pause()
    try {
      // The broker answers the fetch under way, at the latest after 250 ms, and gets no other one.
      await pause(1_000)
      await input.send(100)
      await judged()
      // [300, 350) of each are held, [350, 400) are not; of these 20 go, and the files' first records with them.
      for (const log of ['event-log', 'scenario-log']) await deleteBefore(log, [370, 370])
    } finally {
      worker('archive').resume()
    }
    await until(
      'the archive worker to read the rest',
      async () => ((await held()) === 4 * 400 ? true : undefined),
      60_000,
    )
    // What the client had fetched before it hung was not lost.
    const gaps = said('archive', 'Retention deleted records before they were read') as unknown as Gap[]
    expect(gaps.length).toBeGreaterThan(0)
    for (const log of ['event-log', 'scenario-log'] as const) {
      const ofLog = gaps.filter(({ topic }) => topic === `${tenant.name}-${log}`)
      for (const gap of ofLog) expect(gap).toMatchObject({ level: 50, from: 350, to: 370 })
      expect(await lostRecords('archive', `archive-${log}`)).toBe(ofLog.length * 20)
      if (log === 'scenario-log') unarchived += ofLog.length * 20
      else for (const { partition, from, to } of ofLog) eaten.push(...idsAt(partition, from, to))
    }
    expect(await worker('archive').stop()).toBe(0)
    await allStored(tenant)
    await expectDisjointFiles()
    const result = await audit(services, tenant, input)
    expect(result).toMatchObject({ twice: [], invented: [] })
    expect(result.lost.sort()).toEqual([...eaten].sort())
    expect(result.outcomes).toBe(800 - unarchived)
    await start('archive')
  }, 180_000)

  it('a filter worker says so, and writes one dead letter with the range', async () => {
    expect(await worker('filter').stop()).toBe(0)
    await input.send(200)
    await deleteBefore('access-log', [450, 400])
    eaten.push(...idsAt(0, 400, 450))
    await start('filter')
    await allStored(tenant)
    expect(await lostRecords('filter', 'filter')).toBe(50)
    expect(await filterResults(worker('filter').ports.metrics)).toMatchObject({ lost_to_retention: 50 })
    expect(said('filter', 'Retention deleted records before they were read')).toMatchObject([
      { level: 50, partition: 0, from: 400, to: 450 },
    ])
    const letters = await topicContent(client, `${tenant.name}-dead-letter`)
    expect(letters).toHaveLength(1)
    expect(letters[0]).toMatchObject({ partition: 0, value: expect.stringContaining('lost_to_retention') })
    expect(letters[0]?.value).toContain('access-log [400, 450)')

    await expectDisjointFiles()
    const result = await audit(services, tenant, input)
    expect(result).toMatchObject({ twice: [], invented: [] })
    expect(result.lost.sort()).toEqual([...eaten].sort())
    // Nobody counted what was never judged.
    expect(result.outcomes).toBe(950 - unarchived)
    expect(result.wrongCounters[0]).toMatch(
      new RegExp(`counters say 950 events, .* the archive ${950 - unarchived} events`),
    )
  }, 180_000)
})
