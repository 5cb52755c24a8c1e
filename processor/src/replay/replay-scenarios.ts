import {
  type CompiledScenario,
  type CountedOutcome,
  Counters,
  createScenarioSet,
  DuplicateWindow,
  type Event,
  type EventFields,
  hashEventId,
  judge,
  MAX_CLOCK_LEAD_MS,
  type Member,
  type Outcome,
  type Scenario,
} from '@headwater/core'
import type { MemberStore } from '../ports.ts'
import { inRange, type ReplayBatch, type ReplayRange, type ReplaySource } from './replay-source.ts'

export interface ReplayOptions {
  /** Which scenarios judge; a disabled one judges nothing. */
  scenarios: readonly Scenario[]
  source: ReplaySource
  members: MemberStore
  /** The zone of scenarios and sites that name none. */
  timezone: string
  siteTimezone?: (siteId: number) => string | undefined
  range?: ReplayRange
  /** The duplicate rule where the source may repeat events. */
  dedup: { windowMs: number; maxIds: number }
  /** Ids of scenarios that are there (or were) and do not judge now: their events are known ones, so a repeat of one is a repeat. */
  knownIds?: Iterable<number>
  /** Gets what was judged, batch by batch; the replay waits for it. */
  keep?: (judged: readonly ReplayedEvent[]) => Promise<void>
  /** Called after every batch. */
  onProgress?: (progress: ReplayProgress) => void
  /** Stops the replay: it rejects with the signal's reason. */
  signal?: AbortSignal
}

/** An event inside the range with its outcomes, ordered by scenario id; none when no scenario judges it. */
export interface ReplayedEvent {
  event: Event
  arrivedAt: number
  outcomes: readonly Outcome[]
}

export interface ReplayProgress {
  /** Events read so far, whatever became of them. */
  events: number
  /** 0 … 1 */
  share: number
}

/** One scenario's result. */
export interface ReplayedScenario {
  scenario: Scenario
  total: number
  success: number
  /** Earliest and latest `date` of the events it judged, Unix ms; `undefined` when there was none. */
  firstAt: number | undefined
  lastAt: number | undefined
}

export interface ReplayResult {
  /** A row for each of `options.scenarios`, ordered by id. */
  scenarios: ReplayedScenario[]
  /** As the live counters would be: absolute, by scenario and judging version, with time buckets. */
  counters: Counters
  /** Events read. */
  events: number
  /**
   * What became of events and of inputs that are none: `judged`, `duplicate`, `not_concerned` (its scenario is not among
   * those given, or its site has none), `outside` (of the range), and the reasons of rejection.
   */
  results: ReadonlyMap<string, number>
}

/**
 * Judges the past: the source's events by the given scenarios, with the code that judges live events (`judge` of core), the
 * members as they are now, and for log files the same rule for duplicates. Nothing that is live is read or changed: the
 * counters are new ones, and belong to the caller.
 *
 * Rejects as the source, the member store and `keep` do.
 */
