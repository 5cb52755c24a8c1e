import { MAX_DEAD_LETTER_BYTES } from '@headwater/core'
import { eventBytes, outcomeBytes } from '../logs/record-bytes.ts'
import type { DeadLetter, JudgedBatch, JudgedEvent, OrderKey, Position } from '../ports.ts'
import { encodeIdRecord, MAX_IDS_PER_RECORD } from './id-record.ts'
import { ORDER_KEY_HEADER, orderKeyText } from './order-key-header.ts'
import { type OutgoingRecord, recordBytes } from './record-encoder.ts'

/** One record on its way, with what is needed to cut a series of them. */
export interface OutRecord {
  record: OutgoingRecord
  /** What it takes uncompressed, a few bytes more at most. */
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

/**
 * Encodes a batch. Every record carries its order key in the header `k` (see `order-key-header.ts`). Values: `eventBytes`,
 * `outcomeBytes`, `{reason, source, position, index, at, raw}` as JSON, and `id-record.ts`.
 */
export function judgedRecords(batch: JudgedBatch, options: JudgedRecordsOptions): JudgedRecords {
  const { arrivedAt } = batch
  const { generation } = options
  const records: JudgedRecords = { events: [], outcomes: [], ids: [], deadLetters: [] }
  const record = (position: Position, index: number, scenarioId: number, value: Buffer): OutRecord => {
    const header = { name: ORDER_KEY_HEADER, value: orderKeyText(generation, position, index, scenarioId) }
    return outRecord({ value, header }, position, index)
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
    records.ids.push(outRecord({ value }, from, 0))
  }
  return records
}

function outRecord(record: OutgoingRecord, position: Position, index: number): OutRecord {
  return { record, bytes: recordBytes(record), position, index }
}

/** The dead letter that stands for a record which no topic takes. */
export function oversizeLetter(refused: OutRecord, at: number, options: JudgedRecordsOptions): DeadLetter & OrderKey {
  const { position, index } = refused
  const raw = (refused.record.value as Buffer).toString('latin1', 0, MAX_DEAD_LETTER_BYTES)
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
