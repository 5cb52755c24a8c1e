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

function isDigit(n: number): boolean {
  return n >= 0 && n <= 9
}
