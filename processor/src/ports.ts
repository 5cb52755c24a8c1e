/**
 * Every port of the processor: what the stages and sinks need from outside, in their own words. A port's doc comment is
 * its contract; `test/contracts/` holds one suite a port, which every adapter passes.
 */
import type { ByteString, Counters, Event, Member, Outcome, RejectionReason, Scenario } from '@headwater/core'

/** 0 … n−1. Embedded mode has partition 0 only. */
export type PartitionId = number

/**
 * How far a reader has got: the integer that names the next thing to read. For lines of files it is base + byte offset,
 * for logs the offset of a record. It never runs back.
 */
export type Position = number

// ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is known about a partition when it becomes ours. */
export interface Assignment {
  partition: PartitionId
  /** What was last committed for this reader's group. A hint: a consumer that keeps its own position trusts that one. */
  committed: Position | undefined
  /** The first position that can still be read, and the one behind the last. */
  oldest: Position
  end: Position
}

/**
 * What a stage or sink is to its source. All calls for one partition come one after the other, never two at once.
 * A rejection ends the `run` that made the call, unless the error is `retryable`: then the same call is made again,
 * after a pause that grows to 5 s.
 */
export interface Consumer<Batch> {
  /** The partition is ours from now on. Resolves with the position to begin at. May come again after `revoked`. */
  assigned(assignment: Assignment): Promise<Position>
  /** Takes the batch whole. Resolves with the position to go on from: `batch.to`, or another one to seek there. */
  take(batch: Batch): Promise<Position>
  /** Called at least once a second while there is nothing to take; the moment for timed work. Resolves as `take` does,
   *  or with `undefined` to stay. */
  tick(partition: PartitionId): Promise<Position | undefined>
  /** The partition is no longer ours, or the run ends: finish what is held, if it may still be finished. */
  revoked(partition: PartitionId): Promise<void>
}

/** A reader of one kind of batch for one group. */
export interface Reader<Batch> {
  /**
   * Hands `consumer` every batch of the partitions that are ours, in order, until `stop` aborts; an embedded adapter
   * then goes on to the end of what was there (at most 5 s). Ends with `revoked` for each partition.
   */
  run(consumer: Consumer<Batch>, stop: AbortSignal): Promise<void>
  /** Notes that all before `position` is done. What is committed may be deleted by retention; a lost commit is harmless. */
  commit(partition: PartitionId, position: Position): Promise<void>
}

/** Whole access-log lines in their order. `lines[i]` begins at `positions[i]`. */
export interface LineBatch {
  partition: PartitionId
  from: Position
  /** Behind the last line and its newline. */
  to: Position
  /** Without the newline. A line over 1 MiB is cut to its first 8 KiB and its index stands in `tooLong`. */
  lines: readonly ByteString[]
  positions: readonly Position[]
  tooLong: readonly number[]
  /** When this process or the broker got the lines, Unix ms. */
  arrivedAt: number
}

/** Where lines come from: access-log files, or Kafka's `access-log`. */
export interface LineSource extends Reader<LineBatch> {
  /** Names the source in ids that are made from positions: `p-<name>-<position>`, of partition n > 0 `p-<name>-<n>-…`. */
  readonly name: string
}

// ── the logs between the stages ────────────────────────────────────────────────────────────────────────────────────

export type LogName = 'event-log' | 'scenario-log' | 'dead-letter'

/** Total order of a partition's records, whatever is written twice: compared field by field. */
export interface OrderKey {
  /** Raised by the operator when the input is made anew. */
  generation: number
  /** The input line's position. */
  position: Position
  /** Which event of the line, from 0. */
  index: number
  /** 0 in `event-log` and `dead-letter`. */
  scenarioId: number
}

export interface DeadLetter {
  /** The input line's position. */
  position: Position
  /** Which event of the line; 0 when the whole line was rejected. */
  index: number
  reason: RejectionReason
  /** What was rejected, at most 8 KiB. */
  raw: ByteString
  /** Unix ms. */
  at: number
}

/** One accepted event with all its outcomes. */
export interface JudgedEvent {
  position: Position
  index: number
  /** The two halves of the 64-bit hash of `event.eventId`, as `hashEventId` of core gives them (unsigned). */
  idHigh: number
  idLow: number
  event: Event
  /** Ordered by scenario id. */
  outcomes: readonly Outcome[]
}

/** What the filter decided about the input range [from, to). */
export interface JudgedBatch {
  partition: PartitionId
  from: Position
  to: Position
  arrivedAt: number
  events: readonly JudgedEvent[]
  deadLetters: readonly DeadLetter[]
}

/** The event ids of one earlier batch, for rebuilding the duplicate window. Entry i: `high[i]`, `low[i]`, `receivedAt[i]`. */
export interface IdBatch {
  to: Position
  high: Uint32Array
  low: Uint32Array
  receivedAt: Float64Array
}

/**
 * Where the filter writes what it decided, together with how far it has read.
 *
 * `append` resolves once the whole batch and its `to` would survive a kill of this process, or rejects and leaves no part
 * of it that a reader would see. It rejects with POSITION_MISMATCH when the stored position is not `batch.from`.
 */
export interface LogWriter {
  /** The input position behind the last batch appended; `undefined` before the first. */
  position(partition: PartitionId): Promise<Position | undefined>
  append(batch: JudgedBatch): Promise<void>
  /** The ids of earlier batches in their order, of batches that arrived at or after `sinceMs` (Unix ms). */
  ids(partition: PartitionId, sinceMs: number): AsyncIterable<IdBatch>
}

