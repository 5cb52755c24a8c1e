import {
  type CompiledScenario,
  createScenarioSet,
  DuplicateWindow,
  type Event,
  hashEventId,
  judge,
  MAX_DEAD_LETTER_BYTES,
  type Member,
  type Rejection,
  type RejectionReason,
  type ScenarioSet,
} from '@headwater/core'
import type { Logger } from 'pino'
import { type DeadLetterBudget, deadLetterBytes } from '../dead-letter-budget.ts'
import type { FilterMetrics } from '../metrics.ts'
import type {
  Assignment,
  Consumer,
  DeadLetter,
  JudgedEvent,
  LineBatch,
  LineSource,
  LogWriter,
  MemberStore,
  PartitionId,
  Position,
  ScenarioStore,
} from '../ports.ts'
import { LineEvents } from './line-events.ts'

export interface FilterStageOptions {
  /** Names position-made event ids; told what is done (`commit`). */
  source: LineSource
  writer: LogWriter
  scenarios: ScenarioStore
  members: MemberStore
  /** The zone of scenarios and sites that name none. */
  timezone: string
  siteTimezone?: (siteId: number) => string | undefined
  /** The site of `/ingest` requests without `idsite`. */
  ingestSiteId: number
  dedup: { windowMs: number; maxIds: number }
  deadLetterBudget: DeadLetterBudget
  metrics: FilterMetrics
  log: Logger
}

/** The filter as its source sees it, and what the operator may ask of it. */
export interface FilterStage extends Consumer<LineBatch> {
  /** Follows changes of the scenarios until `stop` aborts. Call once, before the source runs. */
  watch(stop: AbortSignal): void
  /** Seconds that the duplicate window really spans now, the longest over all partitions; 0 when empty. */
  windowSeconds(): number
}

/** An accepted event with those who judge it; `outcomes` is filled once its member is known. */
interface Candidate extends JudgedEvent {
  judges: readonly CompiledScenario[]
}

/** What is held of a partition that is ours. */
interface Held {
  window: DuplicateWindow
  lines: LineEvents
}

/** What a batch's lines came to, before anybody is judged. */
interface Decided {
  batch: LineBatch
  candidates: Candidate[]
  deadLetters: DeadLetter[]
  memberIds: string[]
  /** How many lines and events came to what: counted once it is stored. */
  tally: ReadonlyMap<string, number>
}

const NO_JUDGES: readonly CompiledScenario[] = []
const NO_MEMBERS: ReadonlyMap<string, Member> = new Map()

/**
 * Lines → events → duplicates dropped → judged → written to the logs, batch by batch. It decides every event once; the
 * sinks only keep what stands here. Delivery: the writer stores the batch together with the input position behind it,
 * and the window is rebuilt from what the writer stored, so a kill at any moment repeats nothing and loses nothing.
 */
