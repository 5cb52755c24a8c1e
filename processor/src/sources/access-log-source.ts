import { fstatSync, readSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { CommittedPositions } from '../committed-positions.ts'
import { driveConsumer, type Feed, type ReaderHealth } from '../drive-consumer.ts'
import type { TailerMetrics } from '../metrics.ts'
import type { Assignment, LineBatch, LineSource, Position } from '../ports.ts'
import type { Prunable } from '../retention.ts'
import { Waker } from '../waker.ts'
import { endOf, type LogExtent, LogFiles, startOf } from './log-files.ts'
import { beginsAs, FINGERPRINT_BYTES, type FolderScan, scanLogFolder, unreadable } from './log-folder.ts'
import { LineReader } from './read-lines.ts'

export interface AccessLogSourceOptions {
  /** The live log, `…/access.log`. It need not exist yet. */
  path: string
  /** Where `log-files.json` and `positions/<name>.json` stand. */
  stateDir: string
  /** Names the source in event ids and dead letters; small letters, digits and `-`. */
  name: string
  /** How long a rotated file must not have grown before it is left; 0 when the writer never writes to a renamed file. */
  rotateWaitMs: number
  /** Read at once, and so the most a batch holds (one longer line apart); at most 1 MiB. */
  maxBatchBytes?: number
  /** How often to look when nobody calls `wake`. */
  pollMs?: number
  /** After a batch that was not full, the next one waits this long, so that batches hold more than a line or two. */
  lingerMs?: number
  /** How often to look whether files that were left have grown. */
  rescanMs?: number
  log: Logger
  metrics: TailerMetrics
}

export interface AccessLogSource extends LineSource, Prunable {
  /** Something was written: look now. For a gateway in the same process. */
  wake(): void
  /** Behind all that is in the files now. */
  end(): Promise<Position>
  readonly health: ReaderHealth
}

/**
 * Reads an access log and its rotated siblings as one stream of lines (partition 0).
 *
 * States of a file: live ─▶ rotated (a successor bears its name) ─▶ left, when it has not grown for `rotateWaitMs`.
 * An unfinished last line waits for its newline while the file may still grow, and becomes a line when the file is left.
 * A file that grows after it was left is read from there, counted and warned about. A truncated file is read from its
 * beginning; what was not read of it is read from its copy when there is one (`copytruncate`), else it is lost and counted.
 *
 * A batch's `from` is where the batch before it ended; its first line may stand behind that when bytes were lost between.
 */
export async function accessLogSource(options: AccessLogSourceOptions): Promise<AccessLogSource> {
  const { name, path, stateDir, log, metrics } = options
  const committed = new CommittedPositions({ dir: join(stateDir, 'positions'), group: name, log })
  await committed.load()
  const files = await LogFiles.load(join(stateDir, 'log-files.json'))
  const feed = new AccessLogFeed(options, files, () => committed.get(0))
  const health: ReaderHealth = { pausedSince: undefined }
  return {
    name,
    health,
    wake: () => feed.wake(),
    end: () => feed.end(committed.get(0) ?? 0),
    async run(consumer, stop): Promise<void> {
      const timer = setInterval(() => void feed.lag().then(lag => metrics.lag.set(lag)), 1_000).unref()
      try {
        await driveConsumer(feed, consumer, stop, { partition: 0, name, log, health })
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
    async prune(before) {
      return files.prune(await scanLogFolder(path), committed.get(0) ?? Number.NEGATIVE_INFINITY, before)
    },
  }
}

/** Something about the files changed: read again. */
const AGAIN = Symbol('again')

/*
 * Lines are read by the thread pool. The file's state and its first 256 bytes are asked for at every poll and after every
 * reading, mostly out of the kernel's cache, where going through the thread pool would cost ten times the answer: these
 * calls are synchronous.
 */
class AccessLogFeed implements Feed<LineBatch> {
  readonly #options: Required<AccessLogSourceOptions>
  readonly #files: LogFiles
  readonly #committed: () => Position | undefined
  readonly #reader: LineReader
  readonly #waker = new Waker()
  readonly #stopBell = new Waker()
  readonly #warned = new Set<string>()
  /** What is being read, and from which byte. */
  #extent: LogExtent | undefined
  #file: FileHandle | undefined
  #offset = 0
  /** It grew after it had been left. */
  #late = false
  /** Where the next batch begins. */
  #position: Position = -1
  /** `mtime` of the file when its end was reached last, and whether its beginning was looked at since. */
  #modifiedAt = 0
  #isBeginningSeen = false
  readonly #head: Buffer = Buffer.allocUnsafe(FINGERPRINT_BYTES)
  #lingerUntil = 0
  #rescanAt = 0
  /** The size at which a rotated file was seen, and since when. */
  #quiet: { size: number; since: number } | undefined

  constructor(options: AccessLogSourceOptions, files: LogFiles, committed: () => Position | undefined) {
    const defaults = { maxBatchBytes: 256 * 1024, pollMs: 100, lingerMs: 250, rescanMs: 5_000 }
    this.#options = { ...defaults, ...options }
    this.#files = files
    this.#committed = committed
    this.#reader = new LineReader(this.#options.maxBatchBytes)
  }

  async assignment(): Promise<Assignment> {
    const committed = this.#committed()
    const [first] = this.#files.extents
    const oldest = first === undefined ? (committed ?? 0) : startOf(first)
    return { partition: 0, committed, oldest, end: await this.end(Math.max(committed ?? oldest, oldest)) }
  }

  async end(position: Position): Promise<Position> {
    return this.#endIn(await this.#scan(), position)
  }

  #endIn(scan: FolderScan, position: Position): Position {
    const last = this.#files.last
    let end = position
    if (last?.to !== undefined) {
      end = Math.max(end, last.base + last.to)
    } else if (last !== undefined) {
      const read = Math.max(position - last.base, last.from)
      const size = this.#files.fileOf(last, scan, read)?.size ?? read
      // Shorter than what was read of it: truncated, and all of it is new.
      end = last.base + (size < read ? read + size : size)
    }
    for (const { file, from } of this.#files.unread(scan)) end += Math.max(0, file.size - from)
    return end
  }

  /** Bytes of all files that are not read yet. */
  async lag(): Promise<number> {
    const position = this.#position
    if (position < 0) return 0
    // Not `#scan`: measuring must not put off the look for files that have grown.
    const scan = await scanLogFolder(this.#options.path).catch(() => undefined)
    return scan === undefined ? 0 : Math.max(0, this.#endIn(scan, position) - position)
  }

  wake(): void {
    this.#waker.wake()
  }

  interrupt(): void {
    this.#waker.wake()
    this.#stopBell.wake()
  }

  /** `wake` ends the wait for news, but not the wait for a fuller batch. */
  async changed(timeoutMs: number): Promise<void> {
    const linger = this.#lingerUntil - performance.now()
    if (linger > 0) await this.#stopBell.wait(Math.min(linger, timeoutMs))
    else await this.#waker.wait(Math.min(timeoutMs, this.#options.pollMs))
  }

  async next(position: Position, draining: boolean): Promise<LineBatch | undefined> {
    if (!draining && performance.now() < this.#lingerUntil) return undefined
    try {
      if (position !== this.#position || this.#file === undefined) {
        if (!(await this.#seek(position))) return undefined
      }
      for (;;) {
        const read = await this.#read()
        if (read !== AGAIN) return read
      }
    } catch (cause) {
      // Nothing was handed over: begin again from the position, whatever was half done.
      this.#position = -1
      if (typeof (cause as NodeJS.ErrnoException).syscall === 'string') throw unreadable(this.#options.path, cause)
      throw cause
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #scan(): Promise<FolderScan> {
    const scan = await scanLogFolder(this.#options.path)
    this.#rescanAt = performance.now() + this.#options.rescanMs
    for (const path of scan.compressed) {
      if (this.#warned.has(path)) continue
      this.#warned.add(path)
      this.#options.log.warn({ path }, 'A compressed log file is not read; compress a file only after it was read')
    }
    return scan
  }

  /** Opens the file that holds `position`; false when there is no file yet. */
  async #seek(position: Position): Promise<boolean> {
    if (this.#files.last === undefined) this.#files.startAt(position)
    const extent = this.#files.find(position)
    this.#position = position
    if (extent === undefined) return this.#moveOn()
    const end = endOf(extent)
    if (end !== undefined && position >= end) {
      this.#extent = extent
      return this.#moveOn()
    }
    const isOpen = await this.#open(extent, Math.max(position - extent.base, extent.from), false)
    // What happened to the other files while nobody looked is seen at the end of this one.
    this.#rescanAt = 0
    return isOpen
  }

  /** Opens an extent's file at a byte; when the file is gone, goes on to the next one. */
  async #open(extent: LogExtent, offset: number, late: boolean): Promise<boolean> {
    await this.close()
    this.#reader.reset()
    this.#quiet = undefined
    this.#modifiedAt = 0
    this.#isBeginningSeen = false
    this.#extent = extent
    this.#offset = offset
    this.#late = late
    let isOther = false
    // A file may be renamed between the scan and the opening.
    for (let attempt = 0; attempt < 5; attempt++) {
      const scan = await this.#scan()
      isOther = scan.files.some(({ inode, device }) => inode === extent.inode && device === extent.device)
      const found = this.#files.fileOf(extent, scan, offset)
      if (found === undefined) break
      const handle = await open(found.path, 'r').catch(ignoreMissing)
      const opened = await handle?.stat()
      if (handle === undefined || opened?.ino !== found.inode || opened.dev !== found.device) {
        await handle?.close()
        continue
      }
      if (extent.inode !== found.inode || extent.device !== found.device) {
        this.#options.metrics.files.inc({ what: 'copied' })
        this.#options.log.warn(
          { path: found.path },
          'A log file was truncated or replaced; the rest of it is read from its copy',
        )
        this.#files.move(extent, found)
        await this.#files.save()
      }
      this.#file = handle
      return true
    }
    if (isOther) this.#noteTruncation(extent)
    await this.#lose(extent, extent.to === undefined ? undefined : extent.to - offset)
    return this.#moveOn()
  }

  #noteTruncation(extent: LogExtent): void {
    this.#options.metrics.files.inc({ what: 'truncated' })
    this.#options.log.warn(
      { path: extent.path, readBytes: this.#offset },
      'A log file was truncated and is read from its beginning; what was not read of it is lost',
    )
  }

  /** Whether the extent's file still bears the live log's name. */
  #isLive({ inode, device }: LogExtent): boolean {
    const live = statSync(this.#options.path, { throwIfNoEntry: false })
    return live?.ino === inode && live.dev === device
  }

  /** What was not read of an extent is gone; `bytes` is how much, where that is known. */
  async #lose(extent: LogExtent, bytes: number | undefined): Promise<void> {
    const { log, metrics } = this.#options
    const where = { path: extent.path, fromByte: this.#offset, bytes }
    if (bytes === undefined && extent.fingerprint.bytes > 0) {
      metrics.files.inc({ what: 'gone' })
      log.warn(where, 'A log file is gone; whether anything was written behind what was read is not known')
    } else if (bytes !== undefined && bytes > 0) {
      metrics.files.inc({ what: 'lost' })
      metrics.lostBytes.inc(bytes)
      log.error(where, 'A log file was gone before it was read to its end')
    }
    if (extent.to === undefined) {
      this.#files.close(extent, this.#offset)
      await this.#files.save()
    }
  }

  /** Goes on behind the extent that is done: to the one after it, or to the next file that has something unread. */
  async #moveOn(): Promise<boolean> {
    const known = this.#extent && this.#files.after(this.#extent)
    if (known !== undefined) return this.#open(known, known.from, false)
    await this.close()
    const scan = await this.#scan()
    const [next] = this.#files.unread(scan)
    if (next === undefined) return false
    const isFirst = this.#files.last === undefined
    this.#files.forget(scan, this.#committed() ?? Number.NEGATIVE_INFINITY)
    const extent = this.#files.add(next.file, next.from)
    await this.#files.save()
    const { path } = next.file
    if (next.late) {
      const bytes = next.file.size - next.from
      this.#options.metrics.files.inc({ what: 'late_growth' })
      this.#options.log.warn({ path, bytes }, 'A log file grew after it had been left; rotateWaitMs may be too short')
    } else if (!isFirst && next.from === 0) {
      this.#options.metrics.files.inc({ what: 'rotated' })
    }
    if (next.from === 0) this.#options.log.info({ path }, 'Reading a log file')
    return this.#open(extent, next.from, next.late)
  }

  async #read(): Promise<LineBatch | undefined | typeof AGAIN> {
    const extent = this.#extent!
    const file = this.#file!
    const limit = extent.to ?? Number.MAX_SAFE_INTEGER
    let read = await this.#reader.read(file, this.#offset, limit)
    // Looked at after the reading: then what was read is of the file as it was before any truncation.
    if (read.end > this.#offset && !this.#beginsAsBefore(extent, file)) return this.#truncated(extent, file)
    if (read.kind === 'unfinished') {
      if (extent.to === undefined) return this.#atEnd(extent, file, read.end)
      if (read.end < extent.to) return this.#truncated(extent, file)
      if (read.end === this.#offset) return (await this.#moveOn()) ? AGAIN : undefined
      read = this.#reader.takeUnfinished(this.#offset, read.end)
    }
    if (read.kind !== 'lines') return undefined
    for (let i = 0; i < read.offsets.length; i++) read.offsets[i] = read.offsets[i]! + extent.base
    this.#options.metrics.bytes.inc(read.end - this.#offset)
    // Only the live file may still grow towards a fuller batch; a rotated one is read to its end at once.
    const mayGrow = !read.full && this.#isLive(extent)
    this.#lingerUntil = mayGrow ? performance.now() + this.#options.lingerMs : 0
    // Whatever failed before: no position is handed out that the registry on disk could not find again.
    await this.#files.save()
    const from = this.#position
    this.#offset = read.end
    this.#position = extent.base + read.end
    return {
      partition: 0,
      from,
      to: this.#position,
      lines: read.lines,
      positions: read.offsets,
      tooLong: read.tooLong,
      arrivedAt: Date.now(),
    }
  }

  #beginsAsBefore(extent: LogExtent, file: FileHandle): boolean {
    const bytes = readSync(file.fd, this.#head, 0, FINGERPRINT_BYTES, 0)
    const head = this.#head.subarray(0, bytes)
    if (!beginsAs(head, extent.fingerprint)) return false
    this.#files.learn(extent, head)
    this.#isBeginningSeen = true
    return true
  }

  /** At the end of a file that may still grow; `end` is behind its unfinished last line. */
  async #atEnd(extent: LogExtent, file: FileHandle, end: number): Promise<undefined | typeof AGAIN> {
    const { size, mtimeMs, ctimeMs } = fstatSync(file.fd)
    if (size < end) return this.#truncated(extent, file)
    if (size > end) return AGAIN
    // Perhaps truncated and written anew to just this length.
    const isUnknown = mtimeMs !== this.#modifiedAt && !this.#isBeginningSeen
    if (isUnknown && !this.#beginsAsBefore(extent, file)) return this.#truncated(extent, file)
    this.#modifiedAt = mtimeMs
    this.#isBeginningSeen = false
    if (!(await this.#hasSuccessor(extent))) {
      this.#quiet = undefined
      return (await this.#hasUnreadBefore()) ? this.#leave(extent, this.#offset) : undefined
    }
    const now = Date.now()
    if (this.#quiet?.size !== size) this.#quiet = { size, since: now }
    const { rotateWaitMs } = this.#options
    // A renaming sets ctime: a file that was rotated long ago need not be waited for again.
    const isQuiet = now - this.#quiet.since >= rotateWaitMs || now - Math.max(mtimeMs, ctimeMs) >= rotateWaitMs
    if (!isQuiet && !(this.#late && end === this.#offset)) return undefined
    // What was written until just now, before the successor was seen.
    if (fstatSync(file.fd).size !== size) return AGAIN
    return this.#leave(extent, end)
  }

  async #leave(extent: LogExtent, end: number): Promise<typeof AGAIN> {
    this.#files.close(extent, end)
    await this.#files.save()
    if (end === this.#offset) this.#reader.reset()
    return AGAIN
  }

  /** Whether lines go to another file by now. */
  async #hasSuccessor(extent: LogExtent): Promise<boolean> {
    const live = statSync(this.#options.path, { throwIfNoEntry: false })
    if (live !== undefined) return live.ino !== extent.inode || live.dev !== extent.device
    if (performance.now() < this.#rescanAt) return false
    return this.#files.unread(await this.#scan()).length > 0
  }

  /** Whether a rotated file has something unread: it grew after it was left, or was empty and then left out. */
  async #hasUnreadBefore(): Promise<boolean> {
    if (performance.now() < this.#rescanAt) return false
    return this.#files.unread(await this.#scan()).some(({ file }) => !file.live)
  }

  /** The file is shorter than what was read of it, or begins otherwise. */
  async #truncated(extent: LogExtent, file: FileHandle): Promise<undefined | typeof AGAIN> {
    const { ino, dev } = await file.stat()
    const scan = await this.#scan()
    const copy = this.#files.copyOf(extent, scan, this.#offset)
    if (copy !== undefined) {
      this.#options.metrics.files.inc({ what: 'truncated' })
      return (await this.#open(extent, this.#offset, this.#late)) ? AGAIN : undefined
    }
    this.#noteTruncation(extent)
    if (extent.to !== undefined) {
      await this.#lose(extent, extent.to - this.#offset)
      return (await this.#moveOn()) ? AGAIN : undefined
    }
    this.#files.close(extent, this.#offset)
    const now = scan.files.find(found => found.inode === ino && found.device === dev)
    if (now === undefined) {
      await this.#files.save()
      return (await this.#moveOn()) ? AGAIN : undefined
    }
    const again = this.#files.add(now, 0)
    await this.#files.save()
    return (await this.#open(again, 0, false)) ? AGAIN : undefined
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
