import {
  type BucketPoint,
  Counters,
  readCountedOutcome,
  type ScenarioCount,
  type ScenarioTotals,
  type SeriesQuery,
} from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { StatsMetrics } from '../metrics.ts'
import { compareOrderKeys } from '../order-key.ts'
import type {
  Assignment,
  Consumer,
  EntryBatch,
  LogReader,
  PartitionId,
  Position,
  SinkPosition,
  StatsStore,
} from '../ports.ts'

export interface StatsSinkOptions {
  /** Reads `scenario-log`; told what is done (`commit`). Only its `commit` is called here. */
  reader: Pick<LogReader, 'commit'>
  store: StatsStore
  /** Counters are stored at most this often, ms. Default 2 000. Storing takes at most a twentieth of the time besides. */
  applyEveryMs?: number
  /** Whether the archive holds outcomes of the partition already: then a missing position means that counters were lost. */
  archiveHasRows?: (partition: PartitionId) => Promise<boolean>
  metrics: StatsMetrics
  log: Logger
  /** Milliseconds that never run back; `performance.now` by default. */
  clock?: () => number
}

/** The stats sink as its reader sees it, and the live counters: all partitions of this process, stored or not yet. */
export interface StatsSink extends Consumer<EntryBatch> {
  read(): ScenarioTotals[]
  lastMinute(now: number): ScenarioCount[]
  series(query: SeriesQuery): BucketPoint[]
}

/** What is held of a partition that is ours. */
interface Held {
  counters: Counters
  /** How far `counters` go, and the last record in them. */
  at: SinkPosition
  /** What the store holds: the `from` of the next apply. */
  stored: Position | undefined
  /** By `clock`; the next apply is not before this. */
  applyAt: number
  /** Of the last record taken, Unix ms. */
  arrivedAt: number
}

/**
 * Outcomes → absolute counters → store. Every outcome is counted exactly once, whatever the log repeats and whenever this
 * process dies: counters and position are stored together, reading begins at the stored position, and a record whose
 * order key is not greater than the last accepted one is skipped.
 *
 * States of a partition: away ─assigned▶ held ─revoked▶ away. In `held`, POSITION_MISMATCH forgets all that was counted
 * since, loads again and seeks there; any other failure leaves `held` as it is, so that the same call can come again.
 *
 * Rejects with STATE_DAMAGED when the store has no position though outcomes have been counted before.
 */
