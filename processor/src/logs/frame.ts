import { crc32 } from 'node:zlib'
import { encodeEvent, encodeOutcome } from '@headwater/core'
import type { DeadLetter, JudgedBatch, LogName, OrderKey, Position } from '../ports.ts'

/*
 * A frame: one judged batch in a segment file. Little-endian; offsets in bytes.
 *
 *   0  u32  magic "HWF1"
 *   4  u32  crc32 of bytes 8 … 135
 *   8  u32  length of the frame, header included
 *  12  u32  0
 *  16  f64  input range: from
 *  24  f64  input range: to
 *  32  f64  arrivedAt, Unix ms
 *  40  4 × section: u32 count, u32 bytes, u32 crc32 of its bytes, u32 0, f64 base
 * 136  the bytes of the sections, in order: ids, event-log, scenario-log, dead-letter
 *
 * `base` is the offset of the section's first record in its log. The header has a checksum of its own and tells every
 * section's place, so that a reader of one log touches headers and its own sections only.
 *
 * Section ids (count n):   n × f64 receivedAt, n × u32 high, n × u32 low.
 * Section of a log:        n × f64 position, n × u32 index, n × u32 scenario id, n × u32 length, then the values joined by
 *                          a newline, as UTF-8. `length` is in UTF-16 code units: the text is decoded once and then sliced.
 */
export const FRAME_HEADER_BYTES = 136
const MAGIC = 0x31465748
const SECTION_TABLE = 40
const SECTION_ENTRY_BYTES = 24
/** Longest frame that can be read: a string of V8 has at most 2^29 − 24 characters. */
export const MAX_FRAME_BYTES = 0x1f000000

export type SectionName = 'ids' | LogName
export const SECTIONS: readonly SectionName[] = ['ids', 'event-log', 'scenario-log', 'dead-letter']

export interface FrameSection {
  count: number
  bytes: number
  crc: number
  /** Offset of the first record in its log (of the ids: how many came before). */
  base: Position
  /** Where its bytes begin, counted from the frame's start. */
  at: number
}

export interface FrameHeader {
  bytes: number
  from: Position
  to: Position
  arrivedAt: number
  /** In the order of `SECTIONS`. */
  sections: readonly [FrameSection, FrameSection, FrameSection, FrameSection]
}

/** The offset behind the last record of each section, in the order of `SECTIONS`. */
export type LogEnds = readonly [Position, Position, Position, Position]

/** The order keys and values of one log's part of a batch, before and after the disk. */
export interface FrameRecords {
  base: Position
  orders: OrderKey[]
  values: string[]
}

export interface EncodedFrame {
  bytes: Buffer
  header: FrameHeader
  /** What was encoded, for readers that follow closely. */
  records: Record<LogName, FrameRecords>
}

/** The value of a dead letter's record; `raw` is a byte string, so each of its characters stands for one byte. */
function encodeDeadLetter(letter: DeadLetter, source: string): string {
  const { reason, position, index, at, raw } = letter
  return JSON.stringify({ reason, source, position, index, at, raw })
}

/** Encodes a batch as the next frame; `base` holds where each section's offsets go on. */
export function encodeFrame(batch: JudgedBatch, base: LogEnds, source: string): EncodedFrame {
  const events: FrameRecords = { base: base[1], orders: [], values: [] }
  const outcomes: FrameRecords = { base: base[2], orders: [], values: [] }
  const deadLetters: FrameRecords = { base: base[3], orders: [], values: [] }
  const ids = Buffer.allocUnsafe(batch.events.length * 16)
  const idHighAt = batch.events.length * 8
  const idLowAt = batch.events.length * 12
  let i = 0
  for (const { event, position, index, idHigh, idLow, outcomes: judged } of batch.events) {
    ids.writeDoubleLE(event.receivedAt, i * 8)
    ids.writeUInt32LE(idHigh, idHighAt + i * 4)
    ids.writeUInt32LE(idLow, idLowAt + i * 4)
    i++
    events.orders.push({ generation: 0, position, index, scenarioId: 0 })
    events.values.push(encodeEvent(event))
    for (const outcome of judged) {
      outcomes.orders.push({ generation: 0, position, index, scenarioId: outcome.scenarioId })
      outcomes.values.push(encodeOutcome(outcome))
    }
  }
  for (const letter of batch.deadLetters) {
    deadLetters.orders.push({ generation: 0, position: letter.position, index: letter.index, scenarioId: 0 })
    deadLetters.values.push(encodeDeadLetter(letter, source))
  }

  const texts = [events, outcomes, deadLetters].map(({ values }) => values.join('\n'))
  const sizes = [
    ids.length,
    ...[events, outcomes, deadLetters].map(({ values }, n) => values.length * 20 + Buffer.byteLength(texts[n]!)),
  ]
  const length = sizes.reduce((sum, size) => sum + size, FRAME_HEADER_BYTES)
  if (length > MAX_FRAME_BYTES) {
    throw new RangeError(`A batch must encode to at most ${MAX_FRAME_BYTES} bytes: take fewer lines. Found: ${length}.`)
  }
  const bytes = Buffer.allocUnsafe(length)
  let at = FRAME_HEADER_BYTES
  const counts = [batch.events.length, events.values.length, outcomes.values.length, deadLetters.values.length]
  const records = [undefined, events, outcomes, deadLetters]
  const sections = sizes.map((size, n): FrameSection => {
    if (n === 0) ids.copy(bytes, at)
    else writeRecords(bytes, at, records[n]!, texts[n - 1]!)
    const section = { count: counts[n]!, bytes: size, crc: crc32(bytes.subarray(at, at + size)), base: base[n]!, at }
    at += size
    return section
  }) as [FrameSection, FrameSection, FrameSection, FrameSection]
  const header: FrameHeader = { bytes: length, from: batch.from, to: batch.to, arrivedAt: batch.arrivedAt, sections }
  writeHeader(bytes, header)
  return { bytes, header, records: { 'event-log': events, 'scenario-log': outcomes, 'dead-letter': deadLetters } }
}

