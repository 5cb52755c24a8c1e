import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filterResults, sumOf } from '../src/filter-results.ts'
import { runHeadwater, type Settings, spawnHeadwater, startHeadwater } from '../src/headwater-process.ts'
import type { CounterRow } from '../src/round-result.ts'
import { scenario } from '../src/scenarios.ts'
import { until } from '../src/until.ts'

const LINES = 6_000
const SCENARIOS = [
  scenario(5, { filters: [{ left: 'age', operator: '>', right: '20' }] }),
  scenario(1, { site_id: 1, log_format: { '*': 1 } }),
  scenario(2, {
    site_id: 1,
    filters: [
      { left: 'bot', operator: '==', right: 'false' },
      { left: 'query.mtm_source', operator: 'exists' },
      { left: 'h', operator: '>=', right: '9' },
    ],
  }),
  scenario(3, { site_id: 1, filters: [{ left: 'weekday', operator: 'in', right: '6,7' }], timezone: 'UTC' }),
]

interface Row extends CounterRow {
  last_event_at: string
}
const counted = (rows: readonly Row[]) =>
  rows.map(({ scenario_id, judging_version, total_count, success_count, last_event_at }) => ({
    scenario_id,
    judging_version,
    total_count,
    success_count,
    last_event_at,
  }))

let dir: string
let data: string
let settings: Settings
let live: Row[]
const json = async (args: string[]): Promise<Row[]> => JSON.parse(await runHeadwater(data, settings, args)) as Row[]

// A log of two days, read by a server that runs until all of it is counted and archived.
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-replay-'))
  data = join(dir, 'data')
  const file = join(dir, 'scenarios.json')
  await writeFile(file, JSON.stringify(SCENARIOS))
  settings = { HEADWATER_SCENARIOS_FILE: file, HEADWATER_LOG_LEVEL: 'warn' }
  await mkdir(join(data, 'log'), { recursive: true })
  const log = join(data, 'log', 'access.log')
  await runHeadwater(data, settings, [
    ...[
      'demo',
      '--lines',
      String(LINES),
      '--out',
      log,
      '--seed',
      '11',
      '--start',
      '2026-03-06T18:00:00Z',
      '--span',
      '12h',
    ],
  ])
  // Some lines that are no events, and one event of a scenario that never was.
  const demo = (await readFile(log, 'latin1')).split('\n')
  const click = demo.find(line => line.includes(' /5?') || line.includes('"POST /5?')) as string
  demo.splice(100, 0, 'half a line', click.replace('/5?', '/99?').replace(/hw_id=[\w-]+/, 'hw_id=of-no-scenario'))
  await writeFile(log, demo.join('\n'), 'latin1')
  const server = await startHeadwater(data, settings)
  await until('all lines to be judged', async () =>
    sumOf(await filterResults(server.ports.metrics)) === LINES + 2 ? true : undefined,
  )
  expect((await filterResults(server.ports.metrics)).duplicate).toBeGreaterThan(0)
  expect(await server.stop()).toBe(0)
  live = await json(['stats', '--json'])
  expect(live.reduce((sum, row) => sum + row.success_count, 0)).toBeGreaterThan(LINES / 2)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

