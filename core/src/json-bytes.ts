import { appendIsoDate, ISO_DATE_LENGTH } from './iso-date.ts'
import { utf8Text } from './utf8.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * JSON on its way into UTF-8 bytes: `bytes[0 … length)`, an array that grows. Set `length` back to write anew.
 *
 * Records are written value by value, because the text of a whole record, joined of forty parts and then encoded, costs
 * twice as much: half of it in the garbage collector, and two bytes a character as soon as one value is not Latin-1.
 */
export class JsonBytes {
  bytes: Uint8Array
  length = 0

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Makes room for `more` bytes behind `length`. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  /** Appends characters of ASCII as they are: punctuation, names, digits. */
  ascii(text: string): void {
    const { length } = text
    this.reserve(length)
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i)
    this.length = at
  }

  /** Appends any text as a JSON string, quotes and escapes just as `JSON.stringify` has them. */
  text(text: string): void {
    const { length } = text
    // At worst each character becomes `\u00xx`.
    this.reserve(length * 6 + 2)
    const { bytes } = this
    let at = this.length
    bytes[at++] = QUOTE
    let i = 0
    while (i < length) {
      const code = text.charCodeAt(i)
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) break
      bytes[at++] = code
      i++
    }
    if (i < length) at = appendRest(bytes, at, text, i)
    bytes[at++] = QUOTE
    this.length = at
  }

  /** Appends bytes as they are. */
  copy(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from)
    const { bytes } = this
    let at = this.length
    // Most are short, and a loop beats the call into native code up to about this length.
    if (to - from > 96) bytes.set(source.subarray(from, to), at)
    else for (let i = from; i < to; i++) bytes[at++] = source[i] as number
    this.length += to - from
  }

  /** Appends a date in quotes, as `isoDate` writes it. */
  date(unixMs: number): void {
    this.reserve(ISO_DATE_LENGTH + 2)
    const { bytes } = this
    bytes[this.length] = QUOTE
    appendIsoDate(bytes, this.length + 1, unixMs)
    bytes[this.length + 1 + ISO_DATE_LENGTH] = QUOTE
    this.length += ISO_DATE_LENGTH + 2
  }

  /** What was written, as text. */
  toString(): string {
    return utf8Text(this.bytes, this.length)
  }
}

/** Characters from `from` on, in UTF-8 and escaped; gives the place behind them. */
function appendRest(bytes: Uint8Array, start: number, text: string, from: number): number {
  let at = start
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) {
      if (code >= 0x20 && code !== QUOTE && code !== BACKSLASH) bytes[at++] = code
      else at = appendEscaped(bytes, at, text.charAt(i))
    } else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6)
      bytes[at++] = 0x80 | (code & 0x3f)
    } else if (code < 0xd800 || code > 0xdfff) {
      bytes[at++] = 0xe0 | (code >> 12)
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f)
      bytes[at++] = 0x80 | (code & 0x3f)
    } else {
      const point = text.codePointAt(i) as number
      if (point < 0x10000) {
        at = appendEscaped(bytes, at, text.charAt(i))
        continue
      }
      i++
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  return at
}

/** What cannot stand in JSON as it is, a lone surrogate too: UTF-8 has no form for it. */
function appendEscaped(bytes: Uint8Array, start: number, character: string): number {
  const escaped = JSON.stringify(character)
  let at = start
  for (let i = 1; i < escaped.length - 1; i++) bytes[at++] = escaped.charCodeAt(i)
  return at
}
