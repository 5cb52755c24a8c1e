import type { ByteString } from '@headwater/core'

const HOUR_MS = 3_600_000
/** A line's field names, numbers, reason and source: 150–250 bytes. */
const LINE_BYTES = 256

/**
 * At least what a dead letter takes in its file: every byte of `raw` as JSON escapes it (`"` and `\` two, control
 * characters six), or all of it as base64, whichever is more.
 */
export function deadLetterBytes(raw: ByteString): number {
  let text = 0
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    text += code < 0x20 ? 6 : code === 0x22 || code === 0x5c ? 2 : 1
  }
  return LINE_BYTES + Math.max(text, Math.ceil(raw.length / 3) * 4)
}

/**
 * How many dead letters are kept: at most `maxBytesPerHour` in each UTC hour, so that somebody who sends nonsense cannot
 * fill the disk. It spends by the arrival times it is told and knows no clock. A restart begins with a whole budget.
 */
export class DeadLetterBudget {
  readonly #maxBytesPerHour: number
  #hour = Number.NEGATIVE_INFINITY
  #spent = 0

  constructor(maxBytesPerHour: number) {
    this.#maxBytesPerHour = maxBytesPerHour
  }

  /**
   * Whether a letter of `bytes` (see `deadLetterBytes`) that came at `at` (Unix ms) may be kept; when so, they are spent.
   * A time in an earlier hour spends from the present one.
   */
  take(bytes: number, at: number): boolean {
    const hour = Math.floor(at / HOUR_MS)
    if (hour > this.#hour) {
      this.#hour = hour
      this.#spent = 0
    }
    if (this.#spent + bytes > this.#maxBytesPerHour) return false
    this.#spent += bytes
    return true
  }
}
