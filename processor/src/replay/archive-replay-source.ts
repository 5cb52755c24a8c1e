import { join } from 'node:path'
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import type { Event } from '@headwater/core'
import { beginReading } from '../archive-lock.ts'
import { chunksOf } from '../duckdb-chunks.ts'
import { ProcessorError } from '../errors.ts'
import type { FileStore, StoredFile } from '../ports.ts'
import { ARCHIVED_TEXTS, eventOfRow } from './archived-event.ts'
import type { ReplayBatch, ReplayRange, ReplaySource } from './replay-source.ts'

export interface ArchiveReplayOptions {
  /** The archive's folder: DuckDB reads the files itself. */
  archiveDir: string
  /** The same folder as a file store, to be listed. */
  files: FileStore
  /** Memory DuckDB may use, MiB. Default 512. */
  memoryLimitMb?: number
}

/** One query takes this many files or bytes. */
const FILES_A_QUERY = 64
const BYTES_A_QUERY = 16 * 1024 * 1024
/** Few enough that they are garbage before the collector moves them: measured a fifth faster than 2 048, DuckDB's chunk. */
const EVENTS_A_BATCH = 256
const HOUR_MS = 3_600_000
const PLACE = /^event_log\/day=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/event-log\+[^/]*\.parquet$/
const NOTHING_REJECTED: ReadonlyMap<string, number> = new Map()

/**
 * The events of an archive, file by file in order of their arrival. Files published meanwhile are not read. The columns
 * are read by DuckDB, which passes over row groups outside of `range`.
 * Rejects with ARCHIVE_DAMAGED when a file cannot be read.
 */
export function archiveReplaySource(options: ArchiveReplayOptions): ReplaySource {
  return {
    unique: true,
    async *batches(range, signal): AsyncGenerator<ReplayBatch> {
      const found = (await options.files.list('event_log')).filter(({ path }) => PLACE.test(path))
      if (found.length === 0) return
      const totalBytes = found.reduce((sum, { bytes }) => sum + bytes, 0)
      const { connection, close } = await openDuckDb(options.memoryLimitMb ?? 512)
      try {
        let doneBytes = 0
        for (const files of groups(found)) {
          const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
          // Announced for these files only: who replaces files (forget) waits for readers, and a replay may take an hour.
          const endReading = await beginReading(options.archiveDir)
          try {
            const there = await stillThere(options.files, files)
            for await (const part of eventsOfFiles(connection, options.archiveDir, there, range)) {
              signal?.throwIfAborted()
              const { events, arrivedAt } = part
              const share = (doneBytes + bytes * part.share) / totalBytes
              yield { events, arrivedAt, rejected: NOTHING_REJECTED, share }
            }
          } finally {
            await endReading()
          }
          doneBytes += bytes
        }
      } finally {
        close()
      }
    },
  }
}

function* groups(files: readonly StoredFile[]): Iterable<StoredFile[]> {
  for (let next = 0; next < files.length; ) {
    const some: StoredFile[] = []
    for (let bytes = 0; next < files.length && some.length < FILES_A_QUERY && bytes < BYTES_A_QUERY; next++) {
      const file = files[next] as StoredFile
      some.push(file)
      bytes += file.bytes
    }
    yield some
  }
}

/** Without those that retention has removed since they were listed. */
async function stillThere(store: FileStore, files: readonly StoredFile[]): Promise<StoredFile[]> {
  const there: StoredFile[] = []
  for (const file of files) if ((await store.stat(file.path)) !== undefined) there.push(file)
  return there
}

