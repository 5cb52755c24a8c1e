import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  type HeadwaterProcess,
  runHeadwater,
  type Settings,
  spawnHeadwater,
  startHeadwater,
} from '../src/headwater-process.ts'
import { killAtAnyMoment } from '../src/kill-at-any-moment.ts'
import { scenario } from '../src/scenarios.ts'
import { seededRandom } from '../src/seeded-random.ts'
import { until } from '../src/until.ts'

const VISITOR = '00000000000000aa'
const OTHER = '00000000000000bb'

let dir: string
let data: string
let settings: Settings
let server: HeadwaterProcess | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-forget-'))
  data = join(dir, 'data')
  const scenarios = join(dir, 'scenarios.json')
  await writeFile(
    scenarios,
    JSON.stringify([scenario(5, { log_format: { _id: 1 } }), scenario(6, { log_format: { e_c: 1 } })]),
  )
  settings = { HEADWATER_SCENARIOS_FILE: scenarios, HEADWATER_LOG_LEVEL: 'warn' }
})
afterEach(async () => {
  await server?.kill()
  server = undefined
  await rm(dir, { recursive: true, force: true })
})

let sent = 0
/** Events to both scenarios; resolves when they are acknowledged. */
async function send(count: number, visitor: string, query = ''): Promise<void> {
  const { ports } = server as HeadwaterProcess
  for (let n = 0; n < count; n++) {
    const url = `http://127.0.0.1:${ports.gateway}/${5 + (n % 2)}?_id=${visitor}&e_c=c&hw_id=${visitor}-${sent++}${query}`
    expect((await fetch(url)).status).toBe(204)
  }
}

interface Told {
  before: number
  tables: { table: string; found: number; removed: number; left: number; since: number }[]
  unarchived: number
  deleted?: number
  remains: { files: { path: string; lines: number; until?: string }[]; deadLetters: { lines: number }[] }
}
const forget = async (...args: string[]) =>
  JSON.parse(await runHeadwater(data, settings, ['forget', '--json', ...args])) as Told
const rows = async (sql: string) =>
  JSON.parse(await runHeadwater(data, settings, ['query', '--json', sql])) as Record<string, number | string>[]
/** Rows by visitor in event_log, and all of scenario_log. */
const counts = async () =>
  (
    await rows(`SELECT (SELECT count(*) FROM event_log WHERE visitor_id = '${VISITOR}')::INT AS mine,
      (SELECT count(DISTINCT event_id) FROM event_log WHERE visitor_id = '${OTHER}')::INT AS others,
      (SELECT count(*) FROM event_log)::INT AS events, (SELECT count(*) FROM scenario_log)::INT AS outcomes`)
  )[0]
const total = async () =>
  (JSON.parse(await runHeadwater(data, settings, ['stats', '--json'])) as { total_count: number }[]).reduce(
    (sum, row) => sum + row.total_count,
    0,
  )

it('while the server runs it finds what was acknowledged just now, and the counters stay', async () => {
  server = await startHeadwater(data, settings)
  await send(40, VISITOR)
  await send(30, OTHER)
  expect(
    (await forget('--visitor', VISITOR, '--dry-run')).tables.map(({ found, removed }) => [found, removed]),
  ).toEqual([
    [40, 0],
    [40, 0],
  ])
  const told = await forget('--visitor', VISITOR)
  expect(told.tables.map(({ table, removed, left }) => [table, removed, left])).toEqual([
    ['scenario_log', 40, 0],
    ['event_log', 40, 0],
  ])
  expect(told.remains.files.map(({ lines }) => lines)).toEqual([40])
  expect(await counts()).toEqual({ mine: 0, others: 30, events: 30, outcomes: 30 })
  expect(await total()).toBe(70)

  // The visitor comes back, and the server was not disturbed.
  await send(4, VISITOR)
  expect(await server.stop()).toBe(0)
  server = undefined
  expect(await counts()).toEqual({ mine: 4, others: 30, events: 34, outcomes: 34 })
  expect(await total()).toBe(74)

  // Stopped, it takes the rest, and with --logs what every reader is past; a stranger's words are refused.
  const stopped = await forget('--visitor', VISITOR, '--logs')
  expect(stopped).toMatchObject({ unarchived: 0 })
  expect(await counts()).toEqual({ mine: 0, others: 30, events: 30, outcomes: 30 })
  await expect(forget('--visitor', 'me')).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/16 hex/) })
  await expect(forget()).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/one of --visitor/) })
  server = await startHeadwater(data, settings)
  await send(2, OTHER)
  expect(await server.stop()).toBe(0)
  server = undefined
  expect(await counts()).toEqual({ mine: 0, others: 32, events: 32, outcomes: 32 })
}, 120_000)

it('after a kill of the server it says that events wait, and finds them after the next start', async () => {
  server = await startHeadwater(data, settings)
  await send(10, VISITOR, '&memberId=m%201')
  await until('the events to be judged', async () => ((await total()) >= 10 ? true : undefined))
  await server.kill()
  server = undefined
  const killed = await runHeadwater(data, settings, ['forget', '--member', 'm 1']).catch(error => error)
  expect(killed).toMatchObject({ code: 1, stdout: expect.stringMatching(/^! What came last waits in the logs/m) })
  server = await startHeadwater(data, settings)
  const told = await forget('--member', 'm 1')
  expect(told.tables.map(({ removed, left }) => [removed, left])).toEqual([
    [10, 0],
    [10, 0],
  ])
}, 120_000)

it('killed at any moment, under load, it loses no other row and shows none twice', async () => {
  const seed = Number(process.env.HEADWATER_SEED ?? Date.now() % 1_000_000)
  console.log(`forget: seed ${seed}`)
  const random = seededRandom(seed)
  server = await startHeadwater(data, { ...settings, HEADWATER_ARCHIVE_ROLL_EVERY_MS: '200' })
  let loading = true
  let others = 0
  const load = (async () => {
    while (loading) {
      await send(4, OTHER)
      others += 4
      await send(2, VISITOR)
    }
  })()
  load.catch(() => {})
  await killAtAnyMoment({
    times: 5,
    random,
    start: () => spawnHeadwater(data, settings, ['forget', '--visitor', VISITOR]),
    check: async () => {
      const seen = await rows('SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS ids FROM event_log')
      expect(seen[0]?.n).toBe(seen[0]?.ids)
    },
  })
  loading = false
  await load
  const told = await forget('--visitor', VISITOR)
  expect(told.tables.map(({ left, since }) => [left, since])).toEqual([
    [0, 0],
    [0, 0],
  ])
  expect(await counts()).toEqual({ mine: 0, others, events: others, outcomes: others })
  expect(await total()).toBe(others * 1.5)
  expect(await server.stop()).toBe(0)
  server = undefined
}, 180_000)

it('days beyond archive.keepDays go by themselves', async () => {
  server = await startHeadwater(data, settings)
  await send(10, OTHER)
  expect(await server.stop()).toBe(0)
  for (const table of ['event_log', 'scenario_log']) {
    const folder = join(data, 'archive', table)
    for (const day of await readdir(folder)) await rename(join(folder, day), join(folder, 'day=2020-02-03'))
  }
  server = await startHeadwater(data, { ...settings, HEADWATER_ARCHIVE_KEEP_DAYS: '1' })
  await until('the rows to be gone', async () => ((await counts())?.events === 0 ? true : undefined))
  await send(6, OTHER)
  expect(await server.stop()).toBe(0)
  server = undefined
  expect(await counts()).toEqual({ mine: 0, others: 6, events: 6, outcomes: 6 })
  expect(await total()).toBe(16)
}, 120_000)
