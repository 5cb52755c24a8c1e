import type { LogFormat, LogRecord } from '@headwater/core'
import fc from 'fast-check'

/** Any bytes, with a leaning to those that mean something in a log line. */
export function bytes(maxLength = 40): fc.Arbitrary<string> {
  const telling = fc.constantFrom(
    '"',
    '\\',
    '\\x',
    '\\x4',
    '[',
    ']',
    '] "',
    ' ',
    ' - ',
    '-',
    '%',
    '%e',
    '=',
    '&',
    '?',
    '\n',
    '\0',
  )
  const any = fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code))
  return fc.array(fc.oneof(telling, any), { maxLength }).map(parts => parts.join(''))
}

/** Text of any Unicode characters (no lone surrogates). */
export function text(maxLength = 20): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary', maxLength })
}

/** Parameters as flat name, value pairs. */
export function params(maxPairs = 12): fc.Arbitrary<string[]> {
  return fc.array(fc.tuple(text(8), text()), { maxLength: maxPairs }).map(pairs => pairs.flat())
}

/** A variable as NGINX knows it: missing, or any bytes. `-` itself is printed as a missing one, so it is left out. */
function variable(): fc.Arbitrary<string | undefined> {
  return fc.option(bytes(), { nil: undefined }).map(value => (value === '-' ? undefined : value))
}

const LAST_SECOND_OF_9999 = 253_402_300_799

/** A record with all that the format can hold. */
export function logRecord(format: LogFormat): fc.Arbitrary<LogRecord> {
  const absent = fc.constant(undefined)
  const full = format === 'headwater'
  return fc.record({
    // An address never has a space (` - ` ends it) and never begins with the brace of a Fluentd record.
    remoteAddr: bytes().map(value => value.replaceAll(' ', '_').replace(/^\{/, '_')),
    remoteUser: variable(),
    timeLocal: fc.integer({ min: 0, max: LAST_SECOND_OF_9999 }).map(seconds => seconds * 1000),
    request: bytes(),
    status: fc.integer({ min: 0, max: 999 }),
    bodyBytesSent: fc.integer({ min: 0, max: 1e12 }),
    referer: variable(),
    userAgent: variable(),
    forwardedFor: format === 'combined' ? absent : variable(),
    requestId: full ? fc.option(fc.stringMatching(/^[0-9a-f]{32}$/), { nil: undefined }) : absent,
    msec: full ? fc.option(fc.integer({ min: 0, max: LAST_SECOND_OF_9999 * 1000 }), { nil: undefined }) : absent,
    requestBody: full ? variable() : absent,
  })
}
