import type { ArchiveTable, Counters } from '@headwater/core'
import { openArchive } from './archive-query.ts'
import type { ArchiveReader } from './archive-reader.ts'
import { readFooter } from './parquet/read-footer.ts'
import type { FileStore, PartitionId, Position, StoredFile } from './ports.ts'
import { factsOf } from './sinks/archive-file-facts.ts'
import { type ArchiveOwner, ownerOf, startOf } from './sinks/archive-path.ts'

export interface VerifyArchiveOptions {
  /** The archive's folder, for SQL. */
  archiveDir: string
  /** The same folder as a file store. */
  files: FileStore
  /** Called after each handful of files. */
  onProgress?: (progress: { rows: number; doneBytes: number; totalBytes: number }) => void
}

/** What is wrong with an archive, and where. */
export interface ArchiveFault {
  /** Relative to the archive's folder. */
  path: string
  /** A sentence. */
  message: string
}

/** One table, looked through. */
export interface VerifiedTable {
  table: ArchiveTable
  files: number
  rows: number
  bytes: number
  /** By partition that has files: behind its last archived record. */
  ends: ReadonlyMap<PartitionId, Position>
  faults: ArchiveFault[]
  /** Records between two files of a partition that neither holds, as after a file was deleted. */
  gaps: { before: string; from: Position; to: Position }[]
  /** Files below the table's folder that no sink of this version writes. Queries read them. */
  strangers: string[]
}

const TABLES: readonly ArchiveTable[] = ['event_log', 'scenario_log']
const FILES_A_QUERY = 64
const BYTES_A_QUERY = 64 * 1024 * 1024
const DEADLINE_MS = 600_000

interface ReadFile extends StoredFile {
  owner: ArchiveOwner
  start: Position
  end: Position
  rows: number
}

/**
 * Looks through the whole archive, also while it grows (what is published meanwhile is not looked at): every footer reads
 * and says what the name says; no file begins inside the one before it of its partition, so no record is there twice; every page
 * of every column reads, gives as many rows as the footer says, and rows of that range only. Faults are told, not thrown; rejects
 * when the folder itself cannot be read.
 */
export async function verifyArchive(options: VerifyArchiveOptions): Promise<VerifiedTable[]> {
  const lists = await Promise.all(TABLES.map(table => options.files.list(table)))
  const totalBytes = lists.flat().reduce((sum, { bytes }) => sum + bytes, 0)
  const done = { rows: 0, doneBytes: 0, totalBytes }
  const archive = await openFiles(options.archiveDir)
  try {
    const tables: VerifiedTable[] = []
    for (const [i, table] of TABLES.entries()) {
      const verified = await verifyTable(archive, table, lists[i] ?? [], options, (rows, bytes) => {
        done.rows += rows
        done.doneBytes += bytes
        options.onProgress?.(done)
      })
      tables.push(verified)
    }
    return tables
  } finally {
    archive.close()
  }
}

/** A damaged file must not keep the others from being read. */
function openFiles(archiveDir: string): Promise<ArchiveReader> {
  return openArchive({ archiveDir, deadlineMs: DEADLINE_MS, views: false })
}

