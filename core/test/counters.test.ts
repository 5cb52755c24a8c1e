import { type CountedOutcome, Counters, MAX_CLOCK_LEAD_MS, type Resolution } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const NOON = Date.UTC(2026, 5, 18, 12)
const LENGTHS: Record<Resolution, { bucketMs: number; kept: number }> = {
  '5s': { bucketMs: 5_000, kept: 180 },
  '1m': { bucketMs: 60_000, kept: 1_440 },
  '1h': { bucketMs: 3_600_000, kept: 720 },
}

const outcome = fc.record({
  scenarioId: fc.integer({ min: 1, max: 3 }),
  judgingVersion: fc.integer({ min: 1, max: 2 }),
  success: fc.constantFrom(0 as const, 1 as const),
  // Near, days late, and hopelessly late.
  date: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: NOON - 1_200_000, max: NOON }) },
    { weight: 3, arbitrary: fc.integer({ min: NOON - 40 * 86_400_000, max: NOON }) },
    { weight: 1, arbitrary: fc.integer({ min: -8e15, max: NOON }) },
  ),
})

/** What a resolution should show of one scenario: every bucket counted, then cut at what is kept. */
function naiveSeries(outcomes: readonly CountedOutcome[], scenarioId: number, resolution: Resolution) {
  const { bucketMs, kept } = LENGTHS[resolution]
  const newest = Math.floor(Math.max(...outcomes.map(o => o.date)) / bucketMs)
  const points = new Map<number, { at: number; total_count: number; success_count: number }>()
  for (const o of outcomes) {
    const number = Math.floor(o.date / bucketMs)
    if (o.scenarioId !== scenarioId || number <= newest - kept) continue
    const point = points.get(number) ?? { at: number * bucketMs, total_count: 0, success_count: 0 }
    points.set(number, point)
    point.total_count += 1
    point.success_count += o.success
  }
  return [...points.values()].sort((a, b) => a.at - b.at)
}

function counted(outcomes: readonly CountedOutcome[]): Counters {
  const counters = new Counters()
  for (const o of outcomes) counters.add(o, NOON)
  return counters
}

function everything(counters: Counters): unknown {
  const ids = [1, 2, 3]
  return {
    rows: counters.read(),
    lastMinute: counters.lastMinute(NOON),
    series: ids.flatMap(scenarioId =>
      (['5s', '1m', '1h'] as const).map(resolution => counters.series({ scenarioId, resolution })),
    ),
  }
}