export function statsSink(options: StatsSinkOptions): StatsSink {
  const { reader, store, metrics, log } = options
  const applyEveryMs = options.applyEveryMs ?? 2_000
  const clock = options.clock ?? (() => performance.now())
  const partitions = new Map<PartitionId, Held>()

  async function load(partition: PartitionId, assignment?: Assignment): Promise<Held> {
    const loaded = await store.load(partition)
    const held: Held = loaded
      ? { counters: loaded.counters, at: loaded.at, stored: loaded.at.position, applyAt: 0, arrivedAt: 0 }
      : await begin(partition, assignment)
    held.applyAt = clock() + applyEveryMs
    partitions.set(partition, held)
    return held
  }

  /** The first counting of a partition. */
  async function begin(partition: PartitionId, assignment?: Assignment): Promise<Held> {
    const lost =
      assignment === undefined
        ? 'they were there before'
        : assignment.oldest > 0
          ? `the log begins at ${assignment.oldest}`
          : (await options.archiveHasRows?.(partition))
            ? 'the archive has outcomes already'
            : undefined
    if (assignment === undefined || lost !== undefined) {
      throw new ProcessorError(
        'STATE_DAMAGED',
        `The counters of partition ${partition} are gone; counting from here would give wrong totals. ` +
          `Run \`headwater stats rebuild\`. Found: no stored position, but ${lost}.`,
      )
    }
    const at: SinkPosition = { position: assignment.oldest, order: undefined }
    const counters = new Counters()
    // At once, for the archive may get its first rows, and this process its end, before the first regular apply.
    await store.apply(partition, undefined, at, counters)
    return { counters, at, stored: at.position, applyAt: 0, arrivedAt: 0 }
  }

  /** Stores what was counted. `undefined`: done; else where to go on, because the store knows better. */
  async function apply(partition: PartitionId, held: Held): Promise<Position | undefined> {
    const started = performance.now()
    try {
      await store.apply(partition, held.stored, held.at, held.counters)
    } catch (error) {
      if (!(error instanceof ProcessorError) || error.code !== 'POSITION_MISMATCH') throw error
      metrics.positionMismatches.inc()
      partitions.delete(partition)
      const again = await load(partition)
      const { position } = again.at
      log.warn({ partition, from: held.stored, to: held.at.position, position, err: error }, 'Counters load again')
      return position
    }
    const tookMs = performance.now() - started
    metrics.applySeconds.observe(tookMs / 1000)
    if (held.arrivedAt > 0) metrics.freshness.observe(Math.max(0, Date.now() - held.arrivedAt) / 1000)
    held.stored = held.at.position
    held.applyAt = clock() + Math.max(applyEveryMs, tookMs * 20)
    await reader.commit(partition, held.at.position).catch(error => {
      log.warn({ partition, err: error }, 'The position of the counters could not be committed')
    })
    return undefined
  }

  function isDirty(held: Held): boolean {
    return held.stored !== held.at.position
  }

  function count(batch: EntryBatch, held: Held): void {
    let counted = 0
    let skipped = 0
    let damaged = 0
    let fault: unknown
    let { position, order } = held.at
    for (const entry of batch.entries) {
      if (entry.offset < position || (order !== undefined && compareOrderKeys(entry.order, order) <= 0)) {
        skipped++
        continue
      }
      order = entry.order
      position = entry.offset + 1
      try {
        held.counters.add(readCountedOutcome(entry.value), entry.arrivedAt)
        counted++
      } catch (error) {
        fault ??= error
        damaged++
      }
    }
    if (damaged > 0)
      log.error({ partition: batch.partition, damaged, err: fault }, 'Outcomes cannot be read: not counted')
    held.at = { position: Math.max(position, batch.to), order }
    held.arrivedAt = batch.entries.at(-1)?.arrivedAt ?? held.arrivedAt
    if (counted > 0) metrics.outcomes.inc({ result: 'counted' }, counted)
    if (skipped > 0) metrics.outcomes.inc({ result: 'skipped' }, skipped)
    if (damaged > 0) metrics.outcomes.inc({ result: 'damaged' }, damaged)
  }

  function merged(): Counters {
    const all = [...partitions.values()]
    if (all.length === 1) return all[0]!.counters
    const sum = new Counters()
    for (const { counters } of all) sum.merge(counters)
    return sum
  }

  return {
    async assigned(assignment: Assignment): Promise<Position> {
      const { partition, oldest, end } = assignment
      const held = await load(partition, assignment)
      const { position, order } = held.at
      if (position < oldest) {
        log.error({ partition, position, oldest }, 'Outcomes were deleted before they were counted')
        held.at = { position: oldest, order }
      } else if (position > end) {
        // The log lost its last records, in a power cut say, or was made anew. What comes at positions that were passed is new
        // then; the order key knows what was counted, if the operator has raised the generation.
        log.error(
          { partition, position, end },
          'The log ends before the position of the counters: reading it again. If it was made anew, raise topics.generation',
        )
        held.at = { position: oldest, order }
      }
      return held.at.position
    },

    async take(batch: EntryBatch): Promise<Position> {
      const { partition, from } = batch
      const held = partitions.get(partition)
      // Loading failed after a mismatch, and this is the same call again: its batch may lie behind a hole.
      if (held === undefined) return (await load(partition)).at.position
      if (from > held.at.position) {
        log.error(
          { partition, position: held.at.position, oldest: from },
          'Outcomes were deleted before they were counted',
        )
      }
      count(batch, held)
      if (clock() < held.applyAt) return held.at.position
      return (await apply(partition, held)) ?? held.at.position
    },

    async tick(partition: PartitionId): Promise<Position | undefined> {
      const held = partitions.get(partition)
      if (held === undefined) return (await load(partition)).at.position
      return isDirty(held) && clock() >= held.applyAt ? apply(partition, held) : undefined
    },

    async revoked(partition: PartitionId): Promise<void> {
      const held = partitions.get(partition)
      if (held !== undefined && isDirty(held)) await apply(partition, held)
      partitions.delete(partition)
    },

    read: () => merged().read(),
    lastMinute: now => merged().lastMinute(now),
    series: query => merged().series(query),
  }
}
