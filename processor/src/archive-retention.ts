import { readdir, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ArchiveTable } from '@headwater/core'
import type { Logger } from 'pino'
import { footerColumns } from './forget/footer-columns.ts'
import { type ReplaceableArchive, replaceArchiveFiles, type WriteReplacement } from './forget/replace-archive-files.ts'
import { PageScratch } from './parquet/column-chunk.ts'
import { readFooter } from './parquet/read-footer.ts'
import { writeParquet } from './parquet/write-parquet.ts'
import { type ArchiveFileFacts, factsOf } from './sinks/archive-file-facts.ts'
import { type ArchiveOwner, startOf } from './sinks/archive-path.ts'
import { readMark, writeMark } from './sinks/archive-resume.ts'

const DAY_MS = 86_400_000
const TABLES: readonly ArchiveTable[] = ['event_log', 'scenario_log']

export interface ArchiveRetentionOptions extends ReplaceableArchive {
  /** Whole UTC days of arrival that are kept behind the present one; `undefined`: for ever. */
  keepDays: number | undefined
  /** An emptied file stays this long, for queries that have its name already. Default 1 h. */
  graceMs?: number
  log: Logger
}

/** What a round did. */
export interface ExpiredFiles {
  /** Files that lost their rows, and how many those were. */
  emptied: number
  rows: number
  /** Files removed. */
  removed: number
}

/**
 * One round of the archive's retention: days of arrival that ended more than `keepDays` days ago lose their rows.
 *
 *   1. Each file is replaced by one without rows, atomically (`replaceArchiveFiles`): the disk is free at once, and a program that has
 *      the file's name, or the file itself, goes on. An old file of a day that is over, published late, is
 *      met by the next round.
 *   2. A later round, `graceMs` on, removes the empty files and their folders.
 *
 * The sink's start relies on the newest file of a partition, or on the mark: so the mark is brought up to a file before that is
 * removed. Counters are not touched. Killed at any moment the next round does the rest. Rejects with what the disk says, or
 * with ARCHIVE_DAMAGED for a file that is none of ours (the others are done first).
 */
export async function expireArchive(options: ArchiveRetentionOptions, now = Date.now()): Promise<ExpiredFiles> {
  const done: ExpiredFiles = { emptied: 0, rows: 0, removed: 0 }
  if (options.keepDays === undefined) return done
  const oldestKept = new Date(now - options.keepDays * DAY_MS).toISOString().slice(0, 10)
  let fault: unknown
  for (const table of TABLES) {
    for (const day of await namesIn(join(options.dir, table), 'day=')) {
      if (!/^day=\d{4}-\d{2}-\d{2}$/.test(day) || day.slice('day='.length) >= oldestKept) continue
      await expireDay(options, table, day, now, done).catch(error => {
        fault ??= error
      })
    }
  }
  if (done.emptied + done.removed > 0) {
    options.log.info({ ...done, before: oldestKept }, 'Deleted archive rows of days that are over archive.keepDays')
  }
  if (fault !== undefined) throw fault
  return done
}

async function expireDay(
  options: ArchiveRetentionOptions,
  table: ArchiveTable,
  day: string,
  now: number,
  done: ExpiredFiles,
): Promise<void> {
  const { dir, files, graceMs = 3_600_000 } = options
  const last = new Map<string, { owner: ArchiveOwner; path: string; facts: ArchiveFileFacts }>()
  const full = new Map<string, number>()
  const empty: string[] = []
  for (const { path, modifiedAt } of await files.list(`${table}/${day}`)) {
    const owner = ownerOf(table, path)
    if (owner === undefined) continue // somebody's own file
    const footer = await readFooter(files, path)
    if (footer === undefined) continue
    if (footer.metadata['headwater.expired'] === undefined) full.set(path, footer.rows)
    else if (now - modifiedAt >= graceMs) {
      const facts = factsOf(path, footer)
      const key = `${owner.partition} ${owner.generation}`
      if (facts.end > (last.get(key)?.facts.end ?? -1)) last.set(key, { owner, path, facts })
      empty.push(path)
    }
  }
  for (const path of await replaceArchiveFiles(options, [...full.keys()], writeEmpty)) {
    done.emptied++
    done.rows += full.get(path) ?? 0
  }
  for (const { owner, path, facts } of last.values()) {
    const mark = await readMark(files, owner)
    if (mark === undefined || mark.position < facts.end) await writeMark(files, owner, path, facts)
  }
  for (const path of empty) {
    await files.remove(path)
    done.removed++
  }
  if (empty.length > 0) await removeEmptyFolders(join(dir, table, day))
}

