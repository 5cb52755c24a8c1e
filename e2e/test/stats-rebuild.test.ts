import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { filterResults } from '../src/filter-results.ts'
import { type HeadwaterProcess, runHeadwater, type Settings, startHeadwater } from '../src/headwater-process.ts'
import type { CounterRow } from '../src/round-result.ts'
import { scenario } from '../src/scenarios.ts'
import { until } from '../src/until.ts'

/** The archive never closes a file by itself. */
const HOLD = { HEADWATER_ARCHIVE_ROLL_EVERY_MS: '3600000', HEADWATER_ARCHIVE_ROLL_IDLE_MS: '3600000' }

let dir: string
let data: string
let settings: Settings
let server: HeadwaterProcess | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-rebuild-'))
  data = join(dir, 'data')
  const scenarios = join(dir, 'scenarios.json')
  await writeFile(
    scenarios,
    JSON.stringify([scenario(5, { filters: [{ left: 'h', operator: '>=', right: '9' }] }), scenario(6)]),
  )
  settings = {
    HEADWATER_SCENARIOS_FILE: scenarios,
    HEADWATER_LOG_LEVEL: 'warn',
    HEADWATER_STATS_APPLY_EVERY_MS: '100',
  }
})
afterEach(async () => {
  await server?.kill()
  server = undefined
  await rm(dir, { recursive: true, force: true })
})

async function send(count: number): Promise<void> {
  const { ports } = server as HeadwaterProcess
  for (let n = 0; n < count; n++) {
    const url = `http://127.0.0.1:${ports.gateway}/${5 + (n % 2)}?_id=0123456789abcdef&h=${n % 24}`
    expect((await fetch(url)).status).toBe(204)
  }
  await until('the events to be judged', async () =>
    (await filterResults(ports.metrics)).judged === count ? true : undefined,
  )
}

interface Row extends CounterRow {
  last_event_at: string
}
const stats = async () => JSON.parse(await runHeadwater(data, settings, ['stats', '--json'])) as Row[]
const rebuild = () => runHeadwater(data, settings, ['stats', 'rebuild'])
const total = (rows: readonly Row[]) => rows.reduce((sum, row) => sum + row.total_count, 0)
const liveTotal = async () =>
  total((await (await fetch(`http://127.0.0.1:${server?.ports.metrics}/stats`)).json()).rows as Row[])
/** The series by scenario, as they stand in the file. */
const storedSeries = async (): Promise<number[][]> =>
  JSON.parse(await readFile(join(data, 'state', 'stats.json'), 'utf8')).partitions['0'].counters.series.sort(
    (a: number[], b: number[]) => Number(a[0]) - Number(b[0]),
  )

it('lost counters: start refuses, a rebuild brings them back as they were, time buckets too', async () => {
  server = await startHeadwater(data, settings)
  await send(40)
  expect(await server.stop()).toBe(0)
  const before = await stats()
  const series = await storedSeries()
  expect(total(before)).toBe(40)

  await rm(join(data, 'state', 'stats.json'))
  await expect(runHeadwater(data, settings, ['start'])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Run `headwater stats rebuild`'),
  })
  expect(await rebuild()).toContain('Counted 40 outcomes of 2 scenarios')
  expect(await stats()).toEqual(before)
  expect(await storedSeries()).toEqual(series)
})

it('after a rebuild the next start counts what the archive had not yet, and nothing twice', async () => {
  server = await startHeadwater(data, settings)
  await send(30)
  expect(await server.stop()).toBe(0)
  server = await startHeadwater(data, { ...settings, ...HOLD })
  await send(20)
  await until('all to be counted and stored', async () =>
    (await storedSeries()).reduce((sum, series) => sum + Number(series[2]), 0) === 50 ? true : undefined,
  )
  await server.kill() // 20 outcomes lie in the segments only
  const live = await stats()
  await writeFile(join(data, 'state', 'stats.json'), '{"format":1,"parti')

  const said = await rebuild()
  expect(said).toMatch(/The damaged counters are kept/)
  expect(said).toMatch(/Counted 30 outcomes/)
  expect(said).toMatch(/at most 20 outcomes/)
  expect(total(await stats())).toBe(30)

  server = await startHeadwater(data, settings)
  await until('the rest to be counted', async () => ((await liveTotal()) >= 50 ? true : undefined))
  expect(await server.stop()).toBe(0)
  server = undefined
  expect(await stats()).toEqual(live)
  const archived = JSON.parse(
    await runHeadwater(data, settings, [
      'query',
      '--json',
      'SELECT scenario_id, judging_version, count(*)::INT AS total_count, sum(success)::INT AS success_count ' +
        'FROM scenario_log GROUP BY ALL ORDER BY 1',
    ]),
  ) as object[]
  expect(await stats()).toEqual(archived.map(row => expect.objectContaining(row)))
})

it('a rebuild is refused while a process works in the folder', async () => {
  server = await startHeadwater(data, settings)
  await expect(rebuild()).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^DATA_DIR_IN_USE: .*process \d+ works in/),
  })
})
