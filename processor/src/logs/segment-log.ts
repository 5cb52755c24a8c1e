import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { uptime } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { JudgedBatch, LogName, Position } from '../ports.ts'
import type { Prunable, PrunedFile } from '../retention.ts'
import { syncFolder } from '../state-file.ts'
import { endsOf, FrameEncoder, type FrameHeader, type LogEnds, SECTIONS, type SegmentFormat } from './frame.ts'
import { RecentFrames } from './recent-frames.ts'
import {
  findWholeFrames,
  isSegmentName,
  SEGMENT_HEAD,
  SegmentFile,
  segmentDamaged,
  segmentName,
} from './segment-file.ts'

export interface SegmentLogOptions {
  /** `state/segments`; made when missing. One process only, see the data folder's lock. */
  dir: string
  /** `write`: a batch survives a kill of the process; `fsync`: a power cut too. */
  durability: 'write' | 'fsync'
  /** The line source's name, for dead letters. */
  source: string
  log: Logger
  /** A segment is closed when it is this long … */
  rollBytes?: number
  /** … or its first frame this old. */
  rollEveryMs?: number
  /** Up to this many bytes of frames are kept in memory for readers that follow closely. */
  recentBytes?: number
}

/** One segment file; `base` and `arrivedAt` are those of its first frame. */
export interface Segment {
  path: string
  format: SegmentFormat
  base: LogEnds
  arrivedAt: number
  /** Bytes of whole frames and head. */
  bytes: number
}

/** A group of readers, as retention sees it. */
export interface LogFollower {
  log: LogName
  /** All before this offset is done. */
  committed(): Position | undefined
  /** Called after each append; must not throw. */
  appended(): void
}

/** After a reboot offsets go on this far behind the last: more than a kernel keeps unwritten. */
const REBOOT_GAP = 2 ** 24

/**
 * The three logs of embedded mode (partition 0) in one series of files: one frame a judged batch, so that events, outcomes,
 * dead letters, ids and the input position become visible together or not at all. Record offsets count 0, 1, 2 … in each
 * log. `SegmentLogWriter` and `SegmentLogReader` are its ports.
 */
export class SegmentLog implements Prunable {
  readonly #dir: string
  readonly #options: SegmentLogOptions
  readonly #followers = new Set<LogFollower>()
  readonly #encoder: FrameEncoder
  readonly recent: RecentFrames
  #segments: Segment[] = []
  #handle: FileHandle | undefined
  /** A part of a failed append may stand behind `bytes` of the last segment. */
  #dirty = false
  #appending = false
  #to: Position | undefined
  #ends: LogEnds = [0, 0, 0, 0]

  private constructor(options: SegmentLogOptions) {
    this.#dir = options.dir
    this.#options = options
    this.#encoder = new FrameEncoder(options.source)
    this.recent = new RecentFrames(options.recentBytes ?? 8 * 1024 * 1024)
  }

