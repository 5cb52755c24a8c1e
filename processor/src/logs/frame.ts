import { crc32 } from 'node:zlib'
import { appendEvent, appendOutcome, JsonBytes } from '@headwater/core'
import type { DeadLetter, JudgedBatch, JudgedEvent, LogEntry, LogName, Position } from '../ports.ts'

/*
 * A frame: one judged batch in a segment file. Little-endian; offsets in bytes.
 *
 *   0  u32  magic "HWF2"
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
 * Section of a log:        n × f64 position, n × u32 index, n × u32 scenario id, n × u32 length in bytes, then the values
 *                          joined by a newline, as UTF-8.
 *
 * A frame of segment format 1 has the magic "HWF1" and lengths in UTF-16 code units. It is read by its newlines: none
 * stands inside a value, for values are JSON.
 */
export const FRAME_HEADER_BYTES = 136
const MAGIC = 0x32465748
const MAGIC_OF_FORMAT_1 = 0x31465748
const SECTION_TABLE = 40
const SECTION_ENTRY_BYTES = 24
/** Longest frame that is written; a batch of lines is a hundredth of it. */
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

/** Of segment files and their frames; 2 is what is written. */
export type SegmentFormat = 1 | 2

export interface FrameHeader {
  format: SegmentFormat
  bytes: number
  from: Position
  to: Position
  arrivedAt: number
  /** In the order of `SECTIONS`. */
  sections: readonly [FrameSection, FrameSection, FrameSection, FrameSection]
}

/** The offset behind the last record of each section, in the order of `SECTIONS`. */
export type LogEnds = readonly [Position, Position, Position, Position]

export interface EncodedFrame {
  bytes: Buffer
  header: FrameHeader
}

/** The value of a dead letter's record; `raw` is a byte string, so each of its characters stands for one byte. */
function appendDeadLetter(out: JsonBytes, letter: DeadLetter, source: string): void {
  const { reason, position, index, at, raw } = letter
  out.ascii('{"reason":')
  out.text(reason)
  out.ascii(',"source":')
  out.text(source)
  out.ascii(`,"position":${position},"index":${index},"at":${at},"raw":`)
  out.text(raw)
  out.ascii('}')
}

/** Encodes batches as frames; keeps the space it does so in. */
export class FrameEncoder {
  readonly #source: string
  #space = new JsonBytes(64 * 1024)

  /** `source` is the line source's name, for dead letters. */
  constructor(source: string) {
    this.#source = source
  }

  /** The frame of a batch; `base` holds where each section's offsets go on. */
  encode(batch: JudgedBatch, base: LogEnds): EncodedFrame {
    const { events, deadLetters } = batch
    const space = this.#space
    space.length = FRAME_HEADER_BYTES
    const sections: FrameSection[] = []
    const end = (count: number, start: number): void => {
      const crc = crc32(space.bytes.subarray(start, space.length))
      sections.push({ count, bytes: space.length - start, crc, base: base[sections.length] as Position, at: start })
    }
    let start = space.length
    writeIds(space, events)
    end(events.length, start)

    start = space.length
    const eventRecords = new RecordWriter(space, events.length)
    for (const { event, position, index } of events) {
      eventRecords.begin()
      appendEvent(space, event)
      eventRecords.end(position, index, 0)
    }
    end(events.length, start)

    start = space.length
    const outcomes = events.reduce((count, event) => count + event.outcomes.length, 0)
    const outcomeRecords = new RecordWriter(space, outcomes)
    for (const { position, index, outcomes: judged } of events) {
      for (const outcome of judged) {
        outcomeRecords.begin()
        appendOutcome(space, outcome)
        outcomeRecords.end(position, index, outcome.scenarioId)
      }
    }
    end(outcomes, start)

    start = space.length
    const letterRecords = new RecordWriter(space, deadLetters.length)
    for (const letter of deadLetters) {
      letterRecords.begin()
      appendDeadLetter(space, letter, this.#source)
      letterRecords.end(letter.position, letter.index, 0)
    }
    end(deadLetters.length, start)

    const bytes = Buffer.allocUnsafeSlow(space.length)
    bytes.set(space.bytes.subarray(0, space.length))
    // Little space is kept for the next frame, much is not.
    if (space.bytes.length > KEPT_SPACE_BYTES) this.#space = new JsonBytes(64 * 1024)
    const header: FrameHeader = {
      format: 2,
      bytes: bytes.length,
      from: batch.from,
      to: batch.to,
      arrivedAt: batch.arrivedAt,
      sections: sections as unknown as FrameHeader['sections'],
    }
    writeHeader(bytes, header)
    return { bytes, header }
  }
}

function writeIds(space: JsonBytes, events: readonly JudgedEvent[]): void {
  const count = events.length
  space.reserve(count * 16)
  const view = new DataView(space.bytes.buffer)
  const start = space.length
  for (let i = 0; i < count; i++) {
    const { event, idHigh, idLow } = events[i] as JudgedEvent
    view.setFloat64(start + i * 8, event.receivedAt, true)
    view.setUint32(start + count * 8 + i * 4, idHigh, true)
    view.setUint32(start + count * 12 + i * 4, idLow, true)
  }
  space.length += count * 16
}

/** Writes one log's section: leaves room for its columns, and fills them value by value. */
class RecordWriter {
  readonly #space: JsonBytes
  readonly #start: number
  readonly #count: number
  #view: DataView
  #at = 0
  #written = 0

