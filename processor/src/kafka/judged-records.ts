import { MAX_DEAD_LETTER_BYTES } from '@headwater/core'
import type { Message } from 'kafkajs'
import { eventBytes, outcomeBytes } from '../logs/record-bytes.ts'
import type { DeadLetter, JudgedBatch, JudgedEvent, OrderKey, Position } from '../ports.ts'
import { encodeIdRecord, MAX_IDS_PER_RECORD } from './id-record.ts'
import { encodeOrderKey, ORDER_KEY_HEADER } from './order-key-header.ts'

/** One record on its way, with what is needed to cut a series of them. */
export interface OutRecord {
  message: Message
  /** Roughly what it takes uncompressed. */
  bytes: number
  position: Position
  index: number
}

/** A judged batch as records, topic by topic, each in its order. */
export interface JudgedRecords {
  events: OutRecord[]
  outcomes: OutRecord[]
  ids: OutRecord[]
  deadLetters: OutRecord[]
}

export interface JudgedRecordsOptions {
  /** Raised by the operator when access-log is made anew. */
  generation: number
  /** The line source's name, for dead letters. */
  source: string
}

/** Lengths, attributes, deltas and the header's name. */
const RECORD_OVERHEAD_BYTES = 24

/**
 * Encodes a batch. Every record carries its order key in the header `k` (see `order-key-header.ts`) and the batch's
 * `arrivedAt` as its timestamp, which a topic with LogAppendTime replaces by its own. Values: `eventBytes`,
 * `outcomeBytes`, `{reason, source, position, index, at, raw}` as JSON, and `id-record.ts`.
 */
export function judgedRecords(batch: JudgedBatch, options: JudgedRecordsOptions): JudgedRecords {
  const { partition, arrivedAt } = batch
  const { generation } = options
  const timestamp = String(arrivedAt)
  const records: JudgedRecords = { events: [], outcomes: [], ids: [], deadLetters: [] }
  const record = (position: Position, index: number, scenarioId: number, value: Buffer): OutRecord => {
    const key = encodeOrderKey(generation, position, index, scenarioId)
    const message = { partition, value, timestamp, headers: { [ORDER_KEY_HEADER]: key } }
    return { message, bytes: value.length + key.length + RECORD_OVERHEAD_BYTES, position, index }
  }
  for (const { event, position, index, outcomes } of batch.events) {
    records.events.push(record(position, index, 0, eventBytes(event)))
    for (const outcome of outcomes)
      records.outcomes.push(record(position, index, outcome.scenarioId, outcomeBytes(outcome)))
  }
  for (const letter of batch.deadLetters) {
    records.deadLetters.push(
      record(letter.position, letter.index, 0, Buffer.from(encodeDeadLetter(letter, options.source))),
    )
  }
  for (const { from, to, events } of idRanges(batch)) {
    const value = encodeIdRecord(generation, from, to, arrivedAt, events)
    records.ids.push({ message: { partition, value, timestamp }, bytes: value.length, position: from, index: 0 })
  }
  return records
}

/** The dead letter that stands for a record which no topic takes. */
export function oversizeLetter(record: OutRecord, at: number, options: JudgedRecordsOptions): DeadLetter & OrderKey {
  const raw = (record.message.value as Buffer).subarray(0, MAX_DEAD_LETTER_BYTES).toString('latin1')
  const { position, index } = record
  return { position, index, reason: 'line_too_long', raw, at, generation: options.generation, scenarioId: 0 }
}

/** A dead letter as a record. */
export function deadLetterRecord(letter: DeadLetter, batch: JudgedBatch, options: JudgedRecordsOptions): OutRecord {
  const lone = { ...batch, events: [], deadLetters: [letter] }
  return judgedRecords(lone, options).deadLetters[0]!
}

/**
 * Cuts records into series of at most `maxBytes`, between input lines where that is possible. A line whose records are more
 * than that is cut inside: the order key goes down to event and scenario, so a sink skips its repeated part all the same.
 */
export function cutRecords(records: readonly OutRecord[], maxBytes: number): OutRecord[][] {
  const series: OutRecord[][] = []
  let start = 0
  /** Where the last line began within the series that is growing. */
  let lineAt = 0
  let bytes = 0
  let bytesBeforeLine = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    if (i === start || record.position !== records[i - 1]!.position) {
      lineAt = i
      bytesBeforeLine = bytes
    }
    if (i > start && bytes + record.bytes > maxBytes) {
      const cut = lineAt > start ? lineAt : i
      series.push(records.slice(start, cut))
      bytes = cut === i ? 0 : bytes - bytesBeforeLine
      start = cut
      bytesBeforeLine = 0
      // The line that moved to the new series may be too long for it already.
      if (i > start && bytes + record.bytes > maxBytes) {
        series.push(records.slice(start, i))
        start = i
        bytes = 0
      }
      lineAt = start
    }
    bytes += record.bytes
  }
  if (start < records.length) series.push(records.slice(start))
  return series
}

function encodeDeadLetter({ reason, position, index, at, raw }: DeadLetter, source: string): string {
  return JSON.stringify({ reason, source, position, index, at, raw })
}

/** The batch's events in parts that fit into one record of event-ids, cut between lines: a line has 500 events at most. */
function* idRanges(batch: JudgedBatch): Generator<{ from: Position; to: Position; events: readonly JudgedEvent[] }> {
  const { events } = batch
  let from = batch.from
  for (let start = 0; start < events.length; ) {
    let end = Math.min(start + MAX_IDS_PER_RECORD, events.length)
    while (end < events.length && end > start + 1 && events[end]!.position === events[end - 1]!.position) end--
    const to = end === events.length ? batch.to : events[end]!.position
    yield { from, to, events: events.slice(start, end) }
    from = to
    start = end
  }
}
