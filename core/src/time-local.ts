const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Characters of `$time_local`: `22/Nov/2026:10:22:00 +0000`. */
export const TIME_LOCAL_LENGTH = 26

// Neighbouring lines mostly fall into the same second: the last text and its meaning are kept.
let parsedText = ''
let parsedMs = Number.NaN
let formattedMs = Number.NaN
let formattedText = ''

/** NGINX's `$time_local` (`dd/Mmm/yyyy:HH:mm:ss ±HHMM`) at `at` of `line` as Unix ms, or NaN when it is none. */
export function parseTimeLocal(line: string, at: number): number {
  if (parsedText !== '' && line.startsWith(parsedText, at)) return parsedMs
  const text = line.slice(at, at + TIME_LOCAL_LENGTH)
  const ms = timeLocalMs(text)
  if (!Number.isNaN(ms)) {
    parsedText = text
    parsedMs = ms
  }
  return ms
}

/** Unix ms (a fraction of a second is cut off) as NGINX's `$time_local` on a server whose zone is UTC. */
export function formatTimeLocal(unixMs: number): string {
  const second = Math.floor(unixMs / 1000) * 1000
  if (second === formattedMs) return formattedText
  const date = new Date(second)
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${String(date.getUTCFullYear()).padStart(4, '0')}`
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  formattedText = `${day}:${clock} +0000`
  formattedMs = second
  return formattedText
}

function timeLocalMs(text: string): number {
  if (text.length !== TIME_LOCAL_LENGTH) return Number.NaN
  if (
    text[2] !== '/' ||
    text[6] !== '/' ||
    text[11] !== ':' ||
    text[14] !== ':' ||
    text[17] !== ':' ||
    text[20] !== ' '
  )
    return Number.NaN
  const month = MONTHS.indexOf(text.slice(3, 6))
  const sign = text[21] === '+' ? 1 : text[21] === '-' ? -1 : 0
  const day = digits(text, 0, 2)
  const year = digits(text, 7, 4)
  const hour = digits(text, 12, 2)
  const minute = digits(text, 15, 2)
  const second = digits(text, 18, 2)
  const zoneHour = digits(text, 22, 2)
  const zoneMinute = digits(text, 24, 2)
  // The comparisons are written so that NaN fails them. Second 60 is a leap second.
  if (month < 0 || sign === 0 || !(year >= 1970)) return Number.NaN
  if (!(hour <= 23 && minute <= 59 && second <= 60 && zoneHour <= 23 && zoneMinute <= 59)) return Number.NaN
  const daysInMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  if (!(day >= 1 && day <= daysInMonth)) return Number.NaN
  return Date.UTC(year, month, day, hour, minute, second) - sign * (zoneHour * 60 + zoneMinute) * 60_000
}

/** The number that `count` digits at `at` mean; NaN when they are not all digits. */
function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`
}
