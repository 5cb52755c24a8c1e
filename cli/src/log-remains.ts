import { createReadStream, existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventsOf, getParam, parseLogLine } from '@headwater/core'
import {
  type AccessLogSource,
  accessLogSource,
  createProcessorMetrics,
  type ForgetSubject,
  type LogName,
  localFileStore,
  SegmentLog,
  segmentLogReader,
  unarchived,
} from '@headwater/processor'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Config } from './config.ts'
import type { DataFolder } from './data-folder.ts'

/** A file that still holds something of a subject. */
export interface RemainingFile {
  path: string
  lines: number
  /** When it will be gone, ISO 8601; `undefined` when that depends on newer events coming. */
  until: string | undefined
}

export interface LogRemains {
  /** Access logs with requests of the subject. */
  files: RemainingFile[]
  deadLetters: RemainingFile[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const silent = pino({ level: 'silent' })

/** What of a subject lies in access logs and dead letters, and how long it will. Reads all of them. */
export async function logRemains(config: Config, folder: DataFolder, subject: ForgetSubject): Promise<LogRemains> {
  const keepMs = Math.max(config.log.keepMs, config.dedup.windowMs)
  const files: RemainingFile[] = []
  for (const path of await accessLogs(folder)) {
    const lines = await countLines(path, line => isOf(subject, line))
    if (lines === 0) continue
    const { mtimeMs } = await stat(path)
    const rotated = path !== folder.accessLog
    // A rotated file goes `keepMs` after its last line; the live one is rotated first, which takes a line to come.
    const until = rotated ? new Date(mtimeMs + keepMs).toISOString() : undefined
    files.push({ path, lines, until })
  }
  const deadLetters: RemainingFile[] = []
  const names = existsSync(folder.deadLetters) ? await readdir(folder.deadLetters) : []
  for (const name of names.sort()) {
    const hour = Date.parse(`${name.slice(0, 13)}:00:00Z`)
    if (!name.endsWith('.ndjson') || Number.isNaN(hour)) continue
    const path = join(folder.deadLetters, name)
    const lines = await countLines(path, line => line.includes(textOf(subject)))
    const until = new Date(hour + HOUR_MS + config.deadLetters.keepDays * DAY_MS).toISOString()
    if (lines > 0) deadLetters.push({ path, lines, until })
  }
  return { files, deadLetters }
}

/**
 * Above 0 when the logs have what the archive has not, because the server ended before it had read all: records of the
 * segments (events and outcomes, at most), and 1 at least for lines that are not judged yet. Only while no server runs.
 */
export async function unarchivedEvents(folder: DataFolder): Promise<number> {
  const files = localFileStore(folder.archive)
  const { segments: segmentsDir } = folder
  const { records, judgedTo } = await unarchived({
    files,
    segmentsDir,
    positionsDir: positionsOf(folder),
    log: silent,
  })
  const source = await sourceOf(folder)
  // How many events lines that are not judged yet will be, their bytes do not say.
  return (await source.end()) > (judgedTo ?? 0) ? Math.max(records, 1) : records
}

/**
 * Deletes access logs and segments that every reader is past, all but the newest, before their time; resolves with how many. The
 * ids in them are gone from the duplicate window. Only while no server runs.
 */
export async function deleteOldLogs(config: Config, folder: DataFolder): Promise<number> {
  const metrics = createProcessorMetrics(new Registry())
  const segments = await SegmentLog.open({
    dir: folder.segments,
    durability: config.log.durability,
    source: 'access-log',
    log: silent,
  })
  try {
    // As in embedded.ts: each of them keeps what it has not passed from being deleted.
    for (const [log, group] of READERS)
      await segmentLogReader({
        segments,
        log,
        group,
        positionsDir: positionsOf(folder),
        logger: silent,
        metrics: metrics.logs,
      })
    const source = await sourceOf(folder)
    const now = Date.now() + 1
    return (await source.prune(now)).length + (await segments.prune(now)).length
  } finally {
    await segments.close()
  }
}

const READERS: readonly [LogName, string][] = [
  ['event-log', 'archive-event-log'],
  ['scenario-log', 'archive-scenario-log'],
  ['scenario-log', 'stats'],
  ['dead-letter', 'dead-letter'],
]

function positionsOf(folder: DataFolder): string {
  return join(folder.state, 'positions')
}

function sourceOf(folder: DataFolder): Promise<AccessLogSource> {
  return accessLogSource({
    path: folder.accessLog,
    stateDir: folder.state,
    name: 'access-log',
    rotateWaitMs: 0,
    log: silent,
    metrics: createProcessorMetrics(new Registry()).tailer,
  })
}

/** The access log and its rotated siblings. */
async function accessLogs(folder: DataFolder): Promise<string[]> {
  const dir = dirname(folder.accessLog)
  if (!existsSync(dir)) return []
  const prefix = basename(folder.accessLog)
  return (await readdir(dir))
    .filter(name => name.startsWith(prefix))
    .sort()
    .map(name => join(dir, name))
}

async function countLines(path: string, isMeant: (line: string) => boolean): Promise<number> {
  let lines = 0
  // Bytes as characters, as core reads lines.
  for await (const line of createInterface({ input: createReadStream(path, 'latin1'), crlfDelay: 0 }))
    if (isMeant(line)) lines++
  return lines
}

function textOf(subject: ForgetSubject): string {
  return 'visitor' in subject ? subject.visitor : `memberId=${encodeURIComponent(subject.member)}`
}

function isOf(subject: ForgetSubject, line: string): boolean {
  const record = parseLogLine(line)
  if ('rejected' in record) return false
  const events = eventsOf(record, { source: 'forget', position: 0, ingestSiteId: 1 })
  if ('rejected' in events) return false
  return events.some(event => {
    if ('rejected' in event) return false
    if ('visitor' in subject)
      return event.visitorId === subject.visitor || getParam(event.params, 'cid')?.toLowerCase() === subject.visitor
    return event.memberId === subject.member || getParam(event.params, 'uid') === subject.member
  })
}
