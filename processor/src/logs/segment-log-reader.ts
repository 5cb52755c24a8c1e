import type { Logger } from 'pino'
import { CommittedPositions } from '../committed-positions.ts'
import { driveConsumer, type Feed, type ReaderHealth } from '../drive-consumer.ts'
import { ProcessorError } from '../errors.ts'
import type { LogMetrics } from '../metrics.ts'
import type { Assignment, Consumer, EntryBatch, LogEntry, LogName, LogReader, Position } from '../ports.ts'
import { Waker } from '../waker.ts'
import { type FrameHeader, SECTIONS } from './frame.ts'
import { toEntries } from './recent-frames.ts'
import { checkChain, SEGMENT_HEAD, SegmentFile, segmentDamaged } from './segment-file.ts'
import type { Segment, SegmentLog } from './segment-log.ts'

export interface SegmentLogReaderOptions {
  segments: SegmentLog
  log: LogName
  /** Names the reader and its file of committed positions. Every reader has its own. */
  group: string
  /** `state/positions`. */
  positionsDir: string
  logger: Logger
  metrics: LogMetrics
  /** Small frames are handed over together until there are this many entries. */
  minEntries?: number
}

export interface SegmentLogReader extends LogReader {
  readonly health: ReaderHealth
  /** Entries behind the position that was read last. */
  lag(): number
}

/**
 * `LogReader` over the segment files that this process writes: woken by each append, it takes the newest frames from memory
 * and older ones from disk, its own log's section only. What it has committed keeps the segments behind it from retention,
 * from the moment this function is called.
 *
 * Offsets may have gaps: a batch begins at the position asked for, its first entry may stand behind it.
 */
export async function segmentLogReader(options: SegmentLogReaderOptions): Promise<SegmentLogReader> {
  const { segments, log, group, logger, metrics } = options
  const committed = new CommittedPositions({ dir: options.positionsDir, group, log: logger })
  await committed.load()
  const feed = new SegmentFeed(segments, log, logger, options.minEntries ?? 2_000, committed)
  segments.follow({ log, committed: () => feed.done(), appended: () => feed.interrupt() })
  const health: ReaderHealth = { pausedSince: undefined }
  return {
    log,
    health,
    lag: () => feed.lag(),
    async run(consumer: Consumer<EntryBatch>, stop: AbortSignal): Promise<void> {
      const timer = setInterval(() => metrics.lag.set({ group }, feed.lag()), 1_000).unref()
      try {
        await driveConsumer(feed, consumer, stop, { partition: 0, name: group, log: logger, health })
      } finally {
        clearInterval(timer)
        await feed.close()
        await committed.flush()
      }
    },
    commit(partition, position): Promise<void> {
      committed.note(partition, position)
      return Promise.resolve()
    },
  }
}

/** Where a frame stands. */
interface Place {
  segment: Segment
  at: number
}

class SegmentFeed implements Feed<EntryBatch> {
  readonly #segments: SegmentLog
  readonly #log: LogName
  readonly #section: number
  readonly #logger: Logger
  readonly #minEntries: number
  readonly #committed: CommittedPositions
  readonly #waker = new Waker()
  #file: SegmentFile | undefined
  /** The frame to read next; `undefined` after a seek. */
  #place: Place | undefined
  /** The frame before it, if it was read. */
  #before: FrameHeader | undefined
  /** Where the next batch begins: behind the last one, or where the consumer sought. */
  #position: Position = -1
  /** What was handed over last: a consumer may take a part and ask for the rest. */
  #handed: readonly LogEntry[] = []
  /** All records before this offset are in front of `#position`, though the two may differ by a gap. */
  #passed: Position = 0

  constructor(segments: SegmentLog, log: LogName, logger: Logger, minEntries: number, committed: CommittedPositions) {
    this.#segments = segments
    this.#log = log
    this.#section = SECTIONS.indexOf(log)
    this.#logger = logger
    this.#minEntries = minEntries
    this.#committed = committed
  }

