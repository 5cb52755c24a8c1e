import { randomUUID } from 'node:crypto'
import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { ARCHIVE_SCHEMA_VERSION, type ArchiveTable } from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { ArchiveMetrics } from '../metrics.ts'
import { compareOrderKeys } from '../order-key.ts'
import { PageScratch } from '../parquet/column-chunk.ts'
import { type ArchiveCodec, type PageCompressor, pageCompressor } from '../parquet/compression.ts'
import { readFooter } from '../parquet/read-footer.ts'
import { writeParquet } from '../parquet/write-parquet.ts'
import type {
  Assignment,
  Consumer,
  EntryBatch,
  FileStore,
  LogEntry,
  LogReader,
  OrderKey,
  PartitionId,
  Position,
} from '../ports.ts'
import { localFileStore } from '../stores/local-file-store.ts'
import { type ArchiveFileFacts, factsMetadata, factsOf } from './archive-file-facts.ts'
import { type ArchiveOwner, archiveName, archivePath, arrivalHour, temporaryFolder } from './archive-path.ts'
import { archivedUpTo, removeStaleTemporaries, writeMark } from './archive-resume.ts'
import { ArchiveRows } from './archive-rows.ts'

/** When an open file is closed, whichever comes first; besides, when the hour of arrival changes. */
export interface ArchiveRoll {
  /** Rows of a file. Default 131 072. */
  rows: number
  /** Memory that the open file of a partition holds, bytes. Default 64 MiB. */
  bytes: number
  /** Age of a file, ms. Default 300 000 (5 minutes). */
  everyMs: number
  /** Time without a new row, ms. Default 60 000. */
  idleMs: number
}

export const DEFAULT_ARCHIVE_ROLL: ArchiveRoll = {
  rows: 131_072,
  bytes: 64 * 1024 * 1024,
  everyMs: 300_000,
  idleMs: 60_000,
}

export interface ArchiveSinkOptions {
  table: ArchiveTable
  /** Reads `event-log` for `event_log`, `scenario-log` for `scenario_log`. Only its `commit` is called here. */
  reader: Pick<LogReader, 'commit' | 'log'>
  files: FileStore
  /** Local folder for files while they are encoded; this process's own. Best on the disk of a local `files`. */
  tempDir: string
  roll?: Partial<ArchiveRoll>
  /** Default `zstd`. */
  codec?: ArchiveCodec
  /** Raised by the operator when the log was made anew and its positions begin again. Default 0. */
  generation?: number
  /** For the footer's `created_by`. Default `headwater`. */
  writerVersion?: string
  metrics: ArchiveMetrics
  log: Logger
  /** Milliseconds that never run back; `performance.now` by default. */
  clock?: () => number
}

/** A file that was published. */
export interface PublishedFile {
  path: string
  rows: number
  bytes: number
  /** Unix ms. */
  at: number
}

/** The archive sink as its reader sees it, and what the operator is shown. */
export interface ArchiveSink extends Consumer<EntryBatch> {
  /** The newest file this process published. */
  lastFile(): PublishedFile | undefined
  /** Rows that are held and not yet published, of all partitions. */
  heldRows(): number
  /** How far the partition was taken, and how far it is published; `undefined` while it is not ours. */
  progress(partition: PartitionId): { taken: Position; published: Position } | undefined
  /** Closes what is open now at the next `take` or `tick`, whatever its age. */
  closeSoon(): void
}

/** A file that is encoded, and waits for its final name. */
interface Encoded {
  local: string
  bytes: number
  facts: ArchiveFileFacts
  /** Uploads made so far. */
  temporaries: string[]
}

interface OpenFile {
  path: string
  start: Position
  hour: number
  firstOrder: OrderKey
  openedAt: number
  lastRowAt: number
  encoded: Encoded | undefined
}

/** What is held of a partition that is ours. */
interface Held {
  owner: ArchiveOwner
  /** Behind the last record that was taken, held ones too. */
  next: Position
  /** Of the last row accepted, held ones too. */
  order: OrderKey | undefined
  committed: Position | undefined
  rows: ArchiveRows
  file: OpenFile | undefined
  markedAt: number
}

