import { type ByteString, HEX_VALUE } from './byte-string.ts'
import type { Event } from './event.ts'
import type { JsonBytes } from './json-bytes.ts'
import { MAX_VALUE_BYTES } from './limits.ts'
import { getParam, type Params } from './params.ts'
import { percentDecode } from './percent-decode.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const PERCENT = 0x25
const BACKSLASH = 0x5c

/** Numbers that stand in `PlainParams.places` for one parameter. */
export const PLACE_SIZE = 4

/** The parameters of many plain lines, one behind the other. */
export interface PlainParams {
  names: string[]
  /**
   * Of parameter i, from `i * PLACE_SIZE` on: where its name begins and ends in its line, and the same of its value. An end of
   * the value that is negative, `~end`, says that there is a `%` in it.
   */
  places: Int32Array
}

/**
 * An event of a line that `PlainLines` has read. Its parameters stay where they stand in the line until somebody asks for
 * one: of some sixteen the scenarios want a few, and the record of the event log is a copy of their bytes.
 *
 * Of use until the next batch is read: then the bytes and places are of other lines.
 */
export class PlainEvent implements Event {
  readonly line: ByteString
  /** The line's bytes are `bytes[at … at + line.length)`. */
  readonly bytes: Uint8Array
  readonly at: number
  /** Its parameters are `from` … `to − 1` of these. */
  readonly names: readonly string[]
  readonly places: Int32Array
  readonly from: number
  readonly to: number

  eventId = ''
  scenarioId: number | undefined = undefined
  siteId: number | undefined = undefined
  receivedAt = 0
  date = 0
  visitorId: string | undefined = undefined
  memberId: string | undefined = undefined
  ip = ''
  userAgent = ''
  /** Where the user agent stands in the line; nothing when there is none. */
  agentFrom = 0
  agentTo = 0
  #params: Params | undefined

  constructor(line: ByteString, bytes: Uint8Array, at: number, params: PlainParams, from: number) {
    this.line = line
    this.bytes = bytes
    this.at = at
    this.names = params.names
    this.places = params.places
    this.from = from
    this.to = params.names.length
  }

  get params(): Params {
    if (this.#params === undefined) {
      const params: string[] = []
      for (let i = this.from; i < this.to; i++) params.push(this.names[i] as string, this.valueAt(i))
      this.#params = params
    }
    return this.#params
  }

  /** The value of a parameter, or `undefined` when the event does not have it. */
  value(name: string): string | undefined {
    for (let i = this.to - 1; i >= this.from; i--) if (this.names[i] === name) return this.valueAt(i)
    return undefined
  }

  /** The value of parameter `i`, `from` ≤ i < `to`. */
  valueAt(i: number): string {
    const place = i * PLACE_SIZE
    const from = this.places[place + 2] as number
    const to = this.places[place + 3] as number
    return to >= 0 ? this.line.slice(from, to) : percentDecode(this.line, from, ~to, false, MAX_VALUE_BYTES + 4)
  }

  /** Appends the user agent as a JSON text. */
  appendAgent(out: JsonBytes): void {
    out.reserve(this.agentTo - this.agentFrom + 2)
    if (!appendBytes(out, this.bytes, this.at + this.agentFrom, this.at + this.agentTo)) out.text(this.userAgent)
  }

  /** Appends the parameters as they stand in JSON, `"name","value","name",…`. */
  appendParams(out: JsonBytes): void {
    const { bytes, at, places } = this
    for (let i = this.from; i < this.to; i++) {
      const place = i * PLACE_SIZE
      const nameFrom = at + (places[place] as number)
      const nameTo = at + (places[place + 1] as number)
      out.reserve(nameTo - nameFrom + 4)
      if (i > this.from) out.bytes[out.length++] = COMMA
      if (!appendBytes(out, bytes, nameFrom, nameTo)) out.text(this.names[i] as string)
      out.ascii(',')
      this.appendValue(out, i)
    }
  }

  /** Appends the value of parameter `i` as a JSON text. */
  appendValue(out: JsonBytes, i: number): void {
    const { bytes, at, places } = this
    const place = i * PLACE_SIZE
    const from = at + (places[place + 2] as number)
    const end = places[place + 3] as number
    const to = at + (end < 0 ? ~end : end)
    // What is decoded gets no longer.
    out.reserve(to - from + 2)
    const isWritten = end < 0 ? appendDecoded(out, bytes, from, to) : appendBytes(out, bytes, from, to)
    if (!isWritten) out.text(this.valueAt(i))
  }
}

/** Appends ASCII without quotes and backslashes as a JSON text; `false` and nothing when there is a control character in it. */
function appendBytes(out: JsonBytes, bytes: Uint8Array, from: number, to: number): boolean {
  const target = out.bytes
  let n = out.length
  target[n++] = QUOTE
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number
    if (byte < 0x20) return false
    target[n++] = byte
  }
  target[n++] = QUOTE
  out.length = n
  return true
}

/** The value of an event's parameter, or `undefined` when it does not have it. */
export function eventParam(event: Event, name: string): string | undefined {
  return event instanceof PlainEvent ? event.value(name) : getParam(event.params, name)
}

/** Appends a percent-encoded value as a JSON text; `false` and nothing when it holds more than unescaped ASCII. */
function appendDecoded(out: JsonBytes, bytes: Uint8Array, from: number, to: number): boolean {
  const target = out.bytes
  let n = out.length
  target[n++] = QUOTE
  for (let i = from; i < to; i++) {
    let byte = bytes[i] as number
    if (byte === PERCENT && i + 2 < to) {
      const high = HEX_VALUE[bytes[i + 1] as number] as number
      const low = HEX_VALUE[bytes[i + 2] as number] as number
      if ((high | low) >= 0) {
        byte = (high << 4) | low
        i += 2
        if (byte > 0x7e || byte === QUOTE || byte === BACKSLASH) return false
      }
    }
    if (byte < 0x20) return false
    target[n++] = byte
  }
  target[n++] = QUOTE
  out.length = n
  return true
}
