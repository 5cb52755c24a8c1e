import { isAscii } from 'node:buffer'
import {
  appendEvent,
  appendOutcome,
  createScenarioSet,
  type Event,
  eventsOf,
  formatLogLine,
  formatQuery,
  JsonBytes,
  judge,
  type LogFormat,
  type LogRecord,
  PlainLines,
  parseLogLine,
  parseScenario,
  type Rejection,
} from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytes, logRecord, params } from './arbitrary-bytes.ts'

const SOURCE = 'access-log'

/** What both ways must agree on: every value of the event, its record, and what a scenario that keeps all makes of it. */
function seen(event: Event): object {
  const { eventId, scenarioId, siteId, receivedAt, date, visitorId, memberId, ip, userAgent } = event
  // The outcomes first: they ask for single values, before `params` has made all of them.
  const outcomes = judge(event, undefined, SCENARIOS).map(outcome => {
    const record = new JsonBytes(1)
    appendOutcome(record, outcome)
    const { scenarioVersion, judgingVersion, success, fields } = outcome
    return { scenarioVersion, judgingVersion, success, fields, record: record.toString() }
  })
  const out = new JsonBytes(1)
  appendEvent(out, event)
  const own = { eventId, scenarioId, siteId, receivedAt, date, visitorId, memberId, ip, userAgent }
  return { ...own, outcomes, record: out.toString(), params: [...event.params] }
}

const SCENARIOS = [
  { '*': 1 },
  { e_n: 1, memberId: 1, h: 1, url: 1, host: 1, path: 1, 'query.a': 1, browser: 1 },
].flatMap((log_format, i) => {
  const parsed = parseScenario({
    scenario_id: i + 1,
    title: 'all',
    manager: 'test',
    log_format,
    filters: [{ left: 'e_c', operator: 'contains', right: 'a' }],
    logical_operator: 'AND',
  })
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  return createScenarioSet([parsed.scenario], { memberColumns: new Set(['age']), timezone: 'Asia/Seoul' }).scenarios
})

/** Reads all lines as one batch, each by its bytes where that is possible. */
function readPlain(lines: readonly string[]): (Event | undefined)[] {
  const space = Buffer.from(lines.join(''), 'latin1')
  const plain = new PlainLines({ source: SOURCE })
  plain.begin(space, isAscii(space))
  let at = 0
  return lines.map((line, i) => {
    const event = plain.read(line, at, i)
    at += line.length
    return event
  })
}

function general(line: string, position: number): (Event | Rejection)[] {
  const record = parseLogLine(line)
  if ('rejected' in record) return [record]
  const events = eventsOf(record, { source: SOURCE, position, ingestSiteId: 1 })
  return 'rejected' in events ? [events] : events
}

/** Whether each line that was read by its bytes is what it is as text; gives how many were. */
function compare(lines: readonly string[]): number {
  const events = readPlain(lines)
  let plain = 0
  events.forEach((event, i) => {
    if (event === undefined) return
    plain++
    const [only, ...more] = general(lines[i] as string, i)
    expect(more).toEqual([])
    expect(only).not.toHaveProperty('rejected')
    expect(seen(event)).toEqual(seen(only as Event))
  })
  return plain
}

const NAMES = ['e_c', 'e_n', 'idsite', '_id', 'memberId', 'uid', 'hw_id', 'cdo', 'h', 'url', 'query', '']
const VALUES = [
  ...['', '0', '1', '23', '1.5', '0123456789abcdef', '0123456789ABCDEF', 'p-access-log-7', 'x'.repeat(70)],
  ...[
    'a%20b',
    '%',
    '%zz',
    '%EA%B3%A0',
    '%EA%B3',
    '%22',
    '%5C',
    '%00',
    '%0a',
    'http%3A%2F%2Fshop.example%2Fa%3Fa%3D1',
    'a=b',
  ],
]

/** A query of the names and values that mean something, and of ordinary ones; now and then of any bytes, or of any text. */
function query(): fc.Arbitrary<string> {
  const ordinary = fc.stringMatching(/^[!#-%'-<>-Z\]-~]{1,15}$/)
  const name = fc.oneof(
    { arbitrary: fc.constantFrom(...NAMES), weight: 20 },
    { arbitrary: ordinary, weight: 20 },
    fc.constantFrom('hw_body', 'a%62'),
  )
  const value = fc.oneof(fc.constantFrom(...VALUES), ordinary)
  return fc.oneof(
    { arbitrary: queryOf(name, value), weight: 6 },
    queryOf(bytes(3), bytes(3)),
    params(6).map(formatQuery),
  )
}

function queryOf(name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const part = fc.tuple(name, fc.option(value)).map(([n, v]) => (v === null ? n : `${n}=${v}`))
  return fc.array(part, { maxLength: 8 }).map(parts => parts.join('&'))
}

/** What else stands in the line of a browser. */
const ORDINARY = {
  remoteAddr: '192.0.2.1',
  remoteUser: undefined,
  referer: 'http://shop.example/',
  userAgent: 'Mozilla/5.0 (X11)',
  forwardedFor: undefined,
  requestBody: undefined,
}

/** One of `common`, and now and then one of `rare`. */
function mostly<T>(common: readonly T[], rare: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constantFrom(...common), weight: 15 }, fc.constantFrom(...rare))
}