export function filterStage(options: FilterStageOptions): FilterStage {
  const { source, writer, metrics, log } = options
  const partitions = new Map<PartitionId, Held>()
  // The batch in work. Its ids stand in the window already, so when a store makes the source ask again it must not be
  // decided a second time: every event in it would look like a repeat of itself.
  const inWork = new Map<PartitionId, Decided>()
  // Where each partition goes on. A batch that begins behind it tells that input is gone.
  const expected = new Map<PartitionId, Position>()
  const hash = new Uint32Array(2)
  let set: ScenarioSet | undefined
  let columns: ReadonlySet<string> | undefined

  /** The scenarios in force. Rejects (retryable) while a store that must be asked is away. */
  async function currentSet(): Promise<ScenarioSet> {
    const known = await options.members.columns()
    if (set !== undefined && known === columns) return set
    const next = createScenarioSet(await options.scenarios.list(), {
      memberColumns: known,
      timezone: options.timezone,
      ...(options.siteTimezone && { siteTimezone: options.siteTimezone }),
      removedIds: await options.scenarios.removedIds(),
    })
    columns = known
    set = next
    log.info({ scenarios: next.scenarios.length }, 'Scenarios loaded')
    return next
  }

  function sourceName(partition: PartitionId): string {
    return partition === 0 ? source.name : `${source.name}-${partition}`
  }

  function decide(batch: LineBatch, scenarios: ScenarioSet, { window, lines }: Held): Decided {
    const candidates: Candidate[] = []
    const deadLetters: DeadLetter[] = []
    const memberIds = new Set<string>()
    const tally = new Map<string, number>()
    const count = (result: string) => tally.set(result, (tally.get(result) ?? 0) + 1)

    const reject = (i: number, index: number, reason: RejectionReason) => {
      count(reason)
      if (reason === 'not_a_beacon') return
      const raw = (batch.lines[i] as string).slice(0, MAX_DEAD_LETTER_BYTES)
      if (options.deadLetterBudget.take(deadLetterBytes(raw), batch.arrivedAt))
        deadLetters.push({ position: batch.positions[i] as Position, index, reason, raw, at: batch.arrivedAt })
      else metrics.deadLettersOverBudget.inc()
    }

    const from = expected.get(batch.partition) ?? batch.from
    if (batch.from > from) {
      const raw = `${sourceName(batch.partition)} [${from}, ${batch.from})`
      log.error({ partition: batch.partition, from, to: batch.from }, 'Input was deleted before it was read')
      tally.set('lost_to_retention', batch.from - from)
      deadLetters.push({ position: from, index: 0, reason: 'lost_to_retention', raw, at: batch.arrivedAt })
    }

    lines.begin(batch)
    for (let i = 0; i < batch.lines.length; i++) {
      const position = batch.positions[i] as Position
      const events = lines.of(i)
      if ('rejected' in events) {
        reject(i, 0, events.rejected)
        continue
      }
      for (let index = 0; index < events.length; index++) {
        const event = events[index] as Event | Rejection
        if ('rejected' in event) {
          reject(i, index, event.rejected)
          continue
        }
        const judges = scenarios.judgesOf(event)
        if (judges === 'unknown_scenario') {
          reject(i, index, judges)
          continue
        }
        hashEventId(event.eventId, hash)
        const idHigh = hash[0] as number
        const idLow = hash[1] as number
        if (window.seen(idHigh, idLow, event.receivedAt)) {
          count('duplicate')
          continue
        }
        // A retry that waited longer than the window reaches back may have been counted before: say how often.
        if (event.receivedAt - event.date >= options.dedup.windowMs) metrics.lateRetries.inc()
        const judged = typeof judges === 'string' ? NO_JUDGES : judges
        count(typeof judges === 'string' ? judges : 'judged')
        if (event.memberId !== undefined && judged.some(scenario => scenario.needsMember)) memberIds.add(event.memberId)
        candidates.push({ position, index, idHigh, idLow, event, outcomes: [], judges: judged })
      }
    }
    return { batch, candidates, deadLetters, memberIds: [...memberIds], tally }
  }

  async function judgeAll(decided: Decided): Promise<void> {
    const { candidates, memberIds } = decided
    const members = memberIds.length === 0 ? NO_MEMBERS : await options.members.get(memberIds)
    for (const candidate of candidates) {
      const { event, judges } = candidate
      if (judges.length === 0) continue
      candidate.outcomes = judge(event, event.memberId === undefined ? undefined : members.get(event.memberId), judges)
    }
  }

  /**
   * From what the writer stored about the input before `position`. All of it: log time may lag far behind the clock while
   * a backlog is read, so the window itself has to say what is too old. What was written of the input behind `position`
   * is about to be judged again: in the window it would turn every event into a repeat of itself.
   */
  async function rebuildWindow(partition: PartitionId, position: Position): Promise<DuplicateWindow> {
    const window = new DuplicateWindow(options.dedup)
    let ids = 0
    for await (const batch of writer.ids(partition, 0)) {
      if (batch.to > position) continue
      for (let i = 0; i < batch.high.length; i++)
        window.seen(batch.high[i] as number, batch.low[i] as number, batch.receivedAt[i] as number)
      ids += batch.high.length
    }
    log.info({ partition, ids }, 'Duplicate window rebuilt')
    return window
  }

  return {
    async assigned({ partition, committed, oldest }: Assignment): Promise<Position> {
      inWork.delete(partition)
      const position = (await writer.position(partition)) ?? committed ?? oldest
      const lines = new LineEvents({ source: sourceName(partition), ingestSiteId: options.ingestSiteId })
      partitions.set(partition, { window: await rebuildWindow(partition, position), lines })
      await currentSet()
      expected.set(partition, position)
      return position
    },

    async take(batch: LineBatch): Promise<Position> {
      const { partition, from, to, arrivedAt } = batch
      const started = performance.now()
      let decided = inWork.get(partition)
      if (decided?.batch.from !== from || decided.batch.to !== to) {
        decided = decide(batch, await currentSet(), partitions.get(partition) as Held)
        inWork.set(partition, decided)
      }
      await judgeAll(decided)
      await writer.append({
        partition,
        // What was lost before the batch is decided with it.
        from: expected.get(partition) ?? from,
        to,
        arrivedAt,
        events: decided.candidates,
        deadLetters: decided.deadLetters,
      })
      inWork.delete(partition)
      expected.set(partition, to)
      await source.commit(partition, to)
      metrics.lines.inc(batch.lines.length)
      for (const [result, events] of decided.tally) metrics.events.inc({ result }, events)
      metrics.batchSeconds.observe((performance.now() - started) / 1000)
      return to
    },

    async tick(): Promise<undefined> {
      await currentSet()
    },

    async revoked(partition: PartitionId): Promise<void> {
      partitions.delete(partition)
      inWork.delete(partition)
      expected.delete(partition)
    },

    watch(stop: AbortSignal): void {
      options.scenarios.watch(() => {
        set = undefined
      }, stop)
    },

    windowSeconds: () => Math.max(0, ...[...partitions.values()].map(({ window }) => window.spanSeconds)),
  }
}
