import { type Event, parseScenario, type Scenario } from '@headwater/core'
import { describe, expect, it } from 'vitest'
import type { MemberStore } from '../../src/ports.ts'
import { type ReplayOptions, replayScenarios } from '../../src/replay/replay-scenarios.ts'
import type { ReplaySource } from '../../src/replay/replay-source.ts'

const HOUR = 3_600_000
const scenario = (id: number, fields: object = {}): Scenario => {
  const parsed = parseScenario({
    scenario_id: id,
    title: 'any',
    manager: 'test',
    log_format: {},
    filters: [],
    logical_operator: 'AND',
    ...fields,
  })
  if (!parsed.ok) throw new Error(parsed.faults.join())
  return parsed.scenario
}
const event = (id: string, fields: Partial<Event> = {}): Event => ({
  eventId: id,
  scenarioId: 5,
  siteId: 1,
  receivedAt: HOUR,
  date: HOUR,
  visitorId: undefined,
  memberId: undefined,
  ip: '',
  userAgent: '',
  params: [],
  ...fields,
})
const sourceOf = (batches: readonly (readonly Event[])[], unique = false): ReplaySource => ({
  unique,
  async *batches() {
    for (const [i, events] of batches.entries())
      yield {
        events,
        arrivedAt: events.map(() => 10 * HOUR),
        rejected: new Map([['bad_line', 1]]),
        share: (i + 1) / batches.length,
      }
  },
})
/** Counts the questions. */
const membersOf = (ages: Readonly<Record<string, string>>): MemberStore & { asked: string[] } => {
  const asked: string[] = []
  return {
    asked,
    async get(ids) {
      asked.push(...ids)
      return new Map(ids.flatMap(id => (ages[id] === undefined ? [] : [[id, { age: ages[id] }]])))
    },
    columns: async () => new Set(['age']),
  }
}
const run = (options: Partial<ReplayOptions> & Pick<ReplayOptions, 'source' | 'scenarios'>) =>
  replayScenarios({ members: membersOf({}), timezone: 'UTC', dedup: { windowMs: HOUR, maxIds: 1000 }, ...options })
const totals = ({ scenarios }: Awaited<ReturnType<typeof run>>) =>
  scenarios.map(({ scenario: { scenario_id }, total, success }) => [scenario_id, total, success])

describe('replayScenarios', () => {
  it('counts by scenario, with the times of the first and last event, and a row for one without events', async () => {
    const result = await run({
      scenarios: [scenario(6), scenario(5, { filters: [{ left: 'age', operator: '>', right: '20' }] })],
      members: membersOf({ a: '30', b: '10' }),
      source: sourceOf([
        [event('1', { memberId: 'a', date: 7 }), event('2', { memberId: 'b', date: 3 })],
        [event('3')],
      ]),
    })
    expect(totals(result)).toEqual([
      [5, 3, 1],
      [6, 0, 0],
    ])
    expect(result.scenarios[0]).toMatchObject({ firstAt: 3, lastAt: HOUR })
    expect(result.scenarios[1]).toMatchObject({ firstAt: undefined, lastAt: undefined })
    expect(result.counters.read()).toMatchObject([{ scenario_id: 5, total_count: 3, success_count: 1 }])
    expect(Object.fromEntries(result.results)).toEqual({ judged: 3, bad_line: 2 })
  })

  it('drops repeats within the window where a source may repeat, also of events that no scenario here judges', async () => {
    const events = [
      event('x', { scenarioId: 7 }),
      event('x'),
      event('y'),
      event('y', { receivedAt: 3 * HOUR }),
      event('y'),
    ]
    const scenarios = [scenario(5)]
    const log = await run({ scenarios, knownIds: [7], source: sourceOf([events]) })
    expect(totals(log)).toEqual([[5, 2, 2]])
    expect(Object.fromEntries(log.results)).toEqual({ not_concerned: 1, judged: 2, duplicate: 2, bad_line: 1 })
    // Live, an event of a scenario that never was is a dead letter, and its id is not remembered.
    expect(totals(await run({ scenarios, source: sourceOf([events]) }))).toEqual([[5, 3, 3]])
    expect(totals(await run({ scenarios, knownIds: [7], source: sourceOf([events], true) }))).toEqual([[5, 4, 4]])
  })

  it('counts only what is inside the range, and remembers the ids of what is outside', async () => {
    const events = [event('a', { date: 1 }), event('a', { date: 5 }), event('b', { date: 5 }), event('c', { date: 9 })]
    const inside = await run({ scenarios: [scenario(5)], source: sourceOf([events]), range: { from: 5, until: 9 } })
    expect(totals(inside)).toEqual([[5, 1, 1]])
    expect(inside.results.get('outside')).toBe(2)
  })

  it('does not believe a time far behind its arrival, as the live counters do not', async () => {
    const result = await run({ scenarios: [scenario(5)], source: sourceOf([[event('a', { date: 99 * HOUR })]]) })
    expect(result.scenarios[0]?.lastAt).toBe(10 * HOUR)
    expect(result.counters.read()[0]?.last_event_at).toBe(new Date(10 * HOUR).toISOString())
  })

  it('asks for a member once, and only when a scenario reads members', async () => {
    const members = membersOf({ a: '30' })
    const source = sourceOf([
      [event('1', { memberId: 'a' })],
      [event('2', { memberId: 'a' }), event('3', { memberId: 'b' })],
    ])
    await run({ scenarios: [scenario(5)], members, source })
    expect(members.asked).toEqual([])
    const result = await run({
      scenarios: [scenario(5, { filters: [{ left: 'age', operator: 'exists' }] })],
      members,
      source,
    })
    expect(members.asked).toEqual(['a', 'b'])
    expect(totals(result)).toEqual([[5, 3, 2]])
  })

  it('gives the same counts whether outcomes are kept or only counted', async () => {
    const scenarios = [scenario(5, { filters: [{ left: 'h', operator: '==', right: '1' }], log_format: { '*': 1 } })]
    const source = sourceOf([[event('1'), event('2', { date: 2 * HOUR }), event('3', { params: ['h', '1'] })]])
    const kept: number[] = []
    const keep: ReplayOptions['keep'] = async judged => {
      kept.push(...judged.flatMap(({ outcomes }) => outcomes.map(({ success }) => success)))
    }
    const result = await run({ scenarios, source, keep })
    expect(kept).toEqual([1, 0, 1])
    expect(totals(result)).toEqual(totals(await run({ scenarios, source })))
  })

  it('stops between two batches when it is told to, with the reason given', async () => {
    const stop = new AbortController()
    const seen: number[] = []
    const stopped = run({
      scenarios: [scenario(5)],
      source: sourceOf([[event('1')], [event('2')], [event('3')]]),
      signal: stop.signal,
      onProgress: ({ events }) => {
        seen.push(events)
        stop.abort(new Error('enough'))
      },
    })
    await expect(stopped).rejects.toThrow('enough')
    expect(seen).toEqual([1])
  })
})