/** The file without its rows. */
const writeEmpty: WriteReplacement = (path, footer, target, gapBytes) =>
  writeParquet(target, {
    columns: footerColumns(path, footer),
    order: new Uint32Array(),
    sortedBy: [],
    metadata: { ...footer.metadata, 'headwater.rows': '0', 'headwater.expired': String(footer.rows) },
    createdBy: footer.file.created_by ?? 'headwater',
    compressor: { codec: 'UNCOMPRESSED', compress: page => page },
    scratch: new PageScratch(),
    gapBytes,
  })

function ownerOf(table: ArchiveTable, path: string): ArchiveOwner | undefined {
  const log = table === 'event_log' ? 'event-log' : 'scenario-log'
  const [, partition, , generation] = /\+(\d+)\+(\d+)(?:\+g(\d+))?\.parquet$/.exec(path) ?? []
  const owner: ArchiveOwner = { table, log, partition: Number(partition), generation: Number(generation ?? 0) }
  return startOf(owner, path) === undefined ? undefined : owner
}

/** `rmdir` takes only empty ones; a sink that wants to publish there at this moment makes the folder again. */
async function removeEmptyFolders(day: string): Promise<void> {
  for (const hour of await namesIn(day, 'hour=')) await rmdir(join(day, hour)).catch(() => {})
  await rmdir(day).catch(() => {})
}

async function namesIn(folder: string, prefix: string): Promise<string[]> {
  const names = await readdir(folder).catch(cause => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  })
  return names.filter(name => name.startsWith(prefix)).sort()
}

/**
 * Removes dead-letter files of hours that ended more than `keepDays` days ago; resolves with their names. The sink's position is
 * safe: it trusts what it has committed when its files are gone.
 */
export async function expireDeadLetters(folder: string, keepDays: number, now = Date.now()): Promise<string[]> {
  const oldestKept = new Date(now - keepDays * DAY_MS).toISOString().slice(0, 13)
  const removed: string[] = []
  for (const name of await namesIn(folder, '')) {
    if (!/^\d{4}-\d{2}-\d{2}T\d{2}(?:\+\d+)?\.ndjson$/.test(name) || name.slice(0, 13) >= oldestKept) continue
    await unlink(join(folder, name))
    removed.push(name)
  }
  return removed
}

export interface RetentionRounds {
  archive: ArchiveRetentionOptions
  deadLetters: { folder: string; keepDays: number }
  /** Default: every 10 minutes. */
  everyMs?: number
  log: Logger
}

/** Rounds of both, from the start until `stop` aborts. Never rejects: what could not be deleted is tried again. */
export async function runArchiveRetention(rounds: RetentionRounds, stop: AbortSignal): Promise<void> {
  const { archive, deadLetters, everyMs = 600_000, log } = rounds
  while (!stop.aborted) {
    try {
      await expireArchive(archive)
      const removed = await expireDeadLetters(deadLetters.folder, deadLetters.keepDays)
      if (removed.length > 0) log.info({ files: removed.length }, 'Deleted old files of dead letters')
    } catch (error) {
      log.warn({ err: error }, 'What is over its time could not be deleted from the archive; it is tried again')
    }
    await pause(everyMs, undefined, { signal: stop }).catch(() => {}) // `stop` ends it early
  }
}
