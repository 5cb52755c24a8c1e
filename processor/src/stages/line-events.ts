import { isAscii } from 'node:buffer'
import { type Event, eventsOf, PlainLines, parseLogLine, type Rejection } from '@headwater/core'
import type { LineBatch, Position } from '../ports.ts'

/** What lies behind this in a batch is read as text. */
const MAX_BYTES = 4 * 1024 * 1024

const LINE_TOO_LONG: Rejection = { rejected: 'line_too_long' }

export interface LineEventsOptions {
  /** Names the source in position-made ids. */
  source: string
  /** The site of `/ingest` requests without `idsite`. */
  ingestSiteId: number
}

/**
 * The events of one partition's lines: plain ones by their bytes (`PlainLines`), all others as text. Those of a batch are of
 * use until the next `begin`.
 */
export class LineEvents {
  readonly #options: LineEventsOptions
  readonly #plain: PlainLines
  #space: Buffer = Buffer.alloc(0)
  #batch: LineBatch | undefined
  /** Where the line asked for next begins in the space. */
  #at = 0

  constructor(options: LineEventsOptions) {
    this.#options = options
    this.#plain = new PlainLines(options)
  }

  /** Turns to a batch, whose lines are asked for one after the other. */
  begin(batch: LineBatch): void {
    let length = 0
    for (const line of batch.lines) length += line.length
    length = Math.min(length, MAX_BYTES)
    if (this.#space.length < length) this.#space = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const line of batch.lines) at += this.#space.write(line, at, 'latin1')
    this.#plain.begin(this.#space.subarray(0, at), isAscii(this.#space.subarray(0, at)))
    this.#batch = batch
    this.#at = 0
  }

  /** The events of line `i`, or why there are none. */
  of(i: number): (Event | Rejection)[] | Rejection {
    const { lines, positions, tooLong, arrivedAt } = this.#batch as LineBatch
    const line = lines[i] as string
    const position = positions[i] as Position
    const event = this.#plain.read(line, this.#at, position)
    this.#at += line.length
    if (tooLong.length > 0 && tooLong.includes(i)) return LINE_TOO_LONG
    if (event !== undefined) return [event]
    const record = parseLogLine(line)
    return 'rejected' in record ? record : eventsOf(record, { ...this.#options, position, arrivedAt })
  }
}
