import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveTable } from '@headwater/core'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { ProcessorError } from '../errors.ts'
import { eventBytes, outcomeBytes } from '../logs/record-bytes.ts'
import { makeFolder } from '../make-folder.ts'
import { createProcessorMetrics } from '../metrics.ts'
import type { ArchiveCodec } from '../parquet/compression.ts'
import type { LogEntry, LogName } from '../ports.ts'
import { type ArchiveSink, archiveSink } from '../sinks/archive-sink.ts'
import { localFileStore } from '../stores/local-file-store.ts'
import type { ReplayedEvent } from './replay-scenarios.ts'

export interface ReplayArchiveOptions {
  /** The folder to be made; it may be there when it is empty. The archive is `<folder>/archive`, as in a data folder. */
  folder: string
  /** `scenario_log` always; `event_log` too when the events came from log files and so lie in no archive yet. */
  tables: readonly ArchiveTable[]
  rollRows: number
  rollBytes: number
  codec: ArchiveCodec
  log: Logger
}

/** A new archive that a replay fills. */
export interface ReplayArchive {
  /** Archives events and outcomes, in their order. */
  keep(judged: readonly ReplayedEvent[]): Promise<void>
  /** Closes the last files and gives the archive its name. Only now is it there. */
  finish(): Promise<{ folder: string; rows: number }>
  /** Removes all that was made, after a failure. */
  discard(): Promise<void>
}

const PARTITION = 0
/** Until it is whole the archive stands here, so that nobody takes half a one for a whole one. */
const UNFINISHED = '_unfinished'
const LOGS: Readonly<Record<ArchiveTable, LogName>> = { event_log: 'event-log', scenario_log: 'scenario-log' }

/**
 * Makes a new archive by the archive sink, so that its files are what a running server would have written: same columns,
 * footers and order. `day` and `hour` of a file are those of its first event's arrival, as far as that is known.
 * Rejects with STORE_UNAVAILABLE when the folder is not empty or cannot be made.
 */
export async function createReplayArchive(options: ReplayArchiveOptions): Promise<ReplayArchive> {
  const { folder, log } = options
  const unfinished = join(folder, UNFINISHED)
  await makeEmpty(folder)
  await mkdir(join(unfinished, 'archive'), { recursive: true })
  const files = localFileStore(join(unfinished, 'archive'))
  const { archive: metrics } = createProcessorMetrics(new Registry())
  const open = async (table: ArchiveTable): Promise<Table> => {
    const sink = archiveSink({
      table,
      reader: { log: LOGS[table], commit: async () => {} },
      files,
      tempDir: join(unfinished, 'encoding'),
      roll: {
        rows: options.rollRows,
        bytes: options.rollBytes,
        everyMs: Number.POSITIVE_INFINITY,
        idleMs: Number.POSITIVE_INFINITY,
      },
      codec: options.codec,
      metrics,
      log,
    })
    await sink.assigned({ partition: PARTITION, committed: undefined, oldest: 0, end: 0 })
    return { sink, next: 0 }
  }
  const events = options.tables.includes('event_log') ? await open('event_log') : undefined
  const outcomes = await open('scenario_log')
  /** The number of the event, in place of a position in an access log: the order keys rise by it. */
  let position = 0

  return {
    async keep(judged) {
      const eventEntries: LogEntry[] = []
      const outcomeEntries: LogEntry[] = []
      const eventFrom = events?.next ?? 0
      const outcomeFrom = outcomes.next
      for (const { event, arrivedAt, outcomes: found } of judged) {
        if (events !== undefined) {
          const order = { generation: 0, position, index: 0, scenarioId: 0 }
          eventEntries.push({ offset: events.next++, order, arrivedAt, value: eventBytes(event) })
        }
        for (const outcome of found) {
          const order = { generation: 0, position, index: 0, scenarioId: outcome.scenarioId }
          outcomeEntries.push({ offset: outcomes.next++, order, arrivedAt, value: outcomeBytes(outcome) })
        }
        position++
      }
      if (events !== undefined) await take(events, eventFrom, eventEntries)
      await take(outcomes, outcomeFrom, outcomeEntries)
    },

    async finish() {
      await events?.sink.revoked(PARTITION)
      await outcomes.sink.revoked(PARTITION)
      await rename(join(unfinished, 'archive'), join(folder, 'archive'))
      await rm(unfinished, { recursive: true, force: true })
      return { folder, rows: (events?.next ?? 0) + outcomes.next }
    },

    async discard() {
      await rm(unfinished, { recursive: true, force: true })
    },
  }
}

interface Table {
  sink: ArchiveSink
  /** The next record's offset. */
  next: number
}

async function take({ sink, next }: Table, from: number, entries: readonly LogEntry[]): Promise<void> {
  if (entries.length > 0) await sink.take({ partition: PARTITION, from, to: next, entries })
}

async function makeEmpty(folder: string): Promise<void> {
  const unusable = (found: string, cause?: unknown): ProcessorError =>
    new ProcessorError(
      'STORE_UNAVAILABLE',
      `the folder of a new archive must be empty, or not there yet. Found: ${found}. Choose another one.`,
      { retryable: true, cause },
    )
  let names: string[]
  try {
    makeFolder(folder)
    names = await readdir(folder)
  } catch (cause) {
    throw unusable((cause as Error).message, cause)
  }
  const [first] = names
  if (first !== undefined) throw unusable(`${first} in ${folder}`)
}
