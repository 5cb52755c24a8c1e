import { isUtf8 } from 'node:buffer'
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { DeadLetterMetrics } from '../metrics.ts'
import { compareOrderKeys } from '../order-key.ts'
import type {
  Assignment,
  Consumer,
  EntryBatch,
  LogEntry,
  LogReader,
  OrderKey,
  PartitionId,
  Position,
  SinkPosition,
} from '../ports.ts'
import { syncFolder } from '../state-file.ts'

export interface DeadLetterSinkOptions {
  /** Reads `dead-letter`; told what is done (`commit`). Only its `commit` is called here. */
  reader: Pick<LogReader, 'commit'>
  /** Where the files go: `dead-letter/`; made when missing. */
  folder: string
  metrics: DeadLetterMetrics
  log: Logger
}

const HOUR_MS = 3_600_000
/** How much of a file's end is read at once when the last line is looked for. A line is at most 50 KB. */
const TAIL_BYTES = 256 * 1024

/*
 * dead-letter/2026-06-18T12.ndjson (UTC hour of arrival; partition n > 0: 2026-06-18T12+n.ndjson), a line a dead letter:
 *
 *   {"offset":17,"order":[0,4711,0,0],"reason":"bad_line","source":"…","position":4711,"index":0,
 *    "at":"2026-06-18T12:00:00.000Z","raw":"GET / …"}
 *
 * `offset` is the record's offset in the log `dead-letter`, `order` its order key [generation, position, index, scenario].
 * `raw` is what was rejected, as text when its bytes are valid UTF-8; otherwise `raw_base64` has the bytes.
 */

interface Open {
  handle: FileHandle
  name: string
  /** Behind the last whole line. */
  size: number
}

interface Held {
  at: SinkPosition
  /** The UTC hour (Unix ms ÷ 1 h) that is written; it never runs back, so the last file by name has the last line. */
  hour: number
  file: Open | undefined
}

/**
 * Dead letters → files for people, each written exactly once: a line carries its offset, so the last whole line is the
 * position. At the start a torn last line is cut off; what was committed counts when files were deleted by hand.
 * While the disk does not take a line it rejects with a retryable STORE_UNAVAILABLE, and the batch comes again.
 */
export function deadLetterSink(options: DeadLetterSinkOptions): Consumer<EntryBatch> {
  const { reader, folder, metrics, log } = options
  const partitions = new Map<PartitionId, Held>()

  async function close(held: Held): Promise<void> {
    const { file } = held
    held.file = undefined
    await file?.handle.close()
  }

  async function fileOf(partition: PartitionId, held: Held, hour: number): Promise<Open> {
    const name = fileName(partition, hour)
    if (held.file?.name === name) return held.file
    await close(held)
    const handle = await open(join(folder, name), 'a')
    held.file = { handle, name, size: (await handle.stat()).size }
    held.hour = hour
    await syncFolder(folder)
    return held.file
  }

  async function append(partition: PartitionId, held: Held, hour: number, entries: readonly LogEntry[]): Promise<void> {
    const file = await fileOf(partition, held, hour)
    // A full disk takes half a line: without this the next try would be glued to it.
    if ((await file.handle.stat()).size > file.size) await file.handle.truncate(file.size)
    const bytes = Buffer.from(entries.map(deadLetterLine).join(''))
    await file.handle.writeFile(bytes)
    await file.handle.datasync()
    file.size += bytes.length
  }

  async function write(batch: EntryBatch, held: Held): Promise<void> {
    const { partition } = batch
    let { position, order } = held.at
    let lines: LogEntry[] = []
    let hour = held.hour
    let skipped = 0
    const flush = async (): Promise<void> => {
      if (lines.length === 0) return
      await append(partition, held, hour, lines)
      held.at = { position, order }
      metrics.records.inc({ result: 'written' }, lines.length)
      lines = []
    }
    for (const entry of batch.entries) {
      if (entry.offset < position || (order !== undefined && compareOrderKeys(entry.order, order) <= 0)) {
        skipped++
        continue
      }
      const entryHour = Math.max(hour, Math.floor(entry.arrivedAt / HOUR_MS))
      if (entryHour !== hour) await flush()
      hour = entryHour
      lines.push(entry)
      order = entry.order
      position = entry.offset + 1
    }
    await flush()
    if (skipped > 0) metrics.records.inc({ result: 'skipped' }, skipped)
    held.at = { position: Math.max(position, batch.to), order }
  }

  return {
    async assigned({ partition, committed, oldest, end }: Assignment): Promise<Position> {
      const held = await onDisk(async () => {
        const before = partitions.get(partition)
        if (before !== undefined) await close(before)
        await mkdir(folder, { recursive: true })
        return resume(folder, partition, log)
      })
      // A commit follows its lines, so it is ahead of them only when files were deleted by hand: those stay deleted.
      const position = Math.max(held.at.position, committed ?? 0, oldest)
      if (position > end) log.warn({ partition, position, end }, 'The log ends before the last dead letter written')
      held.at.position = Math.min(position, end)
      partitions.set(partition, held)
      return held.at.position
    },

    async take(batch: EntryBatch): Promise<Position> {
      const held = partitions.get(batch.partition)
      if (held === undefined) throw new Error(`Partition ${batch.partition} was not assigned.`)
      await onDisk(() => write(batch, held))
      await reader.commit(batch.partition, held.at.position).catch(error => {
        log.warn({ partition: batch.partition, err: error }, 'The position of the dead letters could not be committed')
      })
      return held.at.position
    },

    async tick(partition: PartitionId): Promise<undefined> {
      // A file of an hour that is over is let go, so that it can be moved away.
      const held = partitions.get(partition)
      if (held?.file !== undefined && Math.floor(Date.now() / HOUR_MS) > held.hour) await onDisk(() => close(held))
    },

    async revoked(partition: PartitionId): Promise<void> {
      const held = partitions.get(partition)
      partitions.delete(partition)
      if (held !== undefined) await onDisk(() => close(held))
    },
  }
}

