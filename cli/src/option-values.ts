import { CommanderError } from 'commander'

// What people write behind options, checked. Each throws a CommanderError that says what was expected and found.

/** `2026-11-20` (UTC), or a time with a zone: `2026-11-20T08:00:00+09:00`. As Unix ms; a day as an end is meant whole. */
export function timeOption(name: string, end: boolean): (text: string) => number {
  return text => {
    const day = /^\d{4}-\d{2}-\d{2}$/.test(text)
    const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
    const at = day || zoned ? Date.parse(text) : Number.NaN
    // 2026-02-30 is no day, though Date takes it for the 2nd of March.
    if (Number.isNaN(at) || (day && new Date(at).toISOString().slice(0, 10) !== text))
      throw invalid(
        `${name} must be a day (2026-11-20, UTC) or a time with its zone (2026-11-20T08:00:00Z). Found: ${text}.`,
      )
    return day && end ? at + 86_400_000 : at
  }
}

/** A whole number of at least `min`. */
export function wholeNumberOption(name: string, min: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
      throw invalid(`${name} must be a whole number of at least ${min}. Found: ${text}.`)
    return value
  }
}

/** Seconds, also parts of one: `60`, `0.5`. */
export function secondsOption(name: string): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || value === 0)
      throw invalid(`${name} must be a number of seconds above 0. Found: ${text}.`)
    return value
  }
}

/** `90s`, `10m`, `2h`, `7d`, in ms. */
export function durationOption(name: string): (text: string) => number {
  return text => {
    const [, digits, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(s|m|h|d)$/.exec(text) ?? []
    const ms = Number(digits) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
    if (!(ms > 0)) throw invalid(`${name} must be a time such as 90s, 10m, 2h or 7d. Found: ${text}.`)
    return Math.round(ms)
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function invalid(message: string): CommanderError {
  return new CommanderError(1, 'option', `error: ${message}`)
}
