import { crc32 } from 'node:zlib'
import { encodeEvent, encodeOutcome } from '@headwater/core'
import type { DeadLetter, JudgedBatch, JudgedEvent, LogName, OrderKey, Position } from '../ports.ts'

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
const KEPT_SPACE_BYTES = 8 * 1024 * 1024
const NEWLINE = 0x0a

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

/** The order keys and values of one log's part of a batch. */
export interface FrameRecords {
  base: Position
  orders: OrderKey[]
  values: string[]
}

export interface EncodedFrame {
  bytes: Buffer
  header: FrameHeader
}

/** The value of a dead letter's record; `raw` is a byte string, so each of its characters stands for one byte. */
function encodeDeadLetter(letter: DeadLetter, source: string): string {
  const { reason, position, index, at, raw } = letter
  return JSON.stringify({ reason, source, position, index, at, raw })
}

/** One log's part of a batch on its way into a frame: columns, for objects would live until the frame is written. */
class RecordColumns {
  readonly positions: number[] = []
  readonly indexes: number[] = []
  readonly scenarioIds: number[] = []
  readonly values: string[] = []
  /** UTF-16 code units of all values. */
  units = 0

  add(position: Position, index: number, scenarioId: number, value: string): void {
    this.positions.push(position)
    this.indexes.push(index)
    this.scenarioIds.push(scenarioId)
    this.values.push(value)
    this.units += value.length
  }

  get count(): number {
    return this.values.length
  }

  /** A UTF-16 code unit takes at most three bytes in UTF-8. */
  get maxBytes(): number {
    return this.count * 21 + this.units * 3
  }

  /** Writes the section; returns where it ends. */
  write(bytes: Buffer, start: number): number {
    const { positions, indexes, scenarioIds, values, count } = this
    for (let i = 0; i < count; i++) {
      bytes.writeDoubleLE(positions[i]!, start + i * 8)
      bytes.writeUInt32LE(indexes[i]!, start + count * 8 + i * 4)
      bytes.writeUInt32LE(scenarioIds[i]!, start + count * 12 + i * 4)
      bytes.writeUInt32LE(values[i]!.length, start + count * 16 + i * 4)
    }
    // Value by value: joined first, one value outside Latin-1 would make all the text two bytes a character, at 1 µs each.
    let at = start + count * 20
    for (let i = 0; i < count; i++) {
      if (i > 0) bytes[at++] = NEWLINE
      at += bytes.write(values[i]!, at, 'utf8')
    }
    return at
  }
}

/** Encodes batches as frames; keeps the space it does so in. */
export class FrameEncoder {
  readonly #source: string
  #space: Buffer = Buffer.alloc(0)

  /** `source` is the line source's name, for dead letters. */
  constructor(source: string) {
    this.#source = source
  }

  /** The frame of a batch; `base` holds where each section's offsets go on. */
  encode(batch: JudgedBatch, base: LogEnds): EncodedFrame {
    const events = new RecordColumns()
    const outcomes = new RecordColumns()
    const deadLetters = new RecordColumns()
    for (const { event, position, index, outcomes: judged } of batch.events) {
      events.add(position, index, 0, encodeEvent(event))
      for (const outcome of judged) outcomes.add(position, index, outcome.scenarioId, encodeOutcome(outcome))
    }
    for (const letter of batch.deadLetters) {
      deadLetters.add(letter.position, letter.index, 0, encodeDeadLetter(letter, this.#source))
    }
    const parts = [new IdColumns(batch.events), events, outcomes, deadLetters]
    const maxBytes = parts.reduce((sum, part) => sum + part.maxBytes, FRAME_HEADER_BYTES)
    if (maxBytes > MAX_FRAME_BYTES) {
      throw new RangeError(
        `A batch must encode to at most ${MAX_FRAME_BYTES} bytes: take fewer lines. Found: ${maxBytes}.`,
      )
    }
    // Little space is kept for the next frame, much is not.
    let space = this.#space
    if (space.length < maxBytes) {
      space = Buffer.allocUnsafeSlow(maxBytes)
      if (maxBytes <= KEPT_SPACE_BYTES) this.#space = space
    }
    let at = FRAME_HEADER_BYTES
    const sections = parts.map((part, n): FrameSection => {
      const start = at
      at = part.write(space, start)
      return { count: part.count, bytes: at - start, crc: crc32(space.subarray(start, at)), base: base[n]!, at: start }
    }) as [FrameSection, FrameSection, FrameSection, FrameSection]
    const header: FrameHeader = { bytes: at, from: batch.from, to: batch.to, arrivedAt: batch.arrivedAt, sections }
    writeHeader(space, header)
    const bytes = Buffer.allocUnsafeSlow(at)
    space.copy(bytes, 0, 0, at)
    return { bytes, header }
  }
}

class IdColumns {
  readonly #events: readonly JudgedEvent[]

  constructor(events: readonly JudgedEvent[]) {
    this.#events = events
  }

  get count(): number {
    return this.#events.length
  }

  get maxBytes(): number {
    return this.count * 16
  }

  write(bytes: Buffer, start: number): number {
    const count = this.count
    for (let i = 0; i < count; i++) {
      const { event, idHigh, idLow } = this.#events[i]!
      bytes.writeDoubleLE(event.receivedAt, start + i * 8)
      bytes.writeUInt32LE(idHigh, start + count * 8 + i * 4)
      bytes.writeUInt32LE(idLow, start + count * 12 + i * 4)
    }
    return start + count * 16
  }
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