// Each starts several processes.
describe('headwater replay', { timeout: 90_000 }, () => {
  it('judges the archive as it was judged when it came', async () => {
    expect(counted(await json(['replay', '--json']))).toEqual(counted(live))
  })

  it('changes no version and no counter, also with the scenarios of another file; nor does headwater stats', async () => {
    const versions = join(data, 'state', 'scenario-versions.json')
    const noted = await readFile(versions, 'utf8')
    const examples: Settings = { HEADWATER_LOG_LEVEL: 'warn' }
    await runHeadwater(data, examples, ['replay', '--json'])
    await runHeadwater(data, examples, ['stats', '--json'])
    expect(await readFile(versions, 'utf8')).toBe(noted)
    expect(counted(await json(['stats', '--json']))).toEqual(counted(live))
  })

  it('judges the log files as they were judged, repeats dropped, however the files are named and packed', async () => {
    const logs = join(dir, 'logs')
    await mkdir(logs)
    const lines = (await readFile(join(data, 'log', 'access.log'), 'latin1')).trimEnd().split('\n')
    // The names sort against the order of time.
    await writeFile(join(logs, 'b.gz'), gzipSync(Buffer.from(`${lines.slice(0, 2_500).join('\n')}\n`, 'latin1')))
    await writeFile(join(logs, 'a.log'), lines.slice(2_500).join('\n'), 'latin1')
    const files = (await readdir(logs)).sort().map(name => join(logs, name))
    expect(counted(await json(['replay', '--json', ...files]))).toEqual(counted(live))
  })

  it('gives the parts of a range that add up, and takes one scenario out of all', async () => {
    const part = async (...range: string[]) => (await json(['replay', '--json', '--scenario', '1', ...range]))[0] as Row
    const first = await part('--until', '2026-03-06')
    const second = await part('--from', '2026-03-07')
    const whole = live.find(row => row.scenario_id === 1)?.total_count as number
    expect(first.total_count).toBeGreaterThan(0)
    expect(second.total_count).toBeGreaterThan(0)
    expect(first.total_count + second.total_count).toBe(whole)
    expect((await part('--site', '2')).total_count).toBe(0)
  })

  it('writes a new archive that a query reads, and that is replayed to the same result', async () => {
    const to = join(dir, 'what-if')
    await runHeadwater(data, settings, ['replay', '--to', to, join(data, 'log', 'access.log')])
    const sql = (select: string) => runHeadwater(to, settings, ['query', '--json', select])
    expect(
      JSON.parse(
        await sql(
          'SELECT scenario_id, count(*)::INT AS total, sum(success)::INT AS success FROM scenario_log GROUP BY 1 ORDER BY 1',
        ),
      ),
    ).toEqual(live.map(row => ({ scenario_id: row.scenario_id, total: row.total_count, success: row.success_count })))
    // The hour of arrival is the log's, not the hour of the replay.
    expect(JSON.parse(await sql('SELECT DISTINCT day::TEXT AS day FROM event_log ORDER BY 1'))).toEqual([
      { day: '2026-03-06' },
      { day: '2026-03-07' },
    ])
    const again = JSON.parse(await runHeadwater(to, settings, ['replay', '--json'])) as Row[]
    expect(counted(again)).toEqual(counted(live))
    await expect(runHeadwater(data, settings, ['replay', '--to', to])).rejects.toMatchObject({
      stderr: expect.stringContaining('must be empty'),
    })
  })

  it('that is stopped keeps nothing, and says so by status 130', async () => {
    const long = join(dir, 'long.log')
    const text = await readFile(join(data, 'log', 'access.log'), 'latin1')
    await writeFile(long, text.repeat(30), 'latin1')
    const to = join(dir, 'stopped')
    const child = spawnHeadwater(data, settings, ['replay', long, '--to', to])
    const ended = once(child, 'exit')
    await until('the new archive to be begun', async () => existsSync(join(to, '_unfinished')) || undefined)
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    expect(await readdir(to)).toEqual([])
  })

  it('leaves live counters, positions and archive as they are, and makes no data folder', async () => {
    const before = await readFile(join(data, 'state', 'stats.json'), 'utf8')
    await runHeadwater(data, settings, ['replay'])
    expect(await readFile(join(data, 'state', 'stats.json'), 'utf8')).toBe(before)
    const none = join(dir, 'none')
    await runHeadwater(none, settings, ['replay', '--json', join(data, 'log', 'access.log')])
    await expect(readdir(none)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('tries a draft and a disabled scenario, and says every fault of a draft', async () => {
    const draft = join(dir, 'draft.json')
    await writeFile(
      draft,
      JSON.stringify([scenario(70, { site_id: 1, enabled: false, filters: [{ left: 'e_c', operator: 'exists' }] })]),
    )
    const [row] = await json(['replay', '--json', '--scenarios', draft, '--scenario', '70'])
    expect(row?.success_count).toBeGreaterThan(0)
    expect((await json(['replay', '--json', '--scenarios', draft]))[0]?.total_count).toBe(0)
    await writeFile(draft, JSON.stringify([scenario(70, { filters: [{ left: 'a', operator: '=~', right: 'b' }] })]))
    await expect(json(['replay', '--scenarios', draft])).rejects.toMatchObject({
      stderr: expect.stringMatching(/^SCENARIO_INVALID: .*\n +scenario 70 .*operator/),
    })
  })

  it('makes page views of a web server’s log', async () => {
    const web = join(dir, 'web.log')
    const line = (request: string, status = 200, agent = 'Mozilla/5.0 (Windows NT 10.0) Firefox/128.0') =>
      `203.0.113.9 - - [06/Mar/2026:10:00:00 +0900] "${request}" ${status} 1234 "https://www.google.com/" "${agent}" 0.003 extra`
    await writeFile(
      web,
      [
        line('GET /shoes?mtm_source=mail HTTP/1.1'),
        line('GET / HTTP/2.0', 304),
        line('GET /logo.png HTTP/1.1'),
        line('GET /gone HTTP/1.1', 404),
        line('POST /cart HTTP/1.1'),
        line('GET / HTTP/1.1', 200, 'Googlebot/2.1 (+http://www.google.com/bot.html)'),
      ].join('\n'),
    )
    const rows = await json(['replay', '--json', '--as', 'pageviews', '--host', 'shop.example', web])
    expect(rows.map(row => [row.scenario_id, row.total_count, row.success_count])).toEqual([
      [1, 2, 2],
      [2, 2, 0],
      [3, 2, 0],
      [5, 0, 0],
    ])
    await expect(json(['replay', '--as', 'pageviews', web])).rejects.toMatchObject({
      stderr: expect.stringContaining('--host https://shop.example'),
    })
  })
})