async function verifyTable(
  archive: ArchiveReader,
  table: ArchiveTable,
  list: readonly StoredFile[],
  { archiveDir, files }: VerifyArchiveOptions,
  onDone: (rows: number, bytes: number) => void,
): Promise<VerifiedTable> {
  const faults: ArchiveFault[] = []
  const strangers: string[] = []
  const good: ReadFile[] = []
  for (const file of list) {
    const owner = ownerOf(table, file.path)
    const start = owner && startOf(owner, file.path)
    if (owner === undefined || start === undefined) {
      if (file.path.endsWith('.parquet')) strangers.push(file.path)
      continue
    }
    try {
      const footer = await readFooter(files, file.path)
      if (footer === undefined) continue // gone since the listing
      const facts = factsOf(file.path, footer)
      if (facts.start === start) good.push({ ...file, owner, start, end: facts.end, rows: facts.rows })
      else faults.push({ path: file.path, message: `Its footer says that it begins at ${facts.start}.` })
    } catch (error) {
      faults.push({ path: file.path, message: sentence(error) })
    }
  }
  good.sort(
    (a, b) => a.owner.partition - b.owner.partition || a.owner.generation - b.owner.generation || a.start - b.start,
  )
  const ends = new Map<PartitionId, Position>()
  const gaps: VerifiedTable['gaps'] = []
  for (const [i, { path, owner, start, end }] of good.entries()) {
    ends.set(owner.partition, Math.max(end, ends.get(owner.partition) ?? 0))
    const before = good[i - 1]
    if (before === undefined || !isSameOwner(before.owner, owner)) continue
    if (start > before.end) gaps.push({ before: path, from: before.end, to: start })
    if (start < before.end)
      faults.push({ path, message: `It begins at ${start}, inside ${before.path}, which ends at ${before.end}.` })
  }

  let rows = 0
  for (let next = 0; next < good.length; ) {
    const some: ReadFile[] = []
    let bytes = 0
    for (; next < good.length && some.length < FILES_A_QUERY && bytes < BYTES_A_QUERY; next++) {
      const file = good[next] as ReadFile
      some.push(file)
      bytes += file.bytes
    }
    const found = await readRows(archive, archiveDir, some)
    // One bad file fails the whole query: then each by itself.
    const unreadable = new Set<string>()
    const each: FoundRows[][] = found instanceof Error ? [] : [found]
    if (found instanceof Error)
      for (const file of some) {
        const alone = await readRows(archive, archiveDir, [file])
        if (alone instanceof Error) {
          faults.push({ path: file.path, message: sentence(alone) })
          unreadable.add(file.path)
        } else each.push(alone)
      }
    const counted = each.flat()
    for (const { path, start, end, rows: said } of some) {
      if (unreadable.has(path)) continue
      const row = counted.find(one => one.path === path) ?? { path, rows: 0, first: start, last: start }
      rows += row.rows
      if (row.rows !== said) faults.push({ path, message: `Its footer says ${said} rows. Found: ${row.rows}.` })
      if (row.first < start || row.last >= end)
        faults.push({
          path,
          message: `It must hold the records ${start} to ${end - 1}. Found: ${row.first} to ${row.last}.`,
        })
    }
    onDone(
      counted.reduce((sum, row) => sum + row.rows, 0),
      bytes,
    )
  }
  const bytes = good.reduce((sum, file) => sum + file.bytes, 0)
  return { table, files: good.length, rows, bytes, ends, faults, gaps, strangers }
}

function isSameOwner(a: ArchiveOwner, b: ArchiveOwner): boolean {
  return a.partition === b.partition && a.generation === b.generation
}

interface FoundRows {
  path: string
  rows: number
  first: Position
  last: Position
}

/** Reads every value of some files. The hash is for that only; DuckDB may not leave it out, as it is part of the answer. */
async function readRows(
  archive: ArchiveReader,
  archiveDir: string,
  some: readonly ReadFile[],
): Promise<FoundRows[] | Error> {
  const sql = `
    SELECT filename, count(*), min(source_offset), max(source_offset), CAST(bit_xor(hash(t)) AS VARCHAR)
    FROM read_parquet([${some.map(({ path }) => sqlPath(archiveDir, path)).join(', ')}], filename = true) AS t
    GROUP BY filename`
  try {
    const found: FoundRows[] = []
    for await (const chunk of (await archive.query(sql)).rows)
      for (const [path, rows, first, last] of chunk as [string, number, number, number][])
        found.push({ path: path.slice(archiveDir.length + 1), rows, first, last })
    return found
  } catch (error) {
    return error as Error
  }
}

function sqlOfCounts(archiveDir: string, stored: readonly StoredCounters[]): string {
  const files = `${escaped(`${archiveDir}/scenario_log`)}/day=*/hour=*/scenario-log+*.parquet`
  const counted = stored.map(
    ({ partition, position }) => `(source_partition = ${partition} AND source_offset < ${position})`,
  )
  return `
    SELECT scenario_id, judging_version, count(*), CAST(sum(success) AS BIGINT) FROM read_parquet('${files}')
    WHERE ${counted.join(' OR ')} GROUP BY ALL`
}

