import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Event, encodeEvent, encodeOutcome, type Outcome } from '@headwater/core'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openArchive } from '../../src/archive-query.ts'
import { createProcessorMetrics } from '../../src/metrics.ts'
import { readFooter } from '../../src/parquet/read-footer.ts'
import type { FileStore, LogEntry } from '../../src/ports.ts'
import { type ArchiveSink, archiveSink } from '../../src/sinks/archive-sink.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'

/** 2025-06-18T03:00:00Z */
export const ARRIVAL = Date.UTC(2025, 5, 18, 3)

/** Event `n` of the test's visitors: visitor `n % visitors`, and every third event has a member, too. */
export function testEvent(n: number, visitors: number, fields: Partial<Event> = {}): Event {
  return {
    eventId: `e-${n}`,
    scenarioId: 5,
    siteId: 1,
    receivedAt: ARRIVAL + n,
    date: ARRIVAL + n - 5,
    visitorId: visitorId(n % visitors),
    memberId: n % 3 === 0 ? `member ${n % visitors}` : undefined,
    ip: '192.0.2.1',
    userAgent: 'Mozilla/5.0',
    params: ['e_c', 'click', 'e_n', `이름 ${n % 7}`, 'hw_seq', String(n)],
    ...fields,
  }
}

export function visitorId(n: number): string {
  return n.toString(16).padStart(16, '0')
}

/** The outcome of the event by a scenario that keeps nothing of the visitor when `n` is odd. */
export function testOutcome(n: number, event: Event): Outcome {
  const { eventId, date, receivedAt } = event
  const fields = ['e_n', `이름 ${n % 7}`, 'h', String(n % 24)]
  if (n % 2 === 0) fields.push('_id', (event.visitorId ?? '').toUpperCase())
  return {
    eventId,
    scenarioId: 5,
    scenarioVersion: 1,
    judgingVersion: 1,
    success: n % 4 === 0 ? 1 : 0,
    date,
    receivedAt,
    fields,
  }
}

export function entriesOf(events: readonly Event[]): { events: LogEntry[]; outcomes: LogEntry[] } {
  const entry = (offset: number, scenarioId: number, json: string): LogEntry => ({
    offset,
    order: { generation: 0, position: offset * 10, index: 0, scenarioId },
    arrivedAt: ARRIVAL + offset,
    value: Buffer.from(json),
  })
  return {
    events: events.map((event, n) => entry(n, 0, encodeEvent(event))),
    outcomes: events.map((event, n) => entry(n, 5, encodeOutcome(testOutcome(n, event)))),
  }
}

export async function testSink(
  root: string,
  table: 'event_log' | 'scenario_log',
  rows: number,
  files: FileStore = localFileStore(join(root, 'archive')),
): Promise<ArchiveSink> {
  const tempDir = join(root, 'tmp')
  await mkdir(tempDir, { recursive: true })
  return archiveSink({
    table,
    reader: { log: table === 'event_log' ? 'event-log' : 'scenario-log', commit: async () => {} },
    files,
    tempDir,
    roll: { rows, everyMs: 1e12, idleMs: 1e12 },
    metrics: createProcessorMetrics(new Registry()).archive,
    log: pino({ level: 'silent' }),
  })
}

/** An archive of both tables in `root/archive`, or elsewhere, with `rows` rows a file. */
export async function writeArchive(
  root: string,
  events: readonly Event[],
  rows: number,
  files?: FileStore,
): Promise<void> {
  const entries = entriesOf(events)
  for (const [table, log] of [
    ['event_log', entries.events],
    ['scenario_log', entries.outcomes],
  ] as const) {
    const sink = await testSink(root, table, rows, files)
    await sink.assigned({ partition: 0, committed: undefined, oldest: 0, end: log.length })
    await sink.take({ partition: 0, from: 0, to: log.length, entries: log })
    await sink.revoked(0)
  }
}

/** The rows of a query over the archive, as JSON texts. */
export async function ask(root: string, sql: string): Promise<string[]> {
  const archive = await openArchive({ archiveDir: join(root, 'archive') })
  try {
    const { rows } = await archive.query(sql)
    const found: string[] = []
    for await (const chunk of rows) for (const row of chunk) found.push(JSON.stringify(row))
    return found
  } finally {
    archive.close()
  }
}

/** Path → footer metadata of all files of both tables. */
export async function footers(root: string): Promise<Map<string, Record<string, string>>> {
  const files = localFileStore(join(root, 'archive'))
  const found = new Map<string, Record<string, string>>()
  for (const table of ['event_log', 'scenario_log'])
    for (const { path } of await files.list(table))
      found.set(path, { ...((await readFooter(files, path))?.metadata ?? {}) })
  return found
}