  constructor(space: JsonBytes, count: number) {
    space.reserve(count * 20)
    this.#space = space
    this.#start = space.length
    this.#count = count
    this.#view = new DataView(space.bytes.buffer)
    space.length += count * 20
  }

  /** A value is about to be appended to the space. */
  begin(): void {
    const space = this.#space
    if (this.#written > 0) space.ascii('\n')
    this.#at = space.length
  }

  /** It was. */
  end(position: Position, index: number, scenarioId: number): void {
    const space = this.#space
    if (space.length > MAX_FRAME_BYTES) {
      throw new RangeError(
        `A batch must encode to at most ${MAX_FRAME_BYTES} bytes: take fewer lines. Found: ${space.length} and more.`,
      )
    }
    // The space has moved when it grew.
    if (this.#view.buffer !== space.bytes.buffer) this.#view = new DataView(space.bytes.buffer)
    const view = this.#view
    const count = this.#count
    const start = this.#start
    const i = this.#written++
    view.setFloat64(start + i * 8, position, true)
    view.setUint32(start + count * 8 + i * 4, index, true)
    view.setUint32(start + count * 12 + i * 4, scenarioId, true)
    view.setUint32(start + count * 16 + i * 4, space.length - this.#at, true)
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
  const magic = bytes.readUInt32LE(at)
  if (magic !== MAGIC && magic !== MAGIC_OF_FORMAT_1) return undefined
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
    format: magic === MAGIC ? 2 : 1,
    bytes: bytes.readUInt32LE(at + 8),
    from: bytes.readDoubleLE(at + 16),
    to: bytes.readDoubleLE(at + 24),
    arrivedAt: bytes.readDoubleLE(at + 32),
    sections,
  }
}

/** What the magic numbers begin with, for finding out whether anything whole stands behind a damaged place. */
export const FRAME_MAGIC: Buffer = Buffer.from('HWF', 'latin1')

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

/** The entries of a log's section; `bytes` are that section and must be whole. Values are views into them. */
export function decodeEntries({ format, arrivedAt }: FrameHeader, section: FrameSection, bytes: Buffer): LogEntry[] {
  const { count, base } = section
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const entries: LogEntry[] = []
  let start = count * 20
  for (let i = 0; i < count; i++) {
    const end = format === 1 ? newlineOrEnd(bytes, start) : start + view.getUint32(count * 16 + i * 4, true)
    entries.push({
      offset: base + i,
      order: {
        generation: 0,
        position: view.getFloat64(i * 8, true),
        index: view.getUint32(count * 8 + i * 4, true),
        scenarioId: view.getUint32(count * 12 + i * 4, true),
      },
      arrivedAt,
      value: bytes.subarray(start, end),
    })
    start = end + 1
  }
  return entries
}

function newlineOrEnd(bytes: Buffer, from: number): number {
  const newline = bytes.indexOf(NEWLINE, from)
  return newline === -1 ? bytes.length : newline
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