  assignment(): Promise<Assignment> {
    const oldest = this.#segments.oldest(this.#log)
    const end = this.#segments.end(this.#log)
    return Promise.resolve({ partition: 0, committed: this.#committed.get(0), oldest, end })
  }

  end(): Promise<Position> {
    return Promise.resolve(this.#segments.end(this.#log))
  }

  changed(timeoutMs: number): Promise<void> {
    return this.#waker.wait(timeoutMs)
  }

  interrupt(): void {
    this.#waker.wake()
  }

  lag(): number {
    return this.#segments.end(this.#log) - Math.max(this.#position, this.#passed, 0)
  }

  /** All before this offset is done, also where no record has it. */
  done(): Position | undefined {
    const committed = this.#committed.get(0)
    return committed !== undefined && committed === this.#position ? Math.max(committed, this.#passed) : committed
  }

  async next(position: Position): Promise<EntryBatch | undefined> {
    let entries: readonly LogEntry[] = position === this.#position ? [] : this.#seek(position)
    let passed = this.#passed
    try {
      while (entries.length < this.#minEntries) {
        const frame = await this.#readFrame(position)
        if (frame === undefined) break
        passed = frame.end
        if (frame.entries !== undefined) entries = entries.length === 0 ? frame.entries : entries.concat(frame.entries)
      }
    } catch (error) {
      // What was read is read again by the next call.
      this.#position = -1
      this.#handed = []
      throw error
    }
    this.#passed = passed
    const last = entries.at(-1)
    if (last === undefined) return undefined
    this.#handed = entries
    this.#position = last.offset + 1
    return { partition: 0, from: position, to: this.#position, entries }
  }

  /** Goes to a position; returns the entries from there that are still in hand. */
  #seek(position: Position): readonly LogEntry[] {
    const first = this.#handed.findIndex(entry => entry.offset >= position)
    if (first !== -1 && this.#handed[0]!.offset <= position) return this.#handed.slice(first)
    this.#handed = []
    this.#place = undefined
    this.#before = undefined
    this.#position = position
    this.#passed = 0
    const oldest = this.#segments.oldest(this.#log)
    const end = this.#segments.end(this.#log)
    if (position < oldest) {
      this.#logger.error({ log: this.#log, position, oldest }, 'Records were deleted before this reader took them')
    }
    if (position > end) {
      this.#logger.warn(
        { log: this.#log, position, end },
        'The log is shorter than what was read of it; it goes on behind',
      )
      this.#segments.raiseEnd(this.#log, position)
    }
    return []
  }

  /** The next frame's entries from `position`, and the offset behind the frame; `undefined` at the end of the log. */
  async #readFrame(
    position: Position,
  ): Promise<{ entries: readonly LogEntry[] | undefined; end: Position } | undefined> {
    for (;;) {
      const all = this.#segments.segments
      // A segment that everybody is past may be deleted meanwhile.
      if (this.#place !== undefined && !isAmong(all, this.#place.segment)) this.#place = undefined
      const place = this.#place ?? this.#findSegment(position)
      if (place === undefined) return undefined
      const { segment, at } = place
      if (at >= segment.bytes) {
        this.#place = place
        const next = all[all.indexOf(segment) + 1]
        if (next === undefined) return undefined
        this.#place = { segment: next, at: SEGMENT_HEAD.length }
        continue
      }
      const header = this.#segments.recent.header(segment.path, at) ?? (await (await this.#open(segment)).header(at))
      if (header === undefined) throw segmentDamaged(segment.path, at, 'no frame header')
      checkChain(segment.path, at, this.#before, header)
      const { base, count } = header.sections[this.#section]!
      const end = base + count
      const isWanted = count > 0 && end > position
      const entries = isWanted ? await this.#entries(segment, at, header) : undefined
      this.#place = { segment, at: at + header.bytes }
      this.#before = header
      return { entries: base < position ? entries?.slice(position - base) : entries, end }
    }
  }

  async #entries(segment: Segment, at: number, header: FrameHeader): Promise<readonly LogEntry[]> {
    const recent = this.#segments.recent.entries(segment.path, at, this.#log)
    if (recent !== undefined) return recent
    const bytes = await (await this.#open(segment)).section(at, header, this.#section)
    return toEntries(header, this.#log, bytes)
  }

  /** The start of the last segment that begins at or before the position. */
  #findSegment(position: Position): Place | undefined {
    const all = this.#segments.segments
    const behind = all.findIndex(segment => segment.base[this.#section]! > position)
    const segment = all[behind === -1 ? all.length - 1 : Math.max(0, behind - 1)]
    this.#before = undefined
    return segment && { segment, at: SEGMENT_HEAD.length }
  }

  async #open(segment: Segment): Promise<SegmentFile> {
    if (this.#file?.path === segment.path) return this.#file
    await this.close()
    try {
      this.#file = await SegmentFile.open(segment.path)
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause)
      throw new ProcessorError('STORE_UNAVAILABLE', `${segment.path} cannot be read. Found: ${found}.`, {
        retryable: true,
        cause,
      })
    }
    return this.#file
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }
}

function isAmong(all: readonly Segment[], segment: Segment): boolean {
  return all.at(-1) === segment || all.includes(segment)
}