/** The line of a record of `dead-letter`, newline included. */
export function deadLetterLine(entry: LogEntry): string {
  const { generation, position, index, scenarioId } = entry.order
  const head = { offset: entry.offset, order: [generation, position, index, scenarioId] }
  let letter: Record<string, unknown>
  try {
    letter = JSON.parse(entry.value.toString()) as Record<string, unknown>
  } catch {
    return `${JSON.stringify({ ...head, damaged: entry.value.toString() })}\n`
  }
  const { raw, at, ...rest } = letter
  const time = typeof at === 'number' && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : at
  return `${JSON.stringify({ ...head, ...rest, at: time, ...readable(raw) })}\n`
}

/** The bytes of a byte string in the form that a person can read best. */
function readable(raw: unknown): { raw: unknown } | { raw_base64: string } {
  if (typeof raw !== 'string') return { raw }
  const bytes = Buffer.from(raw, 'latin1')
  // Another writer may have put text there: then a character does not fit into a byte.
  if (bytes.toString('latin1') !== raw) return { raw }
  return isUtf8(bytes) ? { raw: bytes.toString('utf8') } : { raw_base64: bytes.toString('base64') }
}

function fileName(partition: PartitionId, hour: number): string {
  const text = new Date(hour * HOUR_MS).toISOString().slice(0, 13)
  return partition === 0 ? `${text}.ndjson` : `${text}+${partition}.ndjson`
}

/** Finds the last whole line of a partition's files, cutting off a torn one behind it. */
async function resume(folder: string, partition: PartitionId, log: Logger): Promise<Held> {
  const pattern =
    partition === 0
      ? /^\d{4}-\d\d-\d\dT\d\d\.ndjson$/
      : new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\d\\d\\+${partition}\\.ndjson$`)
  const names = (await readdir(folder)).filter(name => pattern.test(name)).sort()
  const held: Held = { at: { position: 0, order: undefined }, hour: 0, file: undefined }
  for (const name of names.reverse()) {
    if (held.hour === 0) held.hour = Date.parse(`${name.slice(0, 13)}:00:00Z`) / HOUR_MS
    const last = await lastLine(join(folder, name), log)
    if (last !== undefined) {
      held.at = last
      break
    }
  }
  return held
}

async function lastLine(file: string, log: Logger): Promise<SinkPosition | undefined> {
  const handle = await open(file, 'r+')
  try {
    let { size } = await handle.stat()
    const whole = await endOfLastLine(handle, size)
    if (whole < size) {
      log.warn({ file, bytes: size - whole }, 'A torn dead letter was cut off: it is written again')
      await handle.truncate(whole)
      await handle.datasync()
      size = whole
    }
    // From the last line backwards: lines that a person has added or spoilt are passed over.
    for (let end = size; end > 0; ) {
      const from = await endOfLastLine(handle, end - 1)
      const position = positionOf(await readText(handle, from, end))
      if (position !== undefined) return position
      end = from
    }
    return undefined
  } finally {
    await handle.close()
  }
}

/** The offset behind the last newline before `end`; 0 when there is none. */
async function endOfLastLine(handle: FileHandle, end: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(TAIL_BYTES, Math.max(end, 1)))
  for (let to = end; to > 0; ) {
    const from = Math.max(0, to - buffer.length)
    const { bytesRead } = await handle.read(buffer, 0, to - from, from)
    const at = buffer.subarray(0, bytesRead).lastIndexOf(0x0a)
    if (at >= 0) return from + at + 1
    to = from
  }
  return 0
}

async function readText(handle: FileHandle, from: number, to: number): Promise<string> {
  if (to - from > TAIL_BYTES) return ''
  const buffer = Buffer.alloc(to - from)
  await handle.read(buffer, 0, buffer.length, from)
  return buffer.toString('utf8')
}

function positionOf(line: string): SinkPosition | undefined {
  try {
    const { offset, order } = JSON.parse(line) as { offset?: unknown; order?: unknown }
    if (!Number.isSafeInteger(offset)) return undefined
    return { position: (offset as number) + 1, order: orderOf(order) }
  } catch {
    return undefined
  }
}

function orderOf(order: unknown): OrderKey | undefined {
  if (!Array.isArray(order) || order.length !== 4 || !order.every(Number.isSafeInteger)) return undefined
  const [generation, position, index, scenarioId] = order as [number, number, number, number]
  return { generation, position, index, scenarioId }
}

/** What fails on the disk may work later: a full disk is emptied, a folder made writable. */
async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ProcessorError) throw cause
    throw new ProcessorError('STORE_UNAVAILABLE', `Dead letters cannot be written. Found: ${String(cause)}.`, {
      retryable: true,
      cause,
    })
  }
}
