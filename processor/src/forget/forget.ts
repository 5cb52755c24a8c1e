import { resolve } from 'node:path'
import type { ArchiveTable } from '@headwater/core'
import type { ArchiveCopy } from '../archive-copy.ts'
import { PageScratch } from '../parquet/column-chunk.ts'
import { type ArchiveCodec, pageCompressor } from '../parquet/compression.ts'
import { writeParquet } from '../parquet/write-parquet.ts'
import type { FileStore, StoredFile } from '../ports.ts'
import { localFileStore } from '../stores/local-file-store.ts'
import type { ArchiveScan, FileHits } from './archive-scan.ts'
import { footerColumns, footerSortedBy } from './footer-columns.ts'
import type { ForgetSubject } from './forget-subject.ts'
import { replaceArchiveFiles, type WriteReplacement } from './replace-archive-files.ts'

export interface ForgetOptions {
  subject: ForgetSubject
  /** The archive, and where it is read. */
  files: FileStore
  copy: ArchiveCopy
  /** Local folder for new files while they are encoded. */
  tempDir: string
  /**
   * Resolves with true when every event that the gateway acknowledged before the call is in published files of both tables; with
   * false when some are not, and nobody is there to publish them. Called twice.
   */
  settle: () => Promise<boolean>
  /** Look only. */
  dryRun?: boolean
  /** Of the files written. Default `zstd`. */
  codec?: ArchiveCodec
  /** Called now and then with what is being done and how far it is, 0 … 1. */
  onProgress?: (what: 'looking' | 'rewriting' | 'proving', done: number) => void
}

/** What was done in one table. */
export interface ForgottenTable {
  table: ArchiveTable
  /** Files looked at, and those with rows of the subject. */
  files: number
  concerned: number
  rewritten: number
  /** Rows of the subject found, and removed. */
  found: number
  removed: number
  /** The proof: rows of the subject in the whole archive afterwards that were received before the command began. */
  left: number
  /** … and those received since: the subject goes on. */
  since: number
}

export interface Forgotten {
  /** Unix ms: all that was received before is meant. */
  before: number
  /** `scenario_log`, `event_log`: in the order in which they were rewritten. */
  tables: ForgottenTable[]
  /** Whether `event_log` was left as it is: outcomes that are still to come are known by its events alone. */
  eventsKept: boolean
  /** Visitors whose events bore the member's id, or members of the visitor; at most 20. They are not forgotten by this. */
  otherIds: string[]
}

const MAX_OTHER_IDS = 20

/**
 * Removes a visitor's or member's rows from both tables by rewriting the files that have any, each in one atomic step
 * (`replaceArchiveFiles`), while readers read and the sinks publish.
 *
 *     settle → list event_log, note the ids of the subject's events
 *     settle → list scenario_log: the outcomes of all these events are there now
 *     rewrite scenario_log, then event_log: killed in between, the events still tell which outcomes are theirs; so event_log
 *       is left alone when there may be outcomes that are not archived yet
 *     list both again and count: the proof
 *
 * Killed at any moment and begun again it does the rest. Rejects with ARCHIVE_DAMAGED when a file cannot be read.
 */
export async function forget(options: ForgetOptions): Promise<Forgotten> {
  const before = Date.now()
  // DuckDB is 70 MB of native code: a process that forgets nobody does not load it.
  const { ArchiveScan } = await import('./archive-scan.ts')
  const scan = await ArchiveScan.open(resolve(options.copy.dir), options.subject)
  try {
    return await forgetWith(scan, before, options)
  } finally {
    scan.close()
  }
}

async function forgetWith(scan: ArchiveScan, before: number, options: ForgetOptions): Promise<Forgotten> {
  const { copy, settle, onProgress, dryRun = false } = options
  const local = localFileStore(resolve(copy.dir))
  const look = async (table: ArchiveTable, what: 'looking' | 'proving') => {
    const listed = await listTable(local, table)
    const total = listed.reduce((sum, { bytes }) => sum + bytes, 0)
    let done = 0
    const hits = await scan.hits(table, listed, before, bytes => {
      done += bytes
      onProgress?.(what, done / total)
    })
    return { table, listed, hits }
  }
  await settle()
  await copy.update()
  const events = await look('event_log', 'looking')
  const isSettled = await settle()
  await copy.update()
  const outcomes = await look('scenario_log', 'looking')
  const otherIds = await scan.otherIds(
    'visitor' in options.subject ? 'member_id' : 'visitor_id',
    events.hits,
    MAX_OTHER_IDS,
  )

  const tables: ForgottenTable[] = []
  for (const { table, listed, hits } of [outcomes, events]) {
    const leave = dryRun || (table === 'event_log' && !isSettled)
    const done = leave ? { rewritten: 0, removed: 0 } : await rewrite(scan, table, hits, options)
    tables.push({ table, files: listed.length, concerned: hits.length, found: sum(hits), ...done, left: 0, since: 0 })
  }
  await copy.update()
  for (const told of tables) {
    const { hits } = await look(told.table, 'proving')
    told.left = hits.reduce((rows, hit) => rows + hit.before, 0)
    told.since = sum(hits) - told.left
  }
  return { before, tables, eventsKept: !dryRun && !isSettled, otherIds }
}

function sum(hits: readonly FileHits[]): number {
  return hits.reduce((rows, hit) => rows + hit.rows, 0)
}

/** The published files of a table. */
async function listTable(files: FileStore, table: ArchiveTable): Promise<StoredFile[]> {
  const log = table.replace('_', '-')
  return (await files.list(table)).filter(({ path }) => {
    const [, day, hour, name, ...deeper] = path.split('/')
    return (
      deeper.length === 0 &&
      day?.startsWith('day=') === true &&
      hour?.startsWith('hour=') === true &&
      name?.startsWith(`${log}+`) === true &&
      name.endsWith('.parquet')
    )
  })
}

/** Replaces the files by themselves without the subject's rows; resolves with how many files and rows those were. */
async function rewrite(
  scan: ArchiveScan,
  table: ArchiveTable,
  hits: readonly FileHits[],
  { files, copy, tempDir, codec = 'zstd', onProgress }: ForgetOptions,
): Promise<{ rewritten: number; removed: number }> {
  const compressor = await pageCompressor(codec)
  const scratch = new PageScratch()
  const removed = new Map<string, number>()
  const write: WriteReplacement = async (file, footer, target, gapBytes) => {
    const { path } = file
    if (!(await copy.holds(file))) {
      await copy.update()
      if (!(await copy.holds(file))) return 'changed'
    }
    const columns = footerColumns(path, footer)
    await scan.readOthers(table, path, columns)
    const rows = columns[0]?.values.rows ?? 0
    if (rows === footer.rows) return 'unneeded'
    removed.set(path, footer.rows - rows)
    await writeParquet(target, {
      columns,
      order: Uint32Array.from({ length: rows }, (_, row) => row),
      sortedBy: footerSortedBy(footer),
      metadata: {
        ...footer.metadata,
        'headwater.rows': String(rows),
        'headwater.forgotten': String(Number(footer.metadata['headwater.forgotten'] ?? 0) + footer.rows - rows),
      },
      createdBy: footer.file.created_by ?? 'headwater',
      compressor,
      scratch,
      gapBytes,
    })
    return 'written'
  }
  let done = 0
  const paths = hits.map(({ file }) => file.path)
  const replaced = await replaceArchiveFiles({ files, tempDir }, paths, write, () => {
    onProgress?.('rewriting', ++done / paths.length)
  })
  return { rewritten: replaced.length, removed: replaced.reduce((rows, path) => rows + (removed.get(path) ?? 0), 0) }
}
