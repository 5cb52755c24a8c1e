import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { filterResults } from '../src/filter-results.ts'
import { type HeadwaterProcess, runHeadwater, type Settings, startHeadwater } from '../src/headwater-process.ts'
import { until } from '../src/until.ts'

let server: HeadwaterProcess | undefined
let dir: string | undefined
afterEach(async () => {
  await server?.kill()
  if (dir !== undefined) await rm(dir, { recursive: true, force: true })
})

async function setUp(more: Settings = {}): Promise<{ data: string; settings: Settings }> {
  dir = await mkdtemp(join(tmpdir(), 'headwater-repeats-'))
  const scenarios = join(dir, 'scenarios.json')
  await writeFile(
    scenarios,
    '[{"scenario_id":6,"title":"all","manager":"t","log_format":{},"filters":[],"logical_operator":"AND"}]',
  )
  const settings = { HEADWATER_SCENARIOS_FILE: scenarios, HEADWATER_LOG_LEVEL: 'warn', ...more }
  return { data: join(dir, 'data'), settings }
}

const send = async (id: string) => {
  const answer = await fetch(`http://127.0.0.1:${server?.ports.gateway}/6?_id=0123456789abcdef&hw_id=${id}`)
  expect(answer.status).toBe(204)
}

const results = () => filterResults(server?.ports.metrics as number)

const counted = (data: string, settings: Settings) =>
  until('all lines to be read', async () => {
    const { judged = 0, duplicate = 0 } = await results()
    return judged + duplicate >= 2 ? { judged, duplicate } : undefined
  }).then(async seen => ({
    ...seen,
    total: JSON.parse(await runHeadwater(data, settings, ['stats', '--json']))[0].total_count as number,
  }))

it('an id that comes again inside the window is counted once, and the repeat is reported', async () => {
  const { data, settings } = await setUp()
  server = await startHeadwater(data, settings)
  await send('again')
  await send('again')
  expect(await counted(data, settings)).toEqual({ judged: 1, duplicate: 1, total: 1 })
})

it('an id that comes again after a kill is counted once', async () => {
  const { data, settings } = await setUp()
  server = await startHeadwater(data, settings)
  await send('over-a-kill')
  await until('the event to be judged', async () => ((await results()).judged === 1 ? true : undefined))
  await server.kill()
  server = await startHeadwater(data, settings)
  await send('over-a-kill')
  await until('the repeat to be seen', async () => ((await results()).duplicate === 1 ? true : undefined))
  expect(
    await until('the counter', async () => {
      const [row] = JSON.parse(await runHeadwater(data, settings, ['stats', '--json']))
      return row.total_count > 0 ? row.total_count : undefined
    }),
  ).toBe(1)
})

it('an id that comes again outside the window is counted again', async () => {
  const { data, settings } = await setUp({ HEADWATER_DEDUP_WINDOW_MS: '1000' })
  server = await startHeadwater(data, settings)
  await send('long-ago')
  await pause(2100) // the window is a length of time: only time can leave it
  await send('long-ago')
  expect(await counted(data, settings)).toEqual({ judged: 2, duplicate: 0, total: 2 })
})
