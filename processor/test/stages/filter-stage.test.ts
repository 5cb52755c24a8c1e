import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashEventId } from '@headwater/core'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  createProcessorMetrics,
  DeadLetterBudget,
  type FilterStage,
  type FilterStageOptions,
  fileMemberStore,
  filterStage,
  type IdBatch,
  type JudgedBatch,
  jsonScenarioStore,
  type LineBatch,
  type LogWriter,
  type MemberStore,
  type Position,
  ProcessorError,
  type ScenarioStore,
  SegmentLog,
  segmentLogWriter,
} from '../../src/index.ts'

// The stage over its real neighbours: scenario and member files, segment files. Only the lines are handed over by hand.

const log = pino({ level: 'silent' })
const DAY = 86_400_000
const NOW = Date.UTC(2026, 5, 18, 12)
let dir: string
let segments: SegmentLog
let scenarios: ScenarioStore
let members: MemberStore
let registry: Registry

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headwater-filter-'))
  await writeFile(
    join(dir, 'scenarios.json'),
    JSON.stringify([
      {
        scenario_id: 5,
        title: 'adults',
        log_format: { memberId: 1 },
        filters: [{ left: 'age', operator: '>', right: '20' }],
      },
      { scenario_id: 8, title: 'off', enabled: false, filters: [] },
    ]),
  )
  await writeFile(join(dir, 'members.csv'), 'member_id,age\nold,40\nyoung,15\n')
  scenarios = jsonScenarioStore({ file: join(dir, 'scenarios.json'), stateFile: join(dir, 'versions.json'), log })
  members = fileMemberStore({ file: join(dir, 'members.csv'), log })
  segments = await openSegments()
})
afterEach(async () => {
  await segments.close()
  await rm(dir, { recursive: true })
})

const openSegments = () => SegmentLog.open({ dir: join(dir, 'segments'), durability: 'write', source: 'test', log })

/** The stage as a process starts it, with what it wrote into its logs. */
async function start(overrides: Partial<FilterStageOptions> = {}): Promise<{
  stage: FilterStage
  position: Position
  written: JudgedBatch[]
  results: () => Promise<Record<string, number>>
}> {
  const written: JudgedBatch[] = []
  const real = overrides.writer ?? segmentLogWriter({ segments })
  const writer: LogWriter = {
    position: partition => real.position(partition),
    ids: (partition, since) => real.ids(partition, since),
    async append(batch) {
      await real.append(batch)
      written.push(batch)
    },
  }
  registry = new Registry()
  const stage = filterStage({
    source: { name: 'test', run: async () => {}, commit: async () => {} },
    scenarios,
    members,
    timezone: 'UTC',
    ingestSiteId: 1,
    dedup: { windowMs: DAY, maxIds: 1000 },
    deadLetterBudget: new DeadLetterBudget(1 << 20),
    metrics: createProcessorMetrics(registry).filter,
    log,
    ...overrides,
    writer,
  })
  const position = await stage.assigned({ partition: 0, committed: undefined, oldest: 0, end: 0 })
  const results = async () => {
    const metric = await registry.getSingleMetric('headwater_filter_events_total')?.get()
    return Object.fromEntries(metric?.values.map(({ labels, value }) => [String(labels.result), value]) ?? [])
  }
  return { stage, position, written, results }
}

/** An access-log line of format `headwater`. */
const line = (target: string, atMs = NOW) =>
  `203.0.113.9 - - [18/Jun/2026:12:00:00 +0000] "GET ${target} HTTP/1.1" 204 0 "-" "test" "-" ` +
  `0123456789abcdef0123456789abcdef ${(atMs / 1000).toFixed(3)} "-"`

function batch(from: number, lines: readonly string[], more: Partial<LineBatch> = {}): LineBatch {
  const positions: number[] = []
  let at = from
  for (const text of lines) {
    positions.push(at)
    at += text.length + 1
  }
  return { partition: 0, from, to: at, lines, positions, tooLong: [], arrivedAt: NOW, ...more }
}

const outcomesOf = (written: readonly JudgedBatch[]) =>
  written.flatMap(({ events }) =>
    events.flatMap(({ event, outcomes }) => outcomes.map(o => [event.eventId, o.success])),
  )

it('judges with the member, and stores the input position with what it decided', async () => {
  const { stage, position, written } = await start()
  expect(position).toBe(0)
  const first = batch(0, [line('/5?memberId=old&hw_id=a'), line('/5?memberId=young&hw_id=b'), line('/5?hw_id=c')])
  expect(await stage.take(first)).toBe(first.to)
  expect(outcomesOf(written)).toEqual([
    ['a', 1],
    ['b', 0],
    ['c', 0],
  ])
  expect(await segmentLogWriter({ segments }).position(0)).toBe(first.to)
})

it('drops an id that was accepted before, also by the process before', async () => {
  const { stage } = await start()
  const first = batch(0, [line('/5?hw_id=a'), line('/5?hw_id=a'), line('/5?hw_id=b')])
  await stage.take(first)
  await segments.close()
  segments = await openSegments()

  const again = await start()
  expect(again.position).toBe(first.to)
  await again.stage.take(batch(first.to, [line('/5?hw_id=b&hw_try=1'), line('/5?hw_id=c')]))
  expect(outcomesOf(again.written)).toEqual([['c', 0]])
  expect(await again.results()).toMatchObject({ duplicate: 1, judged: 1 })
})