  /**
   * Opens the logs and cuts a torn last frame off. Rejects with STATE_DAMAGED when a frame before the last is damaged and
   * with FORMAT_UNKNOWN when another version wrote the files.
   *
   * Frames that were written but not synced may be lost in a power cut, while a sink has already stored a position behind
   * them. So when the machine was started after the last frame arrived, offsets go on with a gap: no offset ever names two
   * records, and a sink that knows the lost ones skips their repetition by order key.
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    const log = new SegmentLog(options)
    await mkdir(options.dir, { recursive: true })
    const names = (await readdir(options.dir)).filter(isSegmentName).sort()
    let last: FrameHeader | undefined
    while (last === undefined && names.length > 0) {
      const path = join(options.dir, names.at(-1)!)
      const { size } = await stat(path)
      const file = await SegmentFile.open(path)
      try {
        const whole = (await file.hasHead()) ? await findWholeFrames(file, size) : undefined
        if (whole?.first === undefined || whole.last === undefined) {
          await rm(path)
          await syncFolder(options.dir)
          names.pop()
          if (size > SEGMENT_HEAD.length) options.log.warn({ path, bytes: size }, 'A torn frame was cut off')
          continue
        }
        last = whole.last
        log.#segments = [segmentOf(path, whole.first, whole.bytes)]
        log.#handle = await open(path, constants.O_RDWR)
        if (whole.bytes < size) {
          await log.#handle.truncate(whole.bytes)
          options.log.warn({ path, bytes: size - whole.bytes }, 'A torn frame was cut off')
        }
      } finally {
        await file.close()
      }
    }
    const earlier: Segment[] = []
    for (const name of names.slice(0, -1)) earlier.push(await readSegment(join(options.dir, name)))
    log.#segments = [...earlier, ...log.#segments]
    if (last !== undefined) {
      const gap = last.arrivedAt < Date.now() - uptime() * 1000 ? REBOOT_GAP : 0
      const [ids, events, outcomes, deadLetters] = endsOf(last)
      log.#to = last.to
      log.#ends = [ids, events + gap, outcomes + gap, deadLetters + gap]
    }
    return log
  }

  /** The input position behind the last batch; `undefined` before the first. */
  get to(): Position | undefined {
    return this.#to
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** The offset the log's next record will have. */
  end(log: LogName): Position {
    return this.#ends[SECTIONS.indexOf(log)]!
  }

  /** The first offset that can still be read. */
  oldest(log: LogName): Position {
    return this.#segments[0]?.base[SECTIONS.indexOf(log)] ?? this.end(log)
  }

  /** How many event ids were written before the end, for limits by number. */
  get idCount(): number {
    return this.#ends[0]
  }

  /** Lets the log's offsets go on at `position` at least: somebody knows records up to there that are gone. */
  raiseEnd(log: LogName, position: Position): void {
    const section = SECTIONS.indexOf(log)
    this.#ends = this.#ends.map((end, n) => (n === section ? Math.max(end, position) : end)) as unknown as LogEnds
  }

  follow(follower: LogFollower): void {
    this.#followers.add(follower)
  }

  /** Appends a batch as one frame with one write; see `LogWriter.append`. */
  async append(batch: JudgedBatch): Promise<void> {
    if (this.#appending) throw new Error('append was called before the last append was done')
    if (!(batch.to > batch.from))
      throw new RangeError(`A batch must end behind its start. Found: ${batch.from}–${batch.to}.`)
    if (this.#to !== undefined && batch.from !== this.#to) {
      throw new ProcessorError(
        'POSITION_MISMATCH',
        `The next batch must begin at ${this.#to}, where the last one ended. Found: ${batch.from}.`,
      )
    }
    this.#appending = true
    try {
      const frame = this.#encoder.encode(batch, this.#ends)
      const segment = await this.#writable(frame.header)
      await this.#write(segment, frame.bytes)
      this.recent.add(segment.path, segment.bytes, frame)
      segment.bytes += frame.bytes.length
      this.#to = batch.to
      const ends = this.#ends
      this.#ends = endsOf(frame.header).map((end, n) => Math.max(end, ends[n]!)) as unknown as LogEnds
    } finally {
      this.#appending = false
    }
    for (const follower of this.#followers) follower.appended()
  }

  /** The last segment with no rest of a failed append in it, or a new one. */
  async #writable(next: FrameHeader): Promise<Segment> {
    const { rollBytes = 64 * 1024 * 1024, rollEveryMs = 3_600_000 } = this.#options
    const last = this.#segments.at(-1)
    try {
      if (last !== undefined && this.#handle !== undefined) {
        if (this.#dirty) await this.#handle.truncate(last.bytes)
        this.#dirty = false
        const isFull = last.bytes + next.bytes > rollBytes || next.arrivedAt - last.arrivedAt >= rollEveryMs
        if (last.format === next.format && (!isFull || last.bytes === SEGMENT_HEAD.length)) return last
        await this.#handle.datasync()
      }
      const path = join(this.#dir, segmentName(next.from))
      const handle = await open(path, 'w+')
      try {
        await handle.write(SEGMENT_HEAD, 0, SEGMENT_HEAD.length, 0)
        await syncFolder(this.#dir)
      } catch (error) {
        await handle.close()
        await rm(path, { force: true })
        throw error
      }
      await this.#handle?.close()
      this.#handle = handle
      const segment = segmentOf(path, next, SEGMENT_HEAD.length)
      this.#segments.push(segment)
      return segment
    } catch (cause) {
      throw unavailable(this.#dir, cause)
    }
  }

  async #write(segment: Segment, bytes: Buffer): Promise<void> {
    const handle = this.#handle!
    this.#dirty = true
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, segment.bytes + done)
        done += bytesWritten
      }
      if (this.#options.durability === 'fsync') await handle.datasync()
      this.#dirty = false
    } catch (cause) {
      try {
        await handle.truncate(segment.bytes)
        this.#dirty = false
      } catch {
        // The next append tries again, and `open` cuts a torn frame off.
      }
      throw unavailable(segment.path, cause)
    }
  }

  /**
   * Deletes segments that arrived before `before` (Unix ms) and that every follower has committed past; never the last one.
   * A follower that has committed nothing keeps all that has records for it.
   */
  async prune(before: number): Promise<PrunedFile[]> {
    const pruned: PrunedFile[] = []
    for (;;) {
      const [segment, next] = this.#segments
      if (segment === undefined || next === undefined || next.arrivedAt >= before) return pruned
      for (const follower of this.#followers) {
        const section = SECTIONS.indexOf(follower.log)
        if ((follower.committed() ?? segment.base[section]!) < next.base[section]!) return pruned
      }
      await rm(segment.path, { force: true })
      this.#segments.shift()
      pruned.push({ path: segment.path, bytes: segment.bytes })
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
  }
}

function segmentOf(path: string, first: FrameHeader, bytes: number): Segment {
  const [ids, events, outcomes, deadLetters] = first.sections
  const { format, arrivedAt } = first
  return { path, format, base: [ids.base, events.base, outcomes.base, deadLetters.base], arrivedAt, bytes }
}

async function readSegment(path: string): Promise<Segment> {
  const file = await SegmentFile.open(path)
  try {
    const first = (await file.hasHead()) ? await file.header(SEGMENT_HEAD.length) : undefined
    if (first === undefined) throw segmentDamaged(path, SEGMENT_HEAD.length, 'no whole frame')
    return segmentOf(path, first, (await stat(path)).size)
  } finally {
    await file.close()
  }
}

function unavailable(path: string, cause: unknown): ProcessorError {
  const found = cause instanceof Error ? cause.message : String(cause)
  return new ProcessorError('STORE_UNAVAILABLE', `${path} cannot be written. Found: ${found}.`, {
    retryable: true,
    cause,
  })
}
