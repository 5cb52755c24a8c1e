import { eventsOf, MAX_LINE_BYTES, parseLogLine } from '@headwater/core'
import { describe, expect, test } from 'vitest'

/*
 * Lines as long as the tailer hands them over, made so that any step that looks back, or copies what it has so far for
 * each piece, takes time with the square of the length: 10¹² steps, far beyond the time a test has.
 */
const HEAD = '192.0.2.1 - - [22/Nov/2026:10:22:00 +0000] "'
const TAIL = 'HTTP/1.1" 204 0 "-" "-" "-" 0123456789abcdef0123456789abcdef 1795342920.123 "'

function filled(before: string, piece: string, after: string): string {
  const room = MAX_LINE_BYTES - before.length - after.length
  return before + piece.repeat(Math.floor(room / piece.length)) + after
}

const inQuery = (piece: string) => filled(`${HEAD}GET /5?`, piece, ` ${TAIL}-"`)
const inBody = (path: string, open: string, piece: string, close: string) =>
  filled(`${HEAD}POST ${path} ${TAIL}${open}`, piece, `${close}"`)

const LINES: Record<string, string> = {
  quotes: filled('', '"', ''),
  'quotes and spaces': filled(HEAD, '" ', ''),
  'separators of address and user': filled('', ' - ', ''),
  'separators before a quote': filled('', ' - [', '] "'),
  brackets: filled('x - ', '[', ''),
  'spaces after the request': filled(`${HEAD}" `, ' ', ''),
  'digits of the status': filled(`${HEAD}" `, '9', ' 0 "-" "-"'),
  braces: filled('', '{', ''),
  'arrays in a Fluentd record': filled('{"path":', '[', ''),
  'fields of a Fluentd record': `${filled('{', '"a":1,', '"path":"/5"}')}`,
  'parameters without a value': inQuery('a&'),
  'empty parameters': inQuery('&'),
  'equals signs': inQuery('='),
  'percent signs': inQuery('%'),
  'percent-encoded bytes': inQuery('%EA'),
  'escaped bytes': inQuery('\\xEA'),
  'escapes cut short': inQuery('\\xE'),
  backslashes: inQuery('\\x'),
  'spaces in the target': inQuery(' '),
  'question marks': inQuery('?'),
  'one long value': `${filled(`${HEAD}GET /5?a=`, 'x', ` ${TAIL}-"`)}`,
  'an absolute form without a path': filled(`${HEAD}GET http://`, 'x', ` ${TAIL}-"`),
  'digits in the path': filled(`${HEAD}GET /`, '5', ` ${TAIL}-"`),
  'a long event id': filled(`${HEAD}GET /5?hw_id=`, '\\xEA\\xB3\\xA0', ` ${TAIL}-"`),
  'white space in a body': inBody('/5', '', '\\x0A', ''),
  'a body of brackets': inBody('/5', '{\\x22a\\x22:', '[', ''),
  'closed brackets in a body': inBody('/5', '{\\x22a\\x22:[', '[],', '0]}'),
  'keys in a body': inBody('/5', '{', '\\x22a\\x22:1,', '\\x22b\\x22:1}'),
  'items of a bulk': inBody('/5', '{\\x22requests\\x22:[', '\\x22\\x22,', '0]}'),
  'a form in a body': inBody('/5', '', 'a=+&', ''),
  'an origin in the referer': filled(
    `${HEAD}POST /ingest HTTP/1.1" 204 0 "https://`,
    'x',
    '" "-" "-" - 1795342920.123 "{\\x22path\\x22:\\x22/\\x22}"',
  ),
}

describe('a line of 1 MiB', () => {
  for (const [what, line] of Object.entries(LINES))
    test(`full of ${what} takes no more than linear time and throws nothing`, () => {
      expect(line.length).toBeLessThanOrEqual(MAX_LINE_BYTES)
      expect(line.length).toBeGreaterThan(MAX_LINE_BYTES - 64)
      const record = parseLogLine(line)
      if (!('rejected' in record)) eventsOf(record, { source: 's', position: 0, ingestSiteId: 1 })
    })
})
