import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DistributedServices, downloadHdfs, startDistributedServices, startFluentd } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareArchives } from '../../src/compare-archives.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { allStored, filesIn, newTenant, setUpTenant, type Tenant } from '../../src/distributed/tenant.ts'
import { filterResults } from '../../src/filter-results.ts'
import { type HeadwaterProcess, runHeadwater, startHeadwater } from '../../src/headwater-process.ts'
import { metricsOf } from '../../src/metrics-of.ts'
import { type MixedLog, writeMixedLog } from '../../src/mixed-log.ts'
import { menByDay, scenario } from '../../src/scenarios.ts'
import { until } from '../../src/until.ts'

const LINES = 190_000
const SEED = 20_261_122
const MEMBERS = [
  'member_id,age,gender',
  ...Array.from({ length: 60 }, (_, i) => `${100_000 + i},${i % 50},${i % 2 === 0 ? 'MALE' : 'FEMALE'}`),
]
const SCENARIOS = [
  menByDay(),
  scenario(1, { site_id: 1, log_format: { '*': 1 } }),
  scenario(7, {
    site_id: 1,
    log_format: { e_n: 1, memberId: 1, h: 1 },
    timezone: 'Asia/Seoul',
    filters: [{ left: 'e_a', operator: 'contains', right: '구매' }],
  }),
  scenario(8, { site_id: 1, enabled: false }),
]

/** What `stats --json` and `replay --json` print of a scenario. */
interface Counted {
  scenario_id: number
  judging_version: number
  total_count: number
  success_count: number
}

describe.skipIf(!servicesThere('Fluentd'))('both modes', () => {
  let services: DistributedServices
  let dir: string
  let mixed: MixedLog
  /** What the embedded mode came to. */
  let embedded: { counters: Counted[]; results: Record<string, number> }
  /** What was used last: its stores hold all that there is to hold. */
  let tenant: Tenant | undefined
  const running = new Set<HeadwaterProcess>()
  const files = () => filesIn(dir)

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'headwater-both-'))
    await writeFile(join(dir, 'scenarios.json'), JSON.stringify(SCENARIOS))
    await writeFile(join(dir, 'members.csv'), MEMBERS.join('\n'))
    services = await startDistributedServices()
    mixed = await writeMixedLog({ file: join(dir, 'access.log'), lines: LINES, seed: SEED, dataDir: join(dir, 'none') })
    console.log(`the log: ${JSON.stringify(mixed)}`)
    embedded = await throughEmbedded()
  }, 600_000)
  afterAll(async () => {
    for (const process of running) await process.kill()
    await tenant?.close()
    await services?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  async function throughEmbedded(): Promise<typeof embedded> {
    const data = join(dir, 'embedded')
    await mkdir(join(data, 'log'), { recursive: true })
    await copyFile(join(dir, 'access.log'), join(data, 'log', 'access.log'))
    const server = await startHeadwater(data, { HEADWATER_LOG_LEVEL: 'warn' }, ['start', ...files()])
    running.add(server)
    await until(
      'the embedded mode to read the log',
      async () =>
        (await metricsOf(server.ports.metrics)).get('headwater_filter_lines_total') === mixed.lines || undefined,
      300_000,
    )
    const results = await filterResults(server.ports.metrics)
    expect(await server.stop()).toBe(0)
    running.delete(server)
    const counters = JSON.parse(await runHeadwater(data, {}, ['stats', '--json', ...files()]))
    return { counters, results }
  }

  it.each(['Fluentd', 'ship'] as const)(
    'come to the same counters and the same rows for the same log, sent by %s to three workers',
    async by => {
      await tenant?.close()
      const fresh = await newTenant(services, 3)
      tenant = fresh
      const data = (name: string) => join(dir, `${by}-${name}`)
      await setUpTenant(fresh, data('command'), dir)
      const workers = await Promise.all(
        [1, 2, 3].map(n =>
          startHeadwater(data(`worker-${n}`), fresh.settings, ['worker', 'filter', 'stats', 'archive']),
        ),
      )
      for (const worker of workers) running.add(worker)

      const log = join(dir, 'access.log')
      let sent: { stop(): Promise<unknown> }
      if (by === 'Fluentd') {
        sent = await startFluentd({
          log,
          brokers: services.kafka.bootstrap,
          topic: `${fresh.name}-access-log`,
        })
      } else sent = await startHeadwater(data('ship'), fresh.settings, ['ship', '--file', log])
      await until(
        'all lines to be in Kafka',
        async () => ((await fresh.progress.records(`${fresh.name}-access-log`)) >= mixed.lines ? true : undefined),
        300_000,
      )
      await sent.stop()
      await allStored(fresh, 300_000)

      const results: Record<string, number> = {}
      for (const worker of workers) {
        for (const [result, n] of Object.entries(await filterResults(worker.ports.metrics)))
          results[result] = (results[result] ?? 0) + n
        expect(await worker.stop()).toBe(0)
        running.delete(worker)
      }
      const counters = JSON.parse(await runHeadwater(data('command'), fresh.settings, ['stats', '--json']))
      await downloadHdfs(services.hdfs.nameNodeUrl, fresh.root, data('archive'))
      const differences = await compareArchives(join(dir, 'embedded', 'archive'), data('archive'))
      console.log(`${by}: ${JSON.stringify({ results, differences })}`)

      expect(mixed.repeats).toBeGreaterThan(0)
      expect(results).toEqual(embedded.results)
      expect(results.duplicate).toBeGreaterThan(0)
      expect(counters).toEqual(embedded.counters)
      expect(differences).toMatchObject([{ onlyIn: [0, 0] }, { onlyIn: [0, 0] }])
    },
    900_000,
  )

  it('tell the same of the past: query, replay by the scenarios in MariaDB, counters made anew for an empty Redis', async () => {
    const settings = { ...tenant?.settings, HEADWATER_REDIS_URL: `${services.redis.url}/15` }
    const command = (...args: string[]) => runHeadwater(join(dir, 'afterwards'), settings, args)
    const total = embedded.counters.reduce((n, { total_count }) => n + total_count, 0)
    expect(JSON.parse(await command('query', '--json', 'SELECT count(*)::INT AS n FROM scenario_log'))).toEqual([
      { n: total },
    ])
    const counts = (rows: Counted[]) =>
      rows.map(({ scenario_id, judging_version, total_count, success_count }) => ({
        scenario_id,
        judging_version,
        total_count,
        success_count,
      }))
    expect(counts(JSON.parse(await command('replay', '--json')))).toEqual(counts(embedded.counters))

    const before: Counted[] = JSON.parse(await command('stats', '--json'))
    expect(before.map(({ total_count }) => total_count)).toEqual(before.map(() => 0))
    console.log(await command('stats', 'rebuild'))
    expect(JSON.parse(await command('stats', '--json'))).toEqual(embedded.counters)
  }, 300_000)
})
