import { Counters } from '@headwater/core'
import fc from 'fast-check'

/** One step of counting: outcomes that arrive together. */
export type Step = { scenarioId: number; judgingVersion: number; success: 0 | 1; date: number }[]

const START = Date.UTC(2025, 0, 31, 23, 50)
const SPANS = [1_000, 60_000, 3_600_000, 40 * 86_400_000] as const

/**
 * Steps whose events move on by seconds, minutes, hours or days, some of them late: buckets of all lengths come, change and
 * become too old, over the ends of hours, days and months.
 */
export const arbitrarySteps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.record({
      span: fc.constantFrom(...SPANS),
      outcomes: fc.array(
        fc.record({
          scenarioId: fc.constantFrom(5, 7, 2_147_483_647),
          judgingVersion: fc.constantFrom(1, 2),
          success: fc.constantFrom(0 as const, 1 as const),
          at: fc.integer({ min: -500, max: 1_000 }),
        }),
        { maxLength: 12 },
      ),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map(steps => {
    let now = START
    return steps.map(({ span, outcomes }) => {
      now += span
      return outcomes.map(({ at, ...outcome }) => ({ ...outcome, date: Math.floor(now + (at * span) / 1_000) }))
    })
  })

export function count(counters: Counters, step: Step): void {
  for (const outcome of step) counters.add(outcome)
}

/** Counters as JSON with the series in order: what is stored has another order than what was counted. */
export function sorted(counters: Counters): unknown {
  return counters.toJSON().series.sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

/** Counters of busy weeks: `scenarios` × all buckets. */
export function fullCounters(scenarios: number, now = START): Counters {
  const counters = new Counters()
  for (let scenarioId = 1; scenarioId <= scenarios; scenarioId++) {
    const add = (date: number): void =>
      counters.add({ scenarioId, judgingVersion: 1, success: date % 3 === 0 ? 1 : 0, date })
    for (let i = 0; i < 720; i++) add(now - i * 3_600_000)
    for (let i = 0; i < 1_440; i++) add(now - i * 60_000)
    for (let i = 0; i < 180; i++) add(now - i * 5_000)
  }
  return counters
}