/** The line of a request that is a beacon nearly always. */
function beaconLine(): fc.Arbitrary<string> {
  const request = fc
    .tuple(
      mostly(['GET', 'POST'], ['HEAD', 'get', '']),
      mostly(['/5', '/123456', '/matomo.php', '/piwik.php'], ['/ingest', '/5/', '//5', '', 'http://shop.example/5']),
      fc.option(query(), { freq: 15 }),
      mostly([' HTTP/1.1', ' HTTP/2.0'], ['', ' HTTP/2', ' HTTP/1.1 HTTP/1.1', 'HTTP/1.1']),
    )
    .map(([method, path, asked, version]) => `${method} ${path}${asked === null ? '' : `?${asked}`}${version}`)
  const status = mostly([200, 204, 304, 499], [404, 500])
  return fc
    .constantFrom<LogFormat>('combined', 'combined_xff', 'headwater')
    .chain(format =>
      fc
        .tuple(logRecord(format), request, status, mostly<Partial<LogRecord>>([ORDINARY], [{}]))
        .map(([record, asked, code, others]) =>
          formatLogLine({ ...record, request: asked, status: code, ...others }, format),
        ),
    )
}

describe('PlainLines', () => {
  it('reads what it reads as parseLogLine and eventsOf do, and writes the same record', () => {
    let plain = 0
    fc.assert(
      fc.property(fc.array(beaconLine(), { maxLength: 10 }), lines => {
        plain += compare(lines)
      }),
      { numRuns: 100 },
    )
    expect(plain).toBeGreaterThan(20)
  })

  it('makes nothing else of any line, whole, cut or changed in a byte', () => {
    const changed = fc
      .tuple(beaconLine(), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())
      .map(([line, place, byte, isCut]) => {
        const at = place % (line.length + 1)
        return isCut ? line.slice(0, at) : line.slice(0, at) + String.fromCharCode(byte) + line.slice(at + 1)
      })
    fc.assert(
      fc.property(fc.array(fc.oneof(changed, bytes()), { maxLength: 8 }), lines => {
        compare(lines)
      }),
      { numRuns: 200 },
    )
  })

  it('reads the gateway’s lines', () => {
    const id = 'e'.repeat(32)
    const tail = `HTTP/1.1" 204 0 "http://shop.example/" "Mozilla/5.0" "-" ${id} 1763806920.123 "-"`
    const line = `192.0.2.1 - - [22/Nov/2025:10:22:00 +0000] "GET /5?e_c=a&e_n=%EA%B3%A0&h=3 ${tail}`
    const [event, again] = readPlain([line, line])
    expect(seen(event as Event)).toEqual(seen(general(line, 0)[0] as Event))
    expect(again?.eventId).toBe(`${id}-0`)
  })

  it('takes a nameless parameter for no other, whatever stood in its place in the line before', () => {
    const line = (query: string) =>
      `192.0.2.1 - - [22/Nov/2025:10:22:00 +0000] "GET /5?${query} HTTP/1.1" 204 0 "-" "Mozilla/5.0"`
    expect(compare([line('hw_id=a&e_c=b'), line('hw_id=c&=d&=e&hw_seq=1'), line('=f&hw_id=g&=h'), line('=i')])).toBe(4)
  })

  it('leaves what lies behind the bytes to the general way', () => {
    const line = '192.0.2.1 - - [22/Nov/2025:10:22:00 +0000] "GET /5?e_c=a HTTP/1.1" 204 0 "-" "-"'
    const plain = new PlainLines({ source: SOURCE })
    plain.begin(Buffer.from(line.slice(0, -1), 'latin1'), true)
    expect(plain.read(line, 0, 0)).toBeUndefined()
  })

  it('has at most 200 parameters', () => {
    const line = (count: number) => {
      const query = Array.from({ length: count }, (_, i) => `p${i}=${i}`).join('&')
      return `192.0.2.1 - - [22/Nov/2025:10:22:00 +0000] "GET /5?${query} HTTP/1.1" 204 0 "-" "-"`
    }
    const [fits, isOver] = readPlain([line(200), line(201)])
    expect(fits?.params).toHaveLength(400)
    expect(isOver).toBeUndefined()
  })
})