/** One record of a log. */
export interface LogEntry {
  offset: Position
  order: OrderKey
  /** When the log got it, Unix ms. Hardly ever runs back. */
  arrivedAt: number
  /**
   * JSON in UTF-8: `encodeEvent`, `encodeOutcome` or a dead letter `{reason, source, position, index, at, raw}`. A view
   * into what was read: nobody writes to it, and whoever keeps it keeps all that was read with it.
   */
  value: Buffer
}

export interface EntryBatch {
  partition: PartitionId
  from: Position
  to: Position
  entries: readonly LogEntry[]
}

/** A reader of one log (`event-log`, `scenario-log`, `dead-letter`) for one sink. */
export interface LogReader extends Reader<EntryBatch> {
  readonly log: LogName
}

// ── what the judgement needs ───────────────────────────────────────────────────────────────────────────────────────

/** A saved scenario, or the fault for which the last version stays in force. */
export interface ScenarioFault {
  /** Where: a file name with line and column, or a scenario id. */
  where: string
  message: string
}

/**
 * The users' scenarios.
 *
 * `list` gives all valid ones, disabled ones too; while the store is away it rejects with a retryable error. An invalid
 * definition never shows: the version before it stays, and `faults` says why. `save` checks and stores; it rejects with
 * VERSION_OUTDATED when the stored version is not `scenario.version` (0 for a new one), and resolves with the scenario as
 * stored, its versions raised. An id is never used again after `remove`.
 */
export interface ScenarioStore {
  list(): Promise<readonly Scenario[]>
  get(scenarioId: number): Promise<Scenario | undefined>
  save(scenario: Scenario): Promise<Scenario>
  remove(scenarioId: number): Promise<void>
  faults(): readonly ScenarioFault[]
  /** Ids that once were in use and are deleted now. */
  removedIds(): Promise<ReadonlySet<number>>
  /** Calls back within 5 s of any change, until `stop` aborts. */
  watch(changed: () => void, stop: AbortSignal): void
}

/**
 * Member attributes by member id.
 *
 * `get` resolves with the members that exist, all of one state of the store, or rejects with a retryable error: nothing is
 * judged with a member that could not be looked up. `columns` are the attribute names of the member table.
 */
export interface MemberStore {
  get(memberIds: readonly string[]): Promise<ReadonlyMap<string, Member>>
  columns(): Promise<ReadonlySet<string>>
}

// ── what the sinks keep ────────────────────────────────────────────────────────────────────────────────────────────

/** A sink's progress in a partition: the next offset, and the order key of the last record it accepted. */
export interface SinkPosition {
  position: Position
  order: OrderKey | undefined
}

/**
 * Where counters live, together with how far the log was read into them.
 *
 * `apply` resolves once `counters` (absolute, the whole state of the partition) and `to` would survive a restart of this
 * process, or rejects and leaves no part behind. It rejects with POSITION_MISMATCH when the stored position is not `from`:
 * another owner has written, or the store went back. While the store is away it rejects with a retryable error.
 */
export interface StatsStore {
  /** What `apply` stored last for the partition; `undefined` before the first. */
  load(partition: PartitionId): Promise<{ at: SinkPosition; counters: Counters } | undefined>
  apply(partition: PartitionId, from: Position | undefined, to: SinkPosition, counters: Counters): Promise<void>
}

export interface StoredFile {
  path: string
  bytes: number
  /** Unix ms. */
  modifiedAt: number
  /** Tells this file from any other that had its name before, or will have it. */
  version: string
}

/** An upload that is to take the place of a published file. */
export interface Replacement {
  temporary: string
  final: string
  /** Of the file that was read: no other one is replaced. */
  version: string
}

/**
 * Files that are written once. Paths are relative, with `/`.
 *
 * `put` uploads a local file under a temporary path (below `_tmp/`), whole or not at all visible there as closed.
 * `publish` gives it its final path and never replaces: 'exists' when the final path is taken. It may be asked again after
 * an unknown answer. Readers ignore names that begin with `_`.
 *
 * `replace` puts uploads in the places of published files, one after the other, each in one step: whoever opens the path has the
 * old file or the new one, also when this process is killed. 'changed': it was not done, as another file stands there by now, or
 * the upload is gone; 'gone': there is no file any more. Whoever replaces does so alone, across processes and hosts, so no
 * replacement is ever undone by one that was made from an older file. After a rejection each of them may have been done, or not,
 * and nothing more will happen.
 */
export interface FileStore {
  put(localFile: string, temporary: string): Promise<void>
  publish(temporary: string, final: string): Promise<'published' | 'exists'>
  replace(replacements: readonly Replacement[]): Promise<('replaced' | 'changed' | 'gone')[]>
  /** All files below `folder`, in order of path; `[]` when there is no such folder. */
  list(folder: string): Promise<StoredFile[]>
  stat(path: string): Promise<StoredFile | undefined>
  /** Bytes [from, to) of a file. */
  read(path: string, from: number, to: number): Promise<Uint8Array>
  /** Replaces a small file atomically (low-water marks). */
  write(path: string, content: Uint8Array): Promise<void>
  remove(path: string): Promise<void>
  /** Names of the folders in a folder, in order; `[]` when there is no such folder. */
  folders(folder: string): Promise<string[]>
  /** Removes a folder with nothing in it; leaves any other. */
  removeFolder(folder: string): Promise<void>
}
