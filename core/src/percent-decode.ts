import { type ByteString, HEX_VALUE } from './byte-string.ts'
import { utf8Text } from './utf8.ts'

const PERCENT = 0x25
const PLUS = 0x2b
const SPACE = 0x20

/** Decoded bytes on their way into text. */
let scratch = new Uint8Array(1024)

/**
 * The text of `bytes` from `from` to `to`: percent-decoded, then read as UTF-8. A `%` without two hexadecimal digits
 * stays, bad UTF-8 becomes U+FFFD. `form`: `+` is a space. Decodes no more than about `maxBytes` bytes of the result.
 *
 * `decodeURIComponent` is about as fast, but takes some microseconds to throw at bad input, which costs the sender nothing.
 */
export function percentDecode(bytes: ByteString, from: number, to: number, form: boolean, maxBytes: number): string {
  const capacity = Math.min(to - from, maxBytes)
  if (scratch.length < capacity) scratch = new Uint8Array(capacity)
  let n = 0
  let seen = 0
  for (let i = from; i < to && n < capacity; i++) {
    let code = bytes.charCodeAt(i)
    if (code === PERCENT) {
      if (i + 2 < to) {
        const high = HEX_VALUE[bytes.charCodeAt(i + 1)] ?? -1
        const low = HEX_VALUE[bytes.charCodeAt(i + 2)] ?? -1
        if ((high | low) >= 0) {
          code = (high << 4) | low
          i += 2
        }
      }
    } else if (code === PLUS && form) code = SPACE
    seen |= code
    scratch[n++] = code
  }
  if (seen >= 0x80 || n > 1024) return utf8Text(scratch, n)
  return String.fromCharCode.apply(null, scratch.subarray(0, n) as unknown as number[])
}
