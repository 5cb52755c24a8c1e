import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ArchiveTable } from '@headwater/core'
import type { Logger } from 'pino'
import { footerColumns } from './forget/footer-columns.ts'
import { type ReplaceableArchive, replaceArchiveFiles, type WriteReplacement } from './forget/replace-archive-files.ts'
import { PageScratch } from './parquet/column-chunk.ts'
import { readFooter } from './parquet/read-footer.ts'
import { writeParquet } from './parquet/write-parquet.ts'
import type { FileStore } from './ports.ts'
import { type ArchiveFileFacts, factsOf } from './sinks/archive-file-facts.ts'
import { type ArchiveOwner, ownerOf } from './sinks/archive-path.ts'
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
 * removed. Counters are not touched. Killed at any moment the next round does the rest; two rounds at once, on two hosts say, do no
 * harm. Rejects with what the store says, or with ARCHIVE_DAMAGED for a file that is none of ours (the others are done first).
 */
export async function expireArchive(options: ArchiveRetentionOptions, now = Date.now()): Promise<ExpiredFiles> {
  const done: ExpiredFiles = { emptied: 0, rows: 0, removed: 0 }
  if (options.keepDays === undefined) return done
  const oldestKept = new Date(now - options.keepDays * DAY_MS).toISOString().slice(0, 10)
  let fault: unknown
  for (const table of TABLES) {
    for (const day of await options.files.folders(table)) {
      if (options.stop?.aborted === true) break
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
  const { files, graceMs = 3_600_000 } = options
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
  if (empty.length > 0) await removeEmptyFolders(files, `${table}/${day}`)
}

/** The file without its rows. */
const writeEmpty: WriteReplacement = async ({ path }, footer, target, gapBytes) => {
  if (footer.metadata['headwater.expired'] !== undefined) return 'unneeded' // another round was faster
  await writeParquet(target, {
    columns: footerColumns(path, footer),
    order: new Uint32Array(),
    sortedBy: [],
    metadata: { ...footer.metadata, 'headwater.rows': '0', 'headwater.expired': String(footer.rows) },
    createdBy: footer.file.created_by ?? 'headwater',
    compressor: { codec: 'UNCOMPRESSED', compress: page => page },
    scratch: new PageScratch(),
    gapBytes,
  })
  return 'written'
}

/** A sink that wants to publish there at this moment makes the folder again. */
async function removeEmptyFolders(files: FileStore, day: string): Promise<void> {
  for (const hour of await files.folders(day)) await files.removeFolder(`${day}/${hour}`)
  await files.removeFolder(day)
}

/**
 * Removes dead-letter files of hours that ended more than `keepDays` days ago; resolves with their names. The sink's position is
 * safe: it trusts what it has committed when its files are gone.
 */
export async function expireDeadLetters(folder: string, keepDays: number, now = Date.now()): Promise<string[]> {
  const oldestKept = new Date(now - keepDays * DAY_MS).toISOString().slice(0, 13)
  const removed: string[] = []
  const names = await readdir(folder).catch(cause => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  })
  for (const name of names.sort()) {
    if (!/^\d{4}-\d{2}-\d{2}T\d{2}(?:\+\d+)?\.ndjson$/.test(name) || name.slice(0, 13) >= oldestKept) continue
    await unlink(join(folder, name))
    removed.push(name)
  }
  return removed
}

export interface RetentionRounds {
  archive: ArchiveRetentionOptions
  /** None where dead letters lie in Kafka. */
  deadLetters?: { folder: string; keepDays: number }
  /** Whether this process is the one to do it, of several. Two at once do no harm: one round is in vain. */
  isOwner?: () => boolean
  /** Default: every 10 minutes. */
  everyMs?: number
  log: Logger
}

/** Who is not the owner asks again so soon: partitions come and go. */
const OWNER_LOOK_MS = 5_000

/** Rounds of both, from the start until `stop` aborts. Never rejects: what could not be deleted is tried again. */
export async function runArchiveRetention(rounds: RetentionRounds, stop: AbortSignal): Promise<void> {
  const { archive, deadLetters, isOwner = () => true, everyMs = 600_000, log } = rounds
  while (!stop.aborted) {
    if (!isOwner()) {
      await pause(Math.min(everyMs, OWNER_LOOK_MS), undefined, { signal: stop }).catch(() => {})
      continue
    }
    try {
      await expireArchive({ ...archive, stop })
      const removed = deadLetters && (await expireDeadLetters(deadLetters.folder, deadLetters.keepDays))
      if (removed !== undefined && removed.length > 0)
        log.info({ files: removed.length }, 'Deleted old files of dead letters')
    } catch (error) {
      log.warn({ err: error }, 'What is over its time could not be deleted from the archive; it is tried again')
    }
    await pause(everyMs, undefined, { signal: stop }).catch(() => {}) // `stop` ends it early
  }
}
