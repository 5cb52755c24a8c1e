import type { ArchiveColumn } from '@headwater/core'
import { NameTable } from './archive-names.ts'
import { RecordShape } from './record-shape.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const ZERO = 0x30

/** More other parameters than this go the general way: names are compared pair by pair here. */
const MAX_REST = 256

/** What a name means: below `PARAM` the column of an own field, then that of a parameter, then one of the others. */
const PARAM = 1024
const REST = 2048

/** What a field of the record's JSON holds. */
const TEXT = 1
const INTEGER = 2
const TIMESTAMP = 3
const PARAMS = 4
/** 0 or 1. */
const FLAG = 5

const KINDS = { text: TEXT, int32: FLAG, int64: INTEGER, timestamp: TIMESTAMP } as const

/** Bytes that end the quick run through a text: its end, an escape, and what may not stand in JSON unescaped. */
const STOPS = new Uint8Array(256)
STOPS.fill(1, 0, 0x20)
STOPS[QUOTE] = 1
STOPS[BACKSLASH] = 1

/**
 * Takes a record of `event-log` or `scenario-log` apart without building its values as JavaScript strings: the fields are
 * ranges of bytes, which go into the columns as they are. It reads exactly the JSON that `encodeEvent` and `encodeOutcome`
 * of core write; anything else, though it may be right, gives `false`, and the caller takes the general way (`eventRow`,
 * `outcomeRow` of core). Both ways give the same row (a property in `test/archive`).
 *
 * Measured: a third of the CPU of `JSON.parse` and typed columns from its values (docs/decisions/parquet-writer.md).
 */
export class ArchiveRecord {
  /** The bytes that `starts`, `ends` point into: the record itself, or `#unescaped`; changes with `read`. */
  bytes: Buffer = Buffer.alloc(0)
  /** Column i of a text: [starts[i], ends[i]) of `bytes`; starts[i] is −1 for null. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Column i of a number; NaN for null. */
  readonly numbers: Float64Array
  /** JSON text of the parameters without a column: [0, restLength); 0 when there is none. */
  rest: Buffer = Buffer.allocUnsafe(16 * 1024)
  restLength = 0

  readonly #columns: readonly ArchiveColumn[]
  readonly #required: readonly number[]
  /** Names of the record's own fields. `kinds` by column; `PARAMS_SLOT` is the array `params`. */
  readonly #own = new NameTable()
  readonly #kinds: Uint8Array
  readonly #params = new NameTable()
  /** Parameters that are left out of the rest when they say the same as a column: name → column. */
  readonly #same = new NameTable()
  readonly #paramsSlot: number
  /** In `scenario-log` the kept fields stand beside the record's own ones. */
  readonly #flat: boolean

  /** Holds the record once an escape was found in it: what it stands for takes its place. */
  #unescaped: Buffer = Buffer.allocUnsafe(16 * 1024)
  readonly #shape = new RecordShape()
  /** How many names were read, and the meaning of the last one. */
  #named = 0
  #meaning = 0

  // The text read last: its range without quotes and escapes, and whether it had escapes.
  #at = 0
  #end = 0
  #start = 0
  #stop = 0
  #escaped = false

  #restCount = 0
  readonly #nameStart = new Int32Array(MAX_REST)
  readonly #nameStop = new Int32Array(MAX_REST)
  readonly #nameHash = new Int32Array(MAX_REST)
  /** The column that makes a parameter superfluous when it says the same; −1 for none. */
  readonly #sameAs = new Int32Array(MAX_REST)
  readonly #valueStart = new Int32Array(MAX_REST)
  readonly #valueStop = new Int32Array(MAX_REST)
  /** Bit 0: the name needs escaping, bit 1: the value does. */
  readonly #flags = new Uint8Array(MAX_REST)

  constructor(columns: readonly ArchiveColumn[], flat: boolean) {
    this.#columns = columns
    this.#flat = flat
    this.#paramsSlot = columns.length
    this.starts = new Int32Array(columns.length)
    this.ends = new Int32Array(columns.length)
    this.numbers = new Float64Array(columns.length)
    this.#kinds = new Uint8Array(columns.length + 1)
    const required: number[] = []
    columns.forEach((column, i) => {
      const { source } = column
      if (source.from === 'own') {
        this.#kinds[i] = KINDS[column.type]
        this.#own.add(source.name, i)
        if (source.sameAs !== undefined) this.#same.add(source.sameAs, i)
        if (column.required) required.push(i)
      } else if (source.from === 'param') {
        this.#params.add(source.name, i)
      }
    })
    this.#required = required
    if (!flat) {
      this.#kinds[this.#paramsSlot] = PARAMS
      this.#own.add('params', this.#paramsSlot)
    }
  }