/** What became of a batch's records. */
interface Counts {
  added: number
  skipped: number
  damaged: number
}

/** After this long the event loop gets its turn between rows, ms. */
const SLICE_MS = 10
/** Rows between two looks at the clock and at the memory held. */
const LOOK_EVERY_ROWS = 256
/** A mark saves listing; more often it would be one more write a file. */
const MARK_EVERY_MS = 30_000
const STALE_LOCAL_MS = 24 * 3_600_000

/**
 * Log → Parquet files, each record in exactly one of them, whatever the log repeats and whenever this process dies. One
 * batch is one file, and its refused-if-exists publish is the commit: position and order key stand in the file's footer.
 *
 * A partition:  away ─assigned▶ idle ─first record▶ open ─roll▶ encoded ─publish▶ idle;  any ─revoked▶ away
 *
 *   0 assigned   position = committed, else behind the newest file or the mark; order key = that of the newest file
 *   1 idle       the first record gives the final path; is it taken: seek behind that file
 *   2 roll       encode to a local file, read its footer again
 *   3            upload under a name that was never used before, compare lengths
 *   4            publish, which never replaces
 *   5            look at the final path whatever publish said: our attempt → 6; another's → seek behind it;
 *                nothing → the same call again, from the look at the final path on
 *   6            commit, now and then the mark
 *
 * A crash at any place leaves at most a temporary file. Two owners that cut differently begin with the same record, so
 * they meet at the same name: one publish wins, the other drops its rows and goes on behind the winner's.
 */