export async function replayScenarios(options: ReplayOptions): Promise<ReplayResult> {
  const { source, members, range = {}, signal } = options
  const columns = await members.columns()
  const set = createScenarioSet(options.scenarios, {
    memberColumns: columns,
    timezone: options.timezone,
    ...(options.siteTimezone && { siteTimezone: options.siteTimezone }),
    removedIds: new Set(options.knownIds ?? []),
  })
  const window = source.unique ? undefined : new DuplicateWindow(options.dedup)
  const hash = new Uint32Array(2)
  const counters = new Counters()
  const rows = new Map<number, ReplayedScenario>(
    set.scenarios.map(({ scenario }) => [
      scenario.scenario_id,
      { scenario, total: 0, success: 0, firstAt: undefined, lastAt: undefined },
    ]),
  )
  const results = new Map<string, number>()
  const count = (result: string, by = 1): void => {
    results.set(result, (results.get(result) ?? 0) + by)
  }
  let events = 0

  /** Those to be judged, with their judges: the same steps in the same order as in the filter stage. */
  function chosen(batch: ReplayBatch): Chosen[] {
    const found: Chosen[] = []
    const tally = { judged: 0, duplicate: 0, not_concerned: 0, outside: 0 }
    for (let i = 0; i < batch.events.length; i++) {
      const event = batch.events[i] as Event
      const judges = set.judgesOf(event)
      // Live it is a dead letter, which the window never sees; here perhaps only a scenario that nobody asked about.
      if (judges === 'unknown_scenario') {
        tally.not_concerned++
        continue
      }
      if (window !== undefined) {
        hashEventId(event.eventId, hash)
        if (window.seen(hash[0] as number, hash[1] as number, event.receivedAt)) {
          tally.duplicate++
          continue
        }
      }
      if (!inRange(range, event)) {
        tally.outside++
        continue
      }
      const judging = typeof judges === 'string' ? NO_JUDGES : judges
      tally[judging.length === 0 ? 'not_concerned' : 'judged']++
      if (judging.length === 0 && options.keep === undefined) continue
      found.push({ event, arrivedAt: batch.arrivedAt[i] as number, judges: judging, outcomes: [] })
    }
    for (const [result, by] of Object.entries(tally)) if (by > 0) count(result, by)
    return found
  }

  /** As `judge`, but that no outcome is made of it: nobody keeps its fields. */
  function countOnly(
    event: Event,
    member: Member | undefined,
    judges: readonly CompiledScenario[],
    arrivedAt: number,
  ): void {
    let read: EventFields | undefined
    for (const judge of judges) {
      if (judge.fields !== read) {
        read = judge.fields
        read.read(event)
      }
      const { scenario_id, judging_version } = judge.scenario
      const success = judge.testRead(member) ? 1 : 0
      add({ scenarioId: scenario_id, judgingVersion: judging_version, success, date: event.date }, arrivedAt)
    }
  }

  function add(outcome: CountedOutcome, arrivedAt: number): void {
    counters.add(outcome, arrivedAt)
    addTo(rows.get(outcome.scenarioId) as ReplayedScenario, outcome, arrivedAt)
  }

  /** Those looked up before are not asked for again, until there are many. */
  const asked = new Map<string, Member | undefined>()
  async function membersOf(judged: readonly Chosen[]): Promise<ReadonlyMap<string, Member | undefined>> {
    const ids: string[] = []
    for (const { event, judges } of judged) {
      const { memberId } = event
      if (memberId === undefined || asked.has(memberId) || !judges.some(judge => judge.needsMember)) continue
      asked.set(memberId, undefined)
      ids.push(memberId)
    }
    if (ids.length === 0) return asked
    const found = await members.get(ids)
    for (const id of ids) asked.set(id, found.get(id))
    return asked
  }

  for await (const batch of source.batches(range, signal)) {
    signal?.throwIfAborted()
    if (asked.size > MAX_MEMBERS) asked.clear()
    events += batch.events.length
    for (const [reason, by] of batch.rejected) count(reason, by)
    const judged = chosen(batch)
    const known = await membersOf(judged)
    for (const one of judged) {
      const { event, judges, arrivedAt } = one
      if (judges.length === 0) continue
      const member = event.memberId === undefined ? undefined : known.get(event.memberId)
      if (options.keep === undefined) {
        countOnly(event, member, judges, arrivedAt)
        continue
      }
      one.outcomes = judge(event, member, judges)
      for (const outcome of one.outcomes) add(outcome, arrivedAt)
    }
    await options.keep?.(judged)
    options.onProgress?.({ events, share: batch.share })
  }
  signal?.throwIfAborted()
  return { scenarios: [...rows.values()], counters, events, results }
}

interface Chosen extends ReplayedEvent {
  judges: readonly CompiledScenario[]
  outcomes: readonly Outcome[]
}

const NO_JUDGES: readonly CompiledScenario[] = []
/** Members remembered; a hostile log may name any number of them. */
const MAX_MEMBERS = 200_000

/** A time that `Counters` does not believe is not believed here either. */
function addTo(row: ReplayedScenario, { date, success }: CountedOutcome, arrivedAt: number): void {
  const at = date <= arrivedAt + MAX_CLOCK_LEAD_MS ? date : arrivedAt
  row.total++
  row.success += success
  if (row.firstAt === undefined || at < row.firstAt) row.firstAt = at
  if (row.lastAt === undefined || at > row.lastAt) row.lastAt = at
}