async function* eventsOfFiles(
  connection: DuckDBConnection,
  archiveDir: string,
  files: readonly StoredFile[],
  range: ReplayRange,
): AsyncGenerator<{ events: Event[]; arrivedAt: number[]; share: number }> {
  if (files.length === 0) return
  const list = files.map(({ path }) => quoted(join(archiveDir, path).replace(/[*?[]/g, '[$&]'))).join(', ')
  try {
    const count = await connection.runAndReadAll(`SELECT sum(num_rows)::DOUBLE FROM parquet_file_metadata([${list}])`)
    const rows = Number(count.getRows()[0]?.[0] ?? 0)
    const result = await connection.stream(sqlOf(list, range))
    let read = 0
    for await (const chunk of chunksOf(result)) {
      const rowsOf = rowReader(chunk)
      for (let from = 0; from < chunk.rowCount; from += EVENTS_A_BATCH) {
        const to = Math.min(chunk.rowCount, from + EVENTS_A_BATCH)
        yield { ...rowsOf(from, to), share: Math.min(1, (read + to) / Math.max(rows, 1)) }
      }
      read += chunk.rowCount
    }
  } catch (cause) {
    if (cause instanceof ProcessorError) throw cause
    throw new ProcessorError(
      'ARCHIVE_DAMAGED',
      'an archive file cannot be read, or was removed while it was read. Begin again; when it happens again, move the ' +
        `file out of the archive, and its events are not judged. Found: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    )
  }
}

const NUMBERS = ['scenario_id', 'site_id', 'date', 'received_at', 'arrived_by', 'nulls'] as const
const JOINED = NUMBERS.length
const FIRST_TEXT = JOINED + 1
/** Stands between the texts of a row. */
const SEPARATOR = '\x1f'

/**
 * Numbers as doubles, which JavaScript reads without a BigInt: ids are below 2^31, times below 2^53. Texts joined to one,
 * as each one that is handed from DuckDB to JavaScript costs 0.6 µs; `nulls` has a bit for each that is NULL. The texts
 * themselves follow: they cost nothing until they are looked at, for a row with the separator in a text.
 */
function sqlOf(list: string, range: ReplayRange): string {
  const columns = [
    'scenario_id::DOUBLE',
    'site_id::DOUBLE',
    'epoch_ms(date)::DOUBLE',
    'epoch_ms(received_at)::DOUBLE',
    `(epoch_ms(day) + (hour + 1) * ${HOUR_MS} - 1)::DOUBLE`,
    `(${ARCHIVED_TEXTS.map((name, i) => `CASE WHEN "${name}" IS NULL THEN ${1 << i} ELSE 0 END`).join(' + ')})::DOUBLE`,
    `concat(${ARCHIVED_TEXTS.map(name => `"${name}"`).join(', chr(31), ')})`,
    ...ARCHIVED_TEXTS.map(name => `"${name}"`),
  ]
  const conditions: string[] = []
  if (range.from !== undefined) conditions.push(`date >= to_timestamp(${range.from} / 1000.0)`)
  if (range.until !== undefined) conditions.push(`date < to_timestamp(${range.until} / 1000.0)`)
  if (range.siteId !== undefined) conditions.push(`site_id = ${range.siteId}`)
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return (
    `SELECT ${columns.join(', ')} FROM read_parquet([${list}], hive_partitioning = true, ` +
    `hive_types = {'day': DATE, 'hour': INTEGER})${where}`
  )
}

type Numbers = readonly (number | null)[]

/** Gives the events of rows `from` to `to − 1` of a chunk. */
function rowReader(chunk: DuckDBDataChunk): (from: number, to: number) => { events: Event[]; arrivedAt: number[] } {
  const [scenarioId, siteId, date, receivedAt, arrivedBy, nulls] = NUMBERS.map((_, i) => chunk.getColumnValues(i)) as [
    Numbers,
    Numbers,
    number[],
    number[],
    number[],
    number[],
  ]
  const joined = chunk.getColumnVector(JOINED)
  const now = Date.now()
  return (from, to) => {
    const events: Event[] = []
    const arrivedAt: number[] = []
    for (let i = from; i < to; i++) {
      const texts =
        parted(joined.getItem(i) as string, nulls[i] as number) ??
        ARCHIVED_TEXTS.map((_, t) => chunk.getColumnVector(FIRST_TEXT + t).getItem(i) as string | null)
      events.push(
        eventOfRow({
          scenarioId: scenarioId[i] as number | null,
          siteId: siteId[i] as number | null,
          date: date[i] as number,
          receivedAt: receivedAt[i] as number,
          texts,
        }),
      )
      // Only the hour of an arrival is known.
      arrivedAt.push(Math.min(now, arrivedBy[i] as number))
    }
    return { events, arrivedAt }
  }
}

/** The texts of a row; `undefined` when one of them has the separator in it. */
function parted(joined: string, nulls: number): (string | null)[] | undefined {
  const texts: (string | null)[] = []
  let from = 0
  for (let i = 0; i < ARCHIVED_TEXTS.length; i++) {
    const last = i === ARCHIVED_TEXTS.length - 1
    const to = joined.indexOf(SEPARATOR, from)
    if (last !== to < 0) return undefined
    texts.push((nulls >> i) & 1 ? null : last ? joined.slice(from) : joined.slice(from, to))
    from = to + 1
  }
  return texts
}

async function openDuckDb(memoryLimitMb: number): Promise<{ connection: DuckDBConnection; close(): void }> {
  // DuckDB is 70 MB of native code: a process that never replays an archive does not load it.
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: `${memoryLimitMb}MiB` })
  const connection = await instance.connect()
  await connection.run(`SET TimeZone = 'UTC'`)
  return {
    connection,
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
