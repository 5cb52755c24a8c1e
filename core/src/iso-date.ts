import { utf8Text } from './utf8.ts'

/*
 * Neighbouring records mostly fall into the same second, so the text of the last second is kept: a date then costs a
 * concatenation, where `Date.prototype.toISOString` costs several times that. The same for reading.
 */
let formattedSecond = Number.NaN
let formattedText = ''
let parsedText = ''
let parsedSecondMs = Number.NaN

const MILLIS = Array.from({ length: 1000 }, (_, ms) => `.${String(ms).padStart(3, '0')}Z`)

/** The end of the year 9999: later years have another form. */
const MAX_MS = 253_402_300_799_999

/**
 * Unix ms as ISO 8601 in UTC with milliseconds, always 24 characters: `2025-06-18T03:50:10.123Z`. A fraction of a
 * millisecond is cut off. What is no date of the years 1970–9999 gives the nearest one (NaN: 1970), so that a hostile
 * clock cannot make a record that nobody can read.
 */
export function isoDate(unixMs: number): string {
  const ms = unixMs >= 0 ? Math.min(Math.floor(unixMs), MAX_MS) : 0
  const second = Math.floor(ms / 1000)
  if (second !== formattedSecond) {
    formattedText = new Date(second * 1000).toISOString().slice(0, 19)
    formattedSecond = second
  }
  return formattedText + MILLIS[ms - second * 1000]
}

/** Characters of an `isoDate`. */
export const ISO_DATE_LENGTH = 24

let writtenSecond = Number.NaN
const written = new Uint8Array(ISO_DATE_LENGTH)

/** Writes what `isoDate` gives to `bytes` at `at`, in ASCII. There must be room. */
export function appendIsoDate(bytes: Uint8Array, at: number, unixMs: number): void {
  const ms = unixMs >= 0 ? Math.min(Math.floor(unixMs), MAX_MS) : 0
  const second = Math.floor(ms / 1000)
  if (second !== writtenSecond) {
    const text = isoDate(ms)
    for (let i = 0; i < ISO_DATE_LENGTH; i++) written[i] = text.charCodeAt(i)
    writtenSecond = second
  }
  const millis = ms - second * 1000
  const hundreds = (millis / 100) | 0
  const tens = ((millis - hundreds * 100) / 10) | 0
  written[20] = 0x30 + hundreds
  written[21] = 0x30 + tens
  written[22] = 0x30 + millis - hundreds * 100 - tens * 10
  for (let i = 0; i < ISO_DATE_LENGTH; i++) bytes[at + i] = written[i] as number
}

/** Unix ms of an ISO 8601 date; NaN when it is none. The form of `isoDate` is read quickest. */
export function parseIsoDate(text: string): number {
  if (text.length !== 24 || text.charCodeAt(19) !== 0x2e || text.charCodeAt(23) !== 0x5a) return Date.parse(text)
  const hundreds = text.charCodeAt(20) - 0x30
  const tens = text.charCodeAt(21) - 0x30
  const ones = text.charCodeAt(22) - 0x30
  if (!isDigit(hundreds) || !isDigit(tens) || !isDigit(ones)) return Number.NaN
  const second = text.slice(0, 19)
  if (second !== parsedText) {
    parsedSecondMs = Date.parse(`${second}Z`)
    parsedText = second
  }
  return parsedSecondMs + hundreds * 100 + tens * 10 + ones
}

const readPrefix = new Uint8Array(20)
let readSecondMs = Number.NaN

/** As `parseIsoDate`, of the `ISO_DATE_LENGTH` bytes at `at`. NaN for every other form than that of `isoDate`. */
export function parseIsoDateBytes(bytes: Uint8Array, at: number): number {
  const hundreds = (bytes[at + 20] as number) - 0x30
  const tens = (bytes[at + 21] as number) - 0x30
  const ones = (bytes[at + 22] as number) - 0x30
  if (bytes[at + 23] !== 0x5a || !isDigit(hundreds) || !isDigit(tens) || !isDigit(ones)) return Number.NaN
  let same = 0
  while (same < readPrefix.length && bytes[at + same] === readPrefix[same]) same++
  if (same < readPrefix.length) {
    const text = utf8Text(bytes.subarray(at, at + ISO_DATE_LENGTH), ISO_DATE_LENGTH)
    if (text.charCodeAt(19) !== 0x2e) return Number.NaN
    readSecondMs = parseIsoDate(`${text.slice(0, 19)}.000Z`)
    readPrefix.set(bytes.subarray(at, at + readPrefix.length))
  }
  return readSecondMs + hundreds * 100 + tens * 10 + ones
}

function isDigit(n: number): boolean {
  return n >= 0 && n <= 9
}