  /** Reads one record. `false`: not of the form this reader knows, and nothing of what is held here is of use. */
  read(json: Buffer): boolean {
    this.bytes = json
    this.#at = 0
    this.#end = json.length
    this.#named = 0
    const { starts, numbers } = this
    for (let i = 0; i < starts.length; i++) {
      starts[i] = -1
      numbers[i] = Number.NaN
    }
    this.#restCount = 0
    this.restLength = 0
    if (!this.#object()) return false
    for (const column of this.#required) {
      if ((starts[column] as number) < 0 && Number.isNaN(numbers[column] as number)) return false
    }
    this.#writeRest()
    return true
  }

  #object(): boolean {
    if (this.bytes[this.#at++] !== OPEN_BRACE) return false
    for (;;) {
      if (!this.#name(COLON, this.#own)) return false
      const meaning = this.#meaning
      if (meaning < PARAM) {
        if (!this.#ownField(meaning)) return false
      } else {
        if (!this.#text()) return false
        this.#param(meaning)
      }
      const next = this.bytes[this.#at++]
      if (next === CLOSE_BRACE) return this.#at === this.#end
      if (next !== COMMA) return false
    }
  }

  #ownField(column: number): boolean {
    switch (this.#kinds[column]) {
      case TEXT:
        if (!this.#text()) return false
        this.starts[column] = this.#start
        this.ends[column] = this.#stop
        return true
      case INTEGER:
        return this.#integer(column)
      case FLAG:
        return this.#integer(column) && (this.numbers[column] as number) <= 1
      case TIMESTAMP:
        return this.#timestamp(column)
      default:
        return this.#paramList()
    }
  }

  #paramList(): boolean {
    if (this.bytes[this.#at++] !== OPEN_BRACKET) return false
    if (this.bytes[this.#at] === CLOSE_BRACKET) {
      this.#at++
      return true
    }
    for (;;) {
      if (!this.#name(COMMA, undefined)) return false
      const meaning = this.#meaning
      if (!this.#text()) return false
      this.#param(meaning)
      const next = this.bytes[this.#at++]
      if (next === CLOSE_BRACKET) return true
      if (next !== COMMA) return false
    }
  }

  /** Reads a name and the byte `behind` it, and finds its `#meaning`. `own`: the names of own fields that may stand here. */
  #name(behind: number, own: NameTable | undefined): boolean {
    const shape = this.#shape
    const index = this.#named++
    const start = this.#at + 1
    const likely = shape.match(index, this.bytes, this.#at)
    if (likely > 0) {
      this.#at += likely
      const meaning = shape.meanings[index] as number
      this.#meaning = meaning
      if (meaning >= REST) {
        const stop = this.#at - 2
        this.#noteRest(meaning - REST, start, stop, shape.hashes[index] as number, shape.sames[index] as number, 0)
      }
      return true
    }
    if (!this.#text() || this.bytes[this.#at] !== behind) return false
    this.#at++
    const stop = this.#stop
    const meaning = this.#find(start, stop, own)
    if (meaning < 0) return false
    this.#meaning = meaning
    const { hash } = this.#params
    let same = -1
    if (meaning >= REST) {
      same = this.#same.find(this.bytes, start, stop)
      this.#noteRest(meaning - REST, start, stop, hash, same, this.#escaped ? 1 : 0)
    }
    if (!this.#escaped) shape.learn(index, this.bytes, start - 1, this.#at, meaning, hash, same)
    return true
  }

  /** What a name means; −1 when this reader does not know. */
  #find(start: number, stop: number, own: NameTable | undefined): number {
    const column = own === undefined ? -1 : own.find(this.bytes, start, stop)
    if (column >= 0) return column
    if (own !== undefined && !this.#flat) return -1
    const param = this.#params.find(this.bytes, start, stop)
    if (param >= 0) return PARAM + param
    const { hash } = this.#params
    let slot = 0
    while (slot < this.#restCount && !this.#isName(slot, hash, start, stop)) slot++
    return slot === MAX_REST ? -1 : REST + slot
  }

  #noteRest(slot: number, start: number, stop: number, hash: number, same: number, flags: number): void {
    if (slot < this.#restCount) return
    this.#restCount = slot + 1
    this.#nameStart[slot] = start
    this.#nameStop[slot] = stop
    this.#nameHash[slot] = hash
    this.#sameAs[slot] = same
    this.#flags[slot] = flags
  }

  /** Takes the parameter of this meaning whose value was read last. */
  #param(meaning: number): void {
    if (meaning < REST) {
      this.starts[meaning - PARAM] = this.#start
      this.ends[meaning - PARAM] = this.#stop
      return
    }
    const slot = meaning - REST
    this.#valueStart[slot] = this.#start
    this.#valueStop[slot] = this.#stop
    this.#flags[slot] = ((this.#flags[slot] as number) & 1) | (this.#escaped ? 2 : 0)
  }

  #isName(slot: number, hash: number, start: number, stop: number): boolean {
    if (this.#nameHash[slot] !== hash) return false
    return this.#equal(this.#nameStart[slot] as number, this.#nameStop[slot] as number, start, stop)
  }

  #equal(aStart: number, aStop: number, bStart: number, bStop: number): boolean {
    if (aStop - aStart !== bStop - bStart) return false
    const { bytes } = this
    for (let a = aStart, b = bStart; a < aStop; a++, b++) if (bytes[a] !== bytes[b]) return false
    return true
  }

  /** A JSON text at `#at`. Escapes are undone in place: what they stand for is never longer. */
  #text(): boolean {
    const { bytes } = this
    const end = this.#end
    let at = this.#at
    if (bytes[at] !== QUOTE) return false
    const start = ++at
    while (at < end && STOPS[bytes[at] as number] === 0) at++
    if (at >= end) return false
    const byte = bytes[at]
    this.#start = start
    if (byte === QUOTE) {
      this.#stop = at
      this.#at = at + 1
      this.#escaped = false
      return true
    }
    if (byte !== BACKSLASH) return false
    this.#escaped = true
    if (bytes !== this.#unescaped) {
      if (this.#unescaped.length < end) this.#unescaped = Buffer.allocUnsafe(end * 2)
      this.#unescaped.set(bytes)
      this.bytes = this.#unescaped
    }
    return this.#escapedText(at)
  }

  /** The rest of a text whose first backslash is at `at`. */
  #escapedText(from: number): boolean {
    const { bytes } = this
    const end = this.#end
    let at = from
    let out = from
    while (at < end) {
      const byte = bytes[at++] as number
      if (byte === QUOTE) {
        this.#stop = out
        this.#at = at
        return true
      }
      if (byte !== BACKSLASH) {
        if (byte < 0x20) return false
        bytes[out++] = byte
        continue
      }
      const code = bytes[at++]
      if (code !== 0x75) {
        const plain = unescaped(code)
        if (plain < 0) return false
        bytes[out++] = plain
        continue
      }
      let point = hex4(bytes, at)
      if (point < 0) return false
      at += 4
      if (point >= 0xd800 && point <= 0xdfff) {
        const low = bytes[at] === BACKSLASH && bytes[at + 1] === 0x75 ? hex4(bytes, at + 2) : -1
        if (point <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
          point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
          at += 6
        } else point = 0xfffd
      }
      if (point < 0x80) bytes[out++] = point
      else if (point < 0x800) {
        bytes[out++] = 0xc0 | (point >> 6)
        bytes[out++] = 0x80 | (point & 0x3f)
      } else if (point < 0x10000) {
        bytes[out++] = 0xe0 | (point >> 12)
        bytes[out++] = 0x80 | ((point >> 6) & 0x3f)
        bytes[out++] = 0x80 | (point & 0x3f)
      } else {
        bytes[out++] = 0xf0 | (point >> 18)
        bytes[out++] = 0x80 | ((point >> 12) & 0x3f)
        bytes[out++] = 0x80 | ((point >> 6) & 0x3f)
        bytes[out++] = 0x80 | (point & 0x3f)
      }
    }
    return false
  }

  /** A whole number of at most 15 digits without sign. Its digits stand in `starts`, `ends` too. */
  #integer(column: number): boolean {
    const { bytes } = this
    const start = this.#at
    let at = start
    let value = 0
    for (;;) {
      const digit = (bytes[at] as number) - ZERO
      if (!(digit >= 0 && digit <= 9)) break
      value = value * 10 + digit
      at++
    }
    if (at === start || at - start > 15 || (bytes[start] === ZERO && at - start > 1)) return false
    this.numbers[column] = value
    this.starts[column] = start
    this.ends[column] = at
    this.#at = at
    return true
  }

  #day = 0
  #dayMs = 0

  /** `"2025-06-18T03:50:10.123Z"`, the only form `isoDate` of core writes. */
  #timestamp(column: number): boolean {
    if (!this.#text() || this.#stop - this.#start !== 24 || this.#escaped) return false
    const { bytes } = this
    const at = this.#start
    if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d || bytes[at + 10] !== 0x54 || bytes[at + 13] !== COLON)
      return false
    if (bytes[at + 16] !== COLON || bytes[at + 19] !== 0x2e || bytes[at + 23] !== 0x5a) return false
    const year = digits2(bytes, at) * 100 + digits2(bytes, at + 2)
    const month = digits2(bytes, at + 5)
    const dayOfMonth = digits2(bytes, at + 8)
    const hour = digits2(bytes, at + 11)
    const minute = digits2(bytes, at + 14)
    const second = digits2(bytes, at + 17)
    const ms = digits2(bytes, at + 20) * 10 + (bytes[at + 22] as number) - ZERO
    // What is no such time (a day 31 in June, an hour 24, a letter for a digit) is judged the general way.
    if (!(year >= 1970 && month >= 1 && month <= 12 && dayOfMonth >= 1 && dayOfMonth <= 28 + monthTail(year, month)))
      return false
    if (!(hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59)) return false
    if (!(ms >= 0 && ms <= 999 && isDigit(bytes[at + 22]))) return false
    const day = (year * 100 + month) * 100 + dayOfMonth
    if (day !== this.#day) {
      this.#day = day
      this.#dayMs = Date.UTC(year, month - 1, dayOfMonth)
    }
    this.numbers[column] = this.#dayMs + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms
    return true
  }

  #writeRest(): void {
    // At worst each byte becomes `\u00xx`.
    const room = 6 * this.#end + 16
    if (this.rest.length < room) this.rest = Buffer.allocUnsafe(room)
    const { rest } = this
    let out = 0
    for (let slot = 0; slot < this.#restCount; slot++) {
      const nameStart = this.#nameStart[slot] as number
      const nameStop = this.#nameStop[slot] as number
      const valueStart = this.#valueStart[slot] as number
      const valueStop = this.#valueStop[slot] as number
      const column = this.#sameAs[slot] as number
      if (column >= 0 && (this.starts[column] as number) >= 0) {
        if (this.#equal(this.starts[column] as number, this.ends[column] as number, valueStart, valueStop)) continue
      }
      const flags = this.#flags[slot] as number
      rest[out] = out === 0 ? OPEN_BRACE : COMMA
      out++
      out = appendQuoted(rest, out, this.bytes, nameStart, nameStop, (flags & 1) !== 0)
      rest[out++] = COLON
      out = appendQuoted(rest, out, this.bytes, valueStart, valueStop, (flags & 2) !== 0)
    }
    if (out > 0) rest[out++] = CLOSE_BRACE
    this.restLength = out
  }

  /** Columns of the table, in order. */
  get columns(): readonly ArchiveColumn[] {
    return this.#columns
  }
}

/** Days of a month beyond the 28th. */
function monthTail(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 1 : 0
  return month === 4 || month === 6 || month === 9 || month === 11 ? 2 : 3
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39
}

/** Two digits, or NaN. */
function digits2(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - ZERO
  const ones = (bytes[at + 1] as number) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** What `\x` stands for, or −1. */
function unescaped(letter: number | undefined): number {
  switch (letter) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return letter
    case 0x62:
      return 0x08
    case 0x66:
      return 0x0c
    case 0x6e:
      return 0x0a
    case 0x72:
      return 0x0d
    case 0x74:
      return 0x09
    default:
      return -1
  }
}

/** Four hex digits, or −1. */
function hex4(bytes: Uint8Array, at: number): number {
  let value = 0
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30
    else if (byte >= 0x61 && byte <= 0x66) value = value * 16 + byte - 0x57
    else if (byte >= 0x41 && byte <= 0x46) value = value * 16 + byte - 0x37
    else return -1
  }
  return value
}

const HEX = Buffer.from('0123456789abcdef')
/** The letter of the short escapes that `JSON.stringify` uses. */
const SHORT_ESCAPES: Readonly<Record<number, number>> = { 8: 0x62, 9: 0x74, 10: 0x6e, 12: 0x66, 13: 0x72 }

/** Appends a JSON text as `JSON.stringify` would write it; gives the place behind it. */
function appendQuoted(
  out: Buffer,
  from: number,
  bytes: Uint8Array,
  start: number,
  stop: number,
  mayNeedEscapes: boolean,
): number {
  let at = from
  out[at++] = QUOTE
  if (!mayNeedEscapes) for (let i = start; i < stop; i++) out[at++] = bytes[i] as number
  else {
    for (let i = start; i < stop; i++) {
      const byte = bytes[i] as number
      if (byte === QUOTE || byte === BACKSLASH) out[at++] = BACKSLASH
      if (byte >= 0x20) {
        out[at++] = byte
        continue
      }
      out[at++] = BACKSLASH
      const letter = SHORT_ESCAPES[byte]
      if (letter !== undefined) out[at++] = letter
      else {
        out[at++] = 0x75
        out[at++] = ZERO
        out[at++] = ZERO
        out[at++] = HEX[byte >> 4] as number
        out[at++] = HEX[byte & 15] as number
      }
    }
  }
  out[at++] = QUOTE
  return at
}