export function archiveSink(options: ArchiveSinkOptions): ArchiveSink {
  const { table, reader, files, tempDir, metrics, log } = options
  const roll: ArchiveRoll = { ...DEFAULT_ARCHIVE_ROLL, ...options.roll }
  const clock = options.clock ?? (() => performance.now())
  const generation = options.generation ?? 0
  const partitions = new Map<PartitionId, Held>()
  const scratch = new PageScratch()
  const local = localFileStore(tempDir)
  let compressor: PageCompressor | undefined
  let published: PublishedFile | undefined
  /** Files opened up to here are to be closed. */
  let closeUpTo = Number.NEGATIVE_INFINITY

  async function look(path: string): Promise<ArchiveFileFacts | undefined> {
    const footer = await readFooter(files, path)
    return footer === undefined ? undefined : factsOf(path, footer)
  }

  function hold(partition: PartitionId): Held {
    const held = partitions.get(partition)
    if (held === undefined) throw new Error(`A batch of partition ${partition}, which is not assigned.`)
    return held
  }

  /** Steps 1 and 5 when the range is in another file: goes on behind it. */
  async function follow(held: Held, path: string, first: OrderKey, there: ArchiveFileFacts): Promise<Position> {
    if (compareOrderKeys(there.order, first) < 0) {
      throw new ProcessorError(
        'ARCHIVE_DAMAGED',
        `${path} has the name of the next file but does not hold its first record: the log was made anew. ` +
          `Raise the generation or move the archive away. Found: last record ${JSON.stringify(there.order)}, ` +
          `next record ${JSON.stringify(first)}.`,
      )
    }
    held.file = undefined
    held.rows.clear()
    held.order = there.order
    held.next = there.end
    await commit(held)
    return there.end
  }

  /** Step 1. `undefined`: open; else where to go on. */
  async function begin(held: Held, entry: LogEntry): Promise<Position | undefined> {
    const hour = arrivalHour(entry.arrivedAt)
    const path = archivePath(held.owner, entry.offset, hour)
    const there = await look(path)
    if (there !== undefined) return follow(held, path, entry.order, there)
    held.file = {
      path,
      start: entry.offset,
      hour,
      firstOrder: entry.order,
      openedAt: clock(),
      lastRowAt: clock(),
      encoded: undefined,
    }
    return undefined
  }

  /** Step 2. */
  async function encode(held: Held, file: OpenFile): Promise<Encoded> {
    const { owner, rows, order: last, next } = held
    const attempt = randomUUID()
    const name = `${table}+${archiveName(owner, file.start)}.${attempt}`
    const facts: ArchiveFileFacts = { start: file.start, end: next, order: last as OrderKey, rows: rows.count, attempt }
    compressor ??= await pageCompressor(options.codec ?? 'zstd')
    const path = join(tempDir, name)
    await onDisk(`${path} cannot be written`, async () => {
      await mkdir(tempDir, { recursive: true })
      try {
        await writeParquet(path, {
          columns: rows.columns,
          order: rows.order(),
          sortedBy: [rows.sortedBy],
          metadata: factsMetadata(owner, facts, ARCHIVE_SCHEMA_VERSION, rows.scenarioVersions),
          createdBy: `headwater version ${options.writerVersion ?? '0'}`,
          compressor: compressor as PageCompressor,
          scratch,
        })
      } catch (error) {
        await unlink(path).catch(() => {})
        throw error
      }
    })
    const footer = await readFooter(local, name)
    if (footer === undefined || footer.rows !== facts.rows || factsOf(path, footer).attempt !== attempt) {
      throw new ProcessorError('STORE_UNAVAILABLE', `${path} is not what was written. Found: ${footer?.rows} rows.`, {
        retryable: true,
      })
    }
    return { local: path, bytes: footer.bytes, facts, temporaries: [] }
  }

  /** Steps 3 to 5: what stands at the final path in the end. */
  async function publish(file: OpenFile, encoded: Encoded, name: string): Promise<ArchiveFileFacts> {
    const before = await look(file.path)
    if (before !== undefined) return before
    const temporary = `${temporaryFolder(table)}/${name}.${randomUUID()}`
    encoded.temporaries.push(temporary)
    await files.put(encoded.local, temporary)
    const uploaded = await files.stat(temporary)
    if (uploaded?.bytes !== encoded.bytes) {
      throw new ProcessorError(
        'STORE_UNAVAILABLE',
        `${temporary} must have ${encoded.bytes} bytes after its upload. Found: ${uploaded?.bytes ?? 'no file'}.`,
        { retryable: true },
      )
    }
    let answer: unknown
    try {
      answer = await files.publish(temporary, file.path)
    } catch (error) {
      answer = error
    }
    const after = await look(file.path)
    if (after !== undefined) return after
    if (answer instanceof Error) throw answer
    throw new ProcessorError(
      'STORE_UNAVAILABLE',
      `${file.path} is not there. Found: ${answer} as the answer to publish.`,
      {
        retryable: true,
      },
    )
  }

  /** Steps 2 to 6. `undefined`: done; else where to go on, because another owner had published the range. */
  async function close(held: Held, file: OpenFile): Promise<Position | undefined> {
    const started = performance.now()
    file.encoded ??= await encode(held, file)
    const { encoded } = file
    const there = await publish(file, encoded, archiveName(held.owner, file.start))
    await tidy(encoded)
    if (there.attempt !== encoded.facts.attempt) {
      metrics.files.inc({ table, result: 'collision' })
      log.warn({ table, file: file.path, rows: encoded.facts.rows }, 'Another owner had archived the same records')
      return follow(held, file.path, file.firstOrder, there)
    }
    const { rows, end } = encoded.facts
    published = { path: file.path, rows, bytes: encoded.bytes, at: Date.now() }
    metrics.files.inc({ table, result: 'published' })
    metrics.rows.inc({ table, result: 'archived' }, rows)
    metrics.bytes.inc({ table }, encoded.bytes)
    metrics.closeSeconds.observe({ table }, (performance.now() - started) / 1000)
    log.info({ table, file: file.path, rows, bytes: encoded.bytes }, 'Archive file published')
    held.file = undefined
    held.rows.clear()
    await commit(held, end)
    if (clock() >= held.markedAt + MARK_EVERY_MS) {
      held.markedAt = clock()
      await mark(held, file.path, encoded.facts)
    }
    return undefined
  }

  async function tidy(encoded: Encoded): Promise<void> {
    // Nothing depends on it: what stays is removed after a day.
    await unlink(encoded.local).catch(() => {})
    for (const temporary of encoded.temporaries) await files.remove(temporary).catch(() => {})
  }

  async function mark(held: Held, path: string, facts: ArchiveFileFacts): Promise<void> {
    await writeMark(files, held.owner, path, facts).catch(error => {
      log.warn({ table, partition: held.owner.partition, err: error }, 'The low-water mark could not be written')
    })
  }

  async function commit(held: Held, position = held.next): Promise<void> {
    if (held.committed === position) return
    const { partition } = held.owner
    try {
      await reader.commit(partition, position)
      held.committed = position
    } catch (error) {
      log.warn({ table, partition, err: error }, 'The position of the archive could not be committed')
    }
  }

  /** Whether the open file has to be closed before `entry` goes in. Hours may run back a little: that cuts nothing. */
  function endsBefore(file: OpenFile, entry: LogEntry): boolean {
    return arrivalHour(entry.arrivedAt) > file.hour
  }

  function isDue(held: Held, file: OpenFile): boolean {
    const now = clock()
    return (
      file.encoded !== undefined ||
      file.openedAt <= closeUpTo ||
      now - file.openedAt >= roll.everyMs ||
      now - file.lastRowAt >= roll.idleMs ||
      held.rows.count >= roll.rows
    )
  }

  /** Makes sure that a file is open for `entry`; `undefined`, or where to go on. */
  async function prepare(held: Held, entry: LogEntry): Promise<Position | undefined> {
    if (held.file !== undefined) {
      const moved = await close(held, held.file)
      if (moved !== undefined) return moved
    }
    return begin(held, entry)
  }

  function add(held: Held, entry: LogEntry, counts: Counts): void {
    try {
      held.rows.add(entry, held.owner.partition)
      held.order = entry.order
      counts.added++
    } catch (error) {
      // A record that cannot be read never can: it is counted, and shown once a batch.
      if (counts.damaged++ === 0) {
        log.error({ table, offset: entry.offset, err: error }, 'A record of the log cannot be read: not archived')
      }
      if (held.rows.count === 0) held.file = undefined
    }
    held.next = entry.offset + 1
  }

  async function takeEntries(held: Held, batch: EntryBatch, counts: Counts): Promise<Position | undefined> {
    let sliceEnds = performance.now() + SLICE_MS
    let seen = 0
    for (const entry of batch.entries) {
      if (entry.offset < held.next) continue
      if (held.order !== undefined && compareOrderKeys(entry.order, held.order) <= 0) {
        counts.skipped++
        held.next = entry.offset + 1
        continue
      }
      if (held.file === undefined || endsBefore(held.file, entry)) {
        const moved = await prepare(held, entry)
        if (moved !== undefined) return moved
      }
      add(held, entry, counts)
      const look = ++seen % LOOK_EVERY_ROWS === 0
      if (held.file !== undefined && (held.rows.count >= roll.rows || (look && held.rows.bytes >= roll.bytes))) {
        const moved = await close(held, held.file)
        if (moved !== undefined) return moved
      }
      if (look && performance.now() >= sliceEnds) {
        await setImmediate()
        sliceEnds = performance.now() + SLICE_MS
      }
    }
    if (batch.to > held.next) held.next = batch.to
    return undefined
  }

  return {
    lastFile: () => published,
    heldRows: () => {
      let rows = 0
      for (const held of partitions.values()) rows += held.rows.count
      return rows
    },
    progress(partition) {
      const held = partitions.get(partition)
      return held && { taken: held.next, published: held.file?.start ?? held.next }
    },
    closeSoon() {
      closeUpTo = clock()
    },

    async assigned(assignment: Assignment): Promise<Position> {
      const { partition, committed, oldest, end } = assignment
      const owner: ArchiveOwner = { table, log: reader.log, partition, generation }
      await discard(partitions.get(partition))
      partitions.delete(partition)
      await removeStaleTemporaries(files, owner, Date.now()).catch(error => {
        log.warn({ table, partition, err: error }, 'Old temporary files could not be removed')
      })
      await removeStaleLocals(tempDir, table)
      const archived = await archivedUpTo(files, owner, Date.now())
      // The commit may be behind the files, and then the order key skips what is in them. Not the other way round: a log that
      // lost its last records and was written on has new records at positions that the files have passed already.
      let position = committed ?? archived?.position ?? oldest
      if (position < oldest) {
        // The commit may have been lost with what it said. What is in no file either is gone: the reader passes over it and counts.
        position = Math.max(position, archived?.position ?? 0)
        if (position < oldest)
          log.error({ table, partition, position, oldest }, 'Records were deleted before they were archived')
        else position = oldest
      } else if (position > end) {
        // The log lost its last records, in a power cut say, and they are written anew: the order key knows which of them
        // are archived. Reading all again is the only way that loses none.
        log.error({ table, partition, position, end }, 'The archive holds more than the log: reading the log again')
        position = oldest
      }
      const held: Held = {
        owner,
        next: position,
        order: archived?.order,
        committed,
        rows: new ArchiveRows(table),
        file: undefined,
        markedAt: Number.NEGATIVE_INFINITY,
      }
      partitions.set(partition, held)
      return position
    },

    async take(batch: EntryBatch): Promise<Position> {
      const held = hold(batch.partition)
      const counts: Counts = { added: 0, skipped: 0, damaged: 0 }
      try {
        if (held.file?.encoded !== undefined) {
          // Closing it failed, and this is the same call again.
          const moved = await close(held, held.file)
          if (moved !== undefined) return moved
        }
        const moved = await takeEntries(held, batch, counts)
        if (moved !== undefined) return moved
        if (held.file !== undefined && counts.added > 0) held.file.lastRowAt = clock()
        if (held.file !== undefined && isDue(held, held.file)) {
          const closed = await close(held, held.file)
          if (closed !== undefined) return closed
        }
        if (held.file === undefined) await commit(held)
        return held.next
      } finally {
        if (counts.skipped > 0) metrics.rows.inc({ table, result: 'skipped' }, counts.skipped)
        if (counts.damaged > 0) metrics.rows.inc({ table, result: 'damaged' }, counts.damaged)
      }
    },

    async tick(partition: PartitionId): Promise<Position | undefined> {
      const held = hold(partition)
      const { file } = held
      if (file === undefined || !isDue(held, file)) return undefined
      const moved = await close(held, file)
      // Memory is kept from file to file; a partition that has gone quiet gives it back.
      if (clock() - file.lastRowAt >= roll.idleMs) held.rows = new ArchiveRows(table)
      return moved
    },

    async revoked(partition: PartitionId): Promise<void> {
      const held = partitions.get(partition)
      if (held === undefined) return
      try {
        if (held.file !== undefined) await close(held, held.file)
        partitions.delete(partition)
      } catch (error) {
        if (error instanceof ProcessorError && error.retryable) throw error
        partitions.delete(partition)
        await discard(held)
        throw error
      }
    },
  }

  async function discard(held: Held | undefined): Promise<void> {
    if (held?.file?.encoded !== undefined) await tidy(held.file.encoded)
  }
}

/** Encoded files that a crash left behind. */
async function removeStaleLocals(tempDir: string, table: ArchiveTable): Promise<void> {
  const names = await readdir(tempDir).catch(() => [])
  for (const name of names) {
    if (!name.startsWith(`${table}+`)) continue
    const path = join(tempDir, name)
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && Date.now() - found.mtimeMs > STALE_LOCAL_MS) await unlink(path).catch(() => {})
  }
}

async function onDisk(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined || cause instanceof ProcessorError) throw cause
    throw new ProcessorError('STORE_UNAVAILABLE', `${what}. Found: ${(cause as Error).message}.`, {
      retryable: true,
      cause,
    })
  }
}