/** A path that DuckDB takes for itself, not for a pattern. */
function sqlPath(archiveDir: string, path: string): string {
  return `'${escaped(`${archiveDir}/${path}`)}'`
}

function escaped(path: string): string {
  return path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")
}

function sentence(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] as string) : String(error)
}

/** How stored counters stand beside the archive's rows. */
export interface CountersComparison {
  /** Rows of `scenario_log` that the counters must have counted: those before their position. */
  rows: number
  /** Outcomes counted. */
  counted: number
  /** Most outcomes that may be counted and not yet archived. */
  maxUnarchived: number
  /**
   * Counters that neither deleted nor late rows explain: fewer than the rows, successes that the missing rows cannot hold,
   * more than the log had records. Sentences without their full stop.
   */
  impossible: string[]
}

/** What is stored of a partition: the counters, and how far the log was read into them. */
export interface StoredCounters {
  partition: PartitionId
  position: Position
  /** Of the life of the log that the position is in. */
  generation: number
  counters: Counters
}

/**
 * Compares the counters of all partitions with the rows before their positions. They are equal when the archive has got as far;
 * else the counters are ahead by what it has not yet. `archived` comes from `verifyArchive`, after the counters were loaded.
 */
export async function compareCounters(
  archiveDir: string,
  archived: VerifiedTable,
  stored: readonly StoredCounters[],
): Promise<CountersComparison> {
  const rowsOf = new Map<string, { rows: number; successes: number }>()
  const archive = await openFiles(archiveDir)
  try {
    const answer =
      archived.files > 0 && stored.length > 0 ? await archive.query(sqlOfCounts(archiveDir, stored)) : { rows: [] }
    for await (const chunk of answer.rows)
      for (const [id, version, rows, successes] of chunk as [number, number, number, number][])
        rowsOf.set(`${id} ${version}`, { rows, successes })
  } finally {
    archive.close()
  }
  const totals = stored.flatMap(({ counters }) => counters.read())
  const byKey = new Map<string, { total_count: number; success_count: number }>()
  for (const { scenario_id, judging_version, total_count, success_count } of totals) {
    const key = `${scenario_id} ${judging_version}`
    const sum = byKey.get(key) ?? { total_count: 0, success_count: 0 }
    byKey.set(key, {
      total_count: sum.total_count + total_count,
      success_count: sum.success_count + success_count,
    })
  }
  const impossible: string[] = []
  for (const key of new Set([...byKey.keys(), ...rowsOf.keys()])) {
    const { rows, successes } = rowsOf.get(key) ?? { rows: 0, successes: 0 }
    const { total_count, success_count } = byKey.get(key) ?? { total_count: 0, success_count: 0 }
    const missing = total_count - rows
    const missingSuccesses = success_count - successes
    if (missingSuccesses >= 0 && missingSuccesses <= missing) continue
    const [id, version] = key.split(' ')
    impossible.push(
      `Scenario ${id} (judging version ${version}): ${total_count} counted, ${success_count} successes; ` +
        `archived ${rows}, ${successes} successes`,
    )
  }
  for (const { partition, position, generation, counters } of stored) {
    const counted = counters.read().reduce((sum, { total_count }) => sum + total_count, 0)
    // In a later life of the log positions begin at 0 again, and counters do not.
    if (generation === 0 && counted > position)
      impossible.push(`Partition ${partition}: ${counted} outcomes counted out of ${position} records`)
  }
  return {
    rows: [...rowsOf.values()].reduce((sum, { rows }) => sum + rows, 0),
    counted: totals.reduce((sum, row) => sum + row.total_count, 0),
    maxUnarchived: stored.reduce(
      (records, { partition, position }) => records + Math.max(0, position - (archived.ends.get(partition) ?? 0)),
      0,
    ),
    impossible,
  }
}