describe('Counters', () => {
  it('count what was added: totals, successes, the last event, per scenario and judging version', () => {
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 200 }), outcomes => {
        const rows = counted(outcomes).read()
        expect(rows.reduce((sum, row) => sum + row.total_count, 0)).toBe(outcomes.length)
        for (const row of rows) {
          const own = outcomes.filter(o => o.scenarioId === row.scenario_id && o.judgingVersion === row.judging_version)
          expect(row.total_count).toBe(own.length)
          expect(row.success_count).toBe(own.filter(o => o.success === 1).length)
          expect(row.last_event_at).toBe(new Date(Math.max(...own.map(o => o.date))).toISOString())
        }
      }),
    )
  })

  it('put every event into its own bucket, in any order, and keep the newest buckets only', () => {
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 200 }), outcomes => {
        const counters = counted(outcomes)
        for (const scenarioId of [1, 2, 3]) {
          for (const resolution of ['5s', '1m', '1h'] as const) {
            expect(counters.series({ scenarioId, resolution })).toEqual(naiveSeries(outcomes, scenarioId, resolution))
          }
        }
      }),
    )
  })

  it('come back whole from their JSON, also in the middle of the stream', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 100 }), fc.array(outcome, { maxLength: 100 }), (before, after) => {
        const restarted = Counters.fromJSON(JSON.parse(JSON.stringify(counted(before))))
        for (const o of after) restarted.add(o, NOON)
        expect(everything(restarted)).toEqual(everything(counted([...before, ...after])))
      }),
    )
  })

  it('of two partitions merge into those of all events', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 100 }), fc.array(outcome, { maxLength: 100 }), (one, other) => {
        const merged = counted(one)
        merged.merge(counted(other))
        expect(everything(merged)).toEqual(everything(counted([...one, ...other])))
      }),
    )
  })

  it('say what the last minute brought', () => {
    const counters = new Counters()
    const at = (ageMs: number, success: 0 | 1) =>
      counters.add({ scenarioId: 5, judgingVersion: 1, success, date: NOON - ageMs }, NOON)
    at(0, 1)
    at(54_999, 0)
    at(60_001, 1)
    expect(counters.lastMinute(NOON + 4_999)).toEqual([
      { scenario_id: 5, judging_version: 1, total_count: 2, success_count: 1 },
    ])
    expect(counters.lastMinute(NOON + 120_000)).toEqual([])
  })

  it('keep versions apart, and sum them when none is named', () => {
    const counters = new Counters()
    for (const judgingVersion of [1, 2, 2]) {
      counters.add({ scenarioId: 5, judgingVersion, success: 1, date: NOON }, NOON)
    }
    expect(counters.series({ scenarioId: 5, judgingVersion: 2, resolution: '1h' })).toEqual([
      { at: NOON, total_count: 2, success_count: 2 },
    ])
    expect(counters.series({ scenarioId: 5, resolution: '1h', from: NOON, to: NOON })).toEqual([
      { at: NOON, total_count: 3, success_count: 3 },
    ])
    expect(counters.series({ scenarioId: 5, resolution: '1h', to: NOON - 1 })).toEqual([])
  })

  it('do not believe a clock that runs far ahead: such an event counts where it arrived', () => {
    const counters = new Counters()
    const add = (date: number) => counters.add({ scenarioId: 5, judgingVersion: 1, success: 1, date }, NOON)
    add(NOON)
    add(Date.UTC(2199, 0, 1))
    add(NOON + MAX_CLOCK_LEAD_MS)
    expect(counters.series({ scenarioId: 5, resolution: '5s' })).toEqual([
      { at: NOON, total_count: 2, success_count: 2 },
      { at: NOON + MAX_CLOCK_LEAD_MS, total_count: 1, success_count: 1 },
    ])
    expect(counters.read()[0]?.last_event_at).toBe(new Date(NOON + MAX_CLOCK_LEAD_MS).toISOString())
  })

  it('stay small however dates are scattered', () => {
    const counters = new Counters()
    for (let i = 0; i < 50_000; i++) {
      counters.add({ scenarioId: 5, judgingVersion: 1, success: 1, date: NOON - i * 7_777_777 }, NOON)
    }
    expect(counters.read()[0]?.total_count).toBe(50_000)
    expect(JSON.stringify(counters).length).toBeLessThan(40_000)
  })

  it('let go of the buckets of scenarios that no longer get events', () => {
    const counters = new Counters()
    counters.add({ scenarioId: 1, judgingVersion: 1, success: 1, date: NOON - 60 * 86_400_000 }, NOON)
    counters.add({ scenarioId: 2, judgingVersion: 1, success: 1, date: NOON }, NOON)
    expect(counters.toJSON().series[0]).toEqual([1, 1, 1, 1, NOON - 60 * 86_400_000, [], [], []])
  })

  it.each([
    [null],
    [{ series: 5 }],
    [{ series: [[1, 2, 3]] }],
    [{ series: [[1, 1, -1, 0, null, [], [], []]] }],
    [{ series: [[1, 1, 1, 0, null, [1, 2], [], []]] }],
    [{ series: [[1, 1, 1, 0, null, [1, 2, 'x'], [], []]] }],
  ])('refuse %j', json => {
    expect(() => Counters.fromJSON(json)).toThrow(RangeError)
  })
})