it('rebuilds the window by log time: a backlog that is older than the window by the clock still meets its repeats', async () => {
  const old = NOW - 400 * DAY
  const first = batch(0, [line('/5?hw_id=a', old)], { arrivedAt: old })
  await (await start()).stage.take(first)
  const again = await start()
  await again.stage.take(batch(first.to, [line('/5?hw_id=a', old + 1000)], { arrivedAt: old + 1000 }))
  expect(outcomesOf(again.written)).toEqual([])
})

it('accepts an id again when the window has passed', async () => {
  const { stage, written } = await start()
  await stage.take(batch(0, [line('/5?hw_id=a'), line('/5?hw_id=a', NOW + DAY), line('/5?hw_id=a', NOW + DAY + 2000)]))
  expect(outcomesOf(written)).toHaveLength(2)
})

it('decides a batch once, however often a store makes the source ask again', async () => {
  let writerFails = 2
  let membersFail = 2
  const away = () =>
    new ProcessorError('STORE_UNAVAILABLE', 'The store must answer. Found: nothing.', { retryable: true })
  const real = segmentLogWriter({ segments })
  const { stage, written, results } = await start({
    writer: { ...real, append: async b => (writerFails-- > 0 ? Promise.reject(away()) : real.append(b)) },
    members: {
      columns: () => members.columns(),
      get: async ids => (membersFail-- > 0 ? Promise.reject(away()) : members.get(ids)),
    },
  })
  const first = batch(0, [line('/5?memberId=old&hw_id=a'), line('/5?memberId=old&hw_id=b')])
  for (let i = 0; i < 4; i++) await expect(stage.take(first)).rejects.toMatchObject({ retryable: true })
  expect(await stage.take(first)).toBe(first.to)
  expect(outcomesOf(written)).toEqual([
    ['a', 1],
    ['b', 1],
  ])
  expect(await results()).toEqual({ judged: 2 })
})

it('says of everything it does not judge why', async () => {
  const { stage, written, results } = await start()
  const lines = [
    'not a line',
    line('/robots.txt'),
    line('/99?hw_id=a'),
    line('/8?hw_id=b'),
    line('/matomo.php?idsite=3&hw_id=c'),
    'x'.repeat(8192),
  ]
  await stage.take(batch(0, lines, { tooLong: [5] }))
  expect(await results()).toEqual({
    bad_line: 1,
    not_a_beacon: 1,
    unknown_scenario: 1,
    disabled_scenario: 1,
    site_without_scenario: 1,
    line_too_long: 1,
  })
  expect(written[0]?.deadLetters.map(({ reason }) => reason)).toEqual(['bad_line', 'unknown_scenario', 'line_too_long'])
  // Archived, but judged by nobody.
  expect(written[0]?.events.map(({ event, outcomes }) => [event.eventId, outcomes.length])).toEqual([
    ['b', 0],
    ['c', 0],
  ])
})

it('keeps dead letters within the budget and counts the rest', async () => {
  const { stage, written } = await start({ deadLetterBudget: new DeadLetterBudget(1000) })
  await stage.take(
    batch(
      0,
      Array.from({ length: 50 }, () => 'nonsense'),
    ),
  )
  expect(written[0]?.deadLetters.length).toBeLessThan(5)
  const over = await registry.getSingleMetric('headwater_filter_over_budget_dead_letters_total')?.get()
  expect(over?.values[0]?.value).toBe(50 - (written[0]?.deadLetters.length ?? 0))
})

it('judges by a changed scenario from the next batch on', async () => {
  const stop = new AbortController()
  const { stage, written } = await start()
  stage.watch(stop.signal)
  const first = batch(0, [line('/5?memberId=young&hw_id=a')])
  await stage.take(first)
  const [adults] = await scenarios.list()
  await scenarios.save({ ...adults!, filters: [{ left: 'age', operator: '<', right: '20' }] })
  let from = first.to
  for (let i = 0; outcomesOf(written).at(-1)?.[1] !== 1; i++) {
    from = await stage.take(batch(from, [line(`/5?memberId=young&hw_id=next-${i}`)]))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  expect(written.at(-1)?.events[0]?.outcomes[0]).toMatchObject({ scenarioVersion: 2, judgingVersion: 2 })
  stop.abort()
})

/** Logs that keep nothing: what was written before is as the test says. */
function logsWith(position: Position, ids: readonly IdBatch[]): LogWriter {
  return {
    position: async () => position,
    append: async () => {},
    async *ids() {
      yield* ids
    },
  }
}

it('says with one dead letter which range of the input was deleted before it was read, and goes on behind it', async () => {
  const { stage, written, results } = await start({ writer: logsWith(10, []) })
  const behind = batch(50, [line('/5?hw_id=a')])
  expect(await stage.take(behind)).toBe(behind.to)
  await stage.take(batch(behind.to, [line('/5?hw_id=b')]))
  expect(written.flatMap(each => each.deadLetters)).toMatchObject([
    { position: 10, index: 0, reason: 'lost_to_retention', raw: 'test [10, 50)' },
  ])
  expect(await results()).toEqual({ lost_to_retention: 40, judged: 2 })
})

it('takes no event for a repeat of itself when its batch was written but its position was not committed', async () => {
  const ids = (eventId: string, to: Position): IdBatch => {
    const hash = new Uint32Array(2)
    hashEventId(eventId, hash)
    return { to, high: hash.slice(0, 1), low: hash.slice(1), receivedAt: Float64Array.of(NOW) }
  }
  const { stage, results } = await start({ writer: logsWith(10, [ids('before', 10), ids('again', 11)]) })
  await stage.take(batch(10, [line('/5?hw_id=before'), line('/5?hw_id=again')]))
  expect(await results()).toEqual({ duplicate: 1, judged: 1 })
})
