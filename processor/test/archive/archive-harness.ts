import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeOutcome, type Outcome } from '@headwater/core'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openArchive } from '../../src/archive-query.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import type { EntryBatch, FileStore, LogEntry, OrderKey, Position } from '../../src/ports.ts'
import { type ArchiveRoll, type ArchiveSink, archiveSink } from '../../src/sinks/archive-sink.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'

/** 2025-06-18T03:00:00Z: the hour that test logs begin in. */
export const HOUR = Date.UTC(2025, 5, 18, 3)

/** One entry of `scenario-log`; `n` makes it and its order key distinct. */
export function outcomeEntry(
  offset: Position,
  n = offset,
  options: { arrivedAt?: number; name?: string } = {},
): LogEntry {
  const outcome: Outcome = {
    eventId: `e-${n}`,
    scenarioId: 1 + (n % 3),
    scenarioVersion: 1,
    judgingVersion: 1,
    success: n % 2 === 0 ? 1 : 0,
    date: HOUR + n,
    receivedAt: HOUR + n + 1,
    fields: ['e_n', options.name ?? `name ${n % 5}`, 'age', String(n)],
  }
  const order: OrderKey = { generation: 0, position: n * 10, index: 0, scenarioId: outcome.scenarioId }
  return { offset, order, arrivedAt: options.arrivedAt ?? HOUR + offset, value: Buffer.from(encodeOutcome(outcome)) }
}

/** Entries 0 … count − 1, each new. */
export function outcomeLog(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, i) => outcomeEntry(i))
}

export interface TestSinkOptions {
  root: string
  files?: FileStore
  roll?: Partial<ArchiveRoll>
  clock?: () => number
  committed?: (position: Position) => void
}

export async function testSink(options: TestSinkOptions): Promise<ArchiveSink> {
  const tempDir = join(options.root, 'tmp')
  await mkdir(tempDir, { recursive: true })
  return archiveSink({
    table: 'scenario_log',
    reader: { log: 'scenario-log', commit: async (_, position) => options.committed?.(position) },
    files: options.files ?? localFileStore(join(options.root, 'archive')),
    tempDir,
    // So that hyparquet reads the pages without a codec.
    codec: 'none',
    roll: { rows: 1_000_000, everyMs: 1e12, idleMs: 1e12, ...options.roll },
    metrics: createProcessorMetrics(new Registry()).archive,
    log: pino({ level: 'silent' }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
}

export interface ReadingOptions {
  /** Length of each batch, in turn. */
  batches?: readonly number[]
  committed?: Position
  /** Reads up to here; the end of the log by default. */
  until?: Position
  /** Ends with `revoked`; true by default. */
  revoke?: boolean
}

/** Reads a log into a sink as a `Reader` does, from `assigned` to `revoked`. */
export async function readInto(
  sink: ArchiveSink,
  log: readonly LogEntry[],
  options: ReadingOptions = {},
): Promise<void> {
  const { batches = [7], until = log.length } = options
  let position = await sink.assigned({ partition: 0, committed: options.committed, oldest: 0, end: log.length })
  for (let i = 0; position < until; i++) {
    const to = Math.min(until, position + (batches[i % batches.length] as number))
    position = await sink.take(batchOf(log, position, to))
  }
  if (options.revoke ?? true) await sink.revoked(0)
}

export function batchOf(log: readonly LogEntry[], from: Position, to: Position): EntryBatch {
  return { partition: 0, from, to, entries: log.slice(from, to) }
}

/** The event ids in the archive's `scenario_log`, ordered by their source offset; repeats stay repeats. Read by hyparquet. */
export async function archivedIds(root: string): Promise<string[]> {
  const rows: Record<string, unknown>[] = []
  for (const path of await archivedFiles(root)) {
    const file = await asyncBufferFromFile(join(root, 'archive', path))
    rows.push(...(await parquetReadObjects({ file, columns: ['event_id', 'source_offset'] })))
  }
  rows.sort((a, b) => Number(a.source_offset) - Number(b.source_offset))
  return rows.map(row => String(row.event_id))
}

/** The same as `archivedIds`, read by DuckDB through the view. */
export async function archivedIdsByDuckDb(root: string): Promise<string[]> {
  const archive = await openArchive({ archiveDir: join(root, 'archive'), threads: 1 })
  try {
    const { rows } = await archive.query('SELECT event_id FROM scenario_log ORDER BY source_offset')
    const ids: string[] = []
    for await (const chunk of rows) for (const [id] of chunk) ids.push(id as string)
    return ids
  } finally {
    archive.close()
  }
}

/** Final files of the archive, without the low-water marks. */
export async function archivedFiles(root: string): Promise<string[]> {
  const files = await localFileStore(join(root, 'archive')).list('scenario_log')
  return files.map(({ path }) => path)
}
