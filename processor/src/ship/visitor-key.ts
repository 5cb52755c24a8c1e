import type { ByteString } from '@headwater/core'

const VISITOR_DIGITS = 16
const MAX_ADDRESS_BYTES = 64
const AMPERSAND = 0x26
const QUESTION_MARK = 0x3f

/**
 * The key of an access-log line in Kafka: the first `_id=` with 16 hexadecimal digits in the request, else the client's
 * address, the first word of at most 64 bytes. So all repeats of an event meet in one partition, and a visitor's events
 * stay in their order. `fluentd/fluent.conf` has the same rule as a pattern, and a test holds both against each other:
 *
 *     \A([^ ]{0,64})(?:[^"]*"[^"]*?[?&]_id=([0-9a-f]{16}))?
 */
export function visitorKey(line: ByteString): ByteString {
  const space = line.indexOf(' ')
  const wordEnd = Math.min(space < 0 ? line.length : space, MAX_ADDRESS_BYTES)
  const open = line.indexOf('"', wordEnd)
  if (open >= 0) {
    const close = line.indexOf('"', open + 1)
    const end = close < 0 ? line.length : close
    for (let at = line.indexOf('_id=', open + 1); at >= 0; at = line.indexOf('_id=', at + 4)) {
      const value = at + 4
      if (value + VISITOR_DIGITS > end) break
      const before = line.charCodeAt(at - 1)
      if ((before === AMPERSAND || before === QUESTION_MARK) && isVisitor(line, value))
        return line.slice(value, value + VISITOR_DIGITS)
    }
  }
  return line.slice(0, wordEnd)
}

function isVisitor(line: ByteString, from: number): boolean {
  for (let i = from; i < from + VISITOR_DIGITS; i++) {
    const code = line.charCodeAt(i)
    const isDigit = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)
    if (!isDigit) return false
  }
  return true
}