function writeRecords(bytes: Buffer, at: number, { orders, values }: FrameRecords, text: string): void {
  const n = values.length
  for (let i = 0; i < n; i++) {
    const order = orders[i]!
    bytes.writeDoubleLE(order.position, at + i * 8)
    bytes.writeUInt32LE(order.index, at + n * 8 + i * 4)
    bytes.writeUInt32LE(order.scenarioId, at + n * 12 + i * 4)
    bytes.writeUInt32LE(values[i]!.length, at + n * 16 + i * 4)
  }
  bytes.write(text, at + n * 20, 'utf8')
}

function writeHeader(bytes: Buffer, header: FrameHeader): void {
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt32LE(header.bytes, 8)
  bytes.writeUInt32LE(0, 12)
  bytes.writeDoubleLE(header.from, 16)
  bytes.writeDoubleLE(header.to, 24)
  bytes.writeDoubleLE(header.arrivedAt, 32)
  header.sections.forEach((section, n) => {
    const at = SECTION_TABLE + n * SECTION_ENTRY_BYTES
    bytes.writeUInt32LE(section.count, at)
    bytes.writeUInt32LE(section.bytes, at + 4)
    bytes.writeUInt32LE(section.crc, at + 8)
    bytes.writeUInt32LE(0, at + 12)
    bytes.writeDoubleLE(section.base, at + 16)
  })
  bytes.writeUInt32LE(crc32(bytes.subarray(8, FRAME_HEADER_BYTES)), 4)
}

/** Reads a header; `undefined` when these bytes are none. `bytes` must hold at least FRAME_HEADER_BYTES from `at`. */
export function decodeFrameHeader(bytes: Buffer, at: number): FrameHeader | undefined {
  if (bytes.readUInt32LE(at) !== MAGIC) return undefined
  if (bytes.readUInt32LE(at + 4) !== crc32(bytes.subarray(at + 8, at + FRAME_HEADER_BYTES))) return undefined
  let sectionAt = FRAME_HEADER_BYTES
  const sections = SECTIONS.map((_, n): FrameSection => {
    const entry = at + SECTION_TABLE + n * SECTION_ENTRY_BYTES
    const section = {
      count: bytes.readUInt32LE(entry),
      bytes: bytes.readUInt32LE(entry + 4),
      crc: bytes.readUInt32LE(entry + 8),
      base: bytes.readDoubleLE(entry + 16),
      at: sectionAt,
    }
    sectionAt += section.bytes
    return section
  }) as [FrameSection, FrameSection, FrameSection, FrameSection]
  return {
    bytes: bytes.readUInt32LE(at + 8),
    from: bytes.readDoubleLE(at + 16),
    to: bytes.readDoubleLE(at + 24),
    arrivedAt: bytes.readDoubleLE(at + 32),
    sections,
  }
}

/** The magic number's bytes, for finding out whether anything whole stands behind a damaged place. */
export const FRAME_MAGIC: Buffer = Buffer.from('HWF1', 'latin1')

/** Where the sections' offsets go on behind a frame. */
export function endsOf(header: FrameHeader): LogEnds {
  const [ids, events, outcomes, deadLetters] = header.sections
  const end = (section: FrameSection): Position => section.base + section.count
  return [end(ids), end(events), end(outcomes), end(deadLetters)]
}

/** Whether a section's bytes are those that were written. */
export function isSectionWhole(bytes: Buffer, section: FrameSection): boolean {
  return bytes.length === section.bytes && crc32(bytes) === section.crc
}

/** Takes the section of a log apart; the bytes must be whole. */
export function decodeRecords(bytes: Buffer, section: FrameSection): FrameRecords {
  const n = section.count
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = bytes.toString('utf8', n * 20)
  const orders = new Array<OrderKey>(n)
  const values = new Array<string>(n)
  let start = 0
  for (let i = 0; i < n; i++) {
    orders[i] = {
      generation: 0,
      position: view.getFloat64(i * 8, true),
      index: view.getUint32(n * 8 + i * 4, true),
      scenarioId: view.getUint32(n * 12 + i * 4, true),
    }
    const end = start + view.getUint32(n * 16 + i * 4, true)
    values[i] = text.slice(start, end)
    start = end + 1
  }
  return { base: section.base, orders, values }
}

/** Takes the ids section apart; the bytes must be whole. */
export function decodeIds(
  bytes: Buffer,
  section: FrameSection,
): { high: Uint32Array; low: Uint32Array; receivedAt: Float64Array } {
  const n = section.count
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ids = { high: new Uint32Array(n), low: new Uint32Array(n), receivedAt: new Float64Array(n) }
  for (let i = 0; i < n; i++) {
    ids.receivedAt[i] = view.getFloat64(i * 8, true)
    ids.high[i] = view.getUint32(n * 8 + i * 4, true)
    ids.low[i] = view.getUint32(n * 12 + i * 4, true)
  }
  return ids
}
