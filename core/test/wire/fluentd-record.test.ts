import { type EventOrigin, eventsOf, type LogRecord, parseLogLine } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const ORIGIN: EventOrigin = { source: 'access-log-0', position: 7, ingestSiteId: 1 }
const LINE = '192.0.2.1 - - [22/Nov/2026:10:22:00 +0000] "GET /5?e_n=\\xEA\\xB3\\xA0 HTTP/1.1" 204 0 "-" "Mozilla/5.0"'
/** The record of @type nginx as out_kafka writes it. */
const NGINX = {
  remote: '192.0.2.1',
  host: '-',
  user: '-',
  method: 'GET',
  path: '/5?e_n=\\xEA\\xB3\\xA0&q=a%20b',
  code: '204',
  size: '0',
  referer: 'http://shop.example/\\x22',
  agent: 'Mozilla/5.0',
  http_x_forwarded_for: '-',
}

function record(value: unknown): LogRecord {
  const result = parseLogLine(Buffer.from(JSON.stringify(value)).toString('latin1'))
  if ('rejected' in result) throw new Error(result.rejected)
  return result
}

describe('a Fluentd record', () => {
  test('with the raw line as its message is that line', () => {
    expect(record({ message: LINE, path: '/var/log/nginx/access.log', host: 'web-1' })).toEqual(parseLogLine(LINE))
    // What @type nginx does not know, a TLS hello say, comes as it stands in the log.
    expect(record({ unmatched_line: LINE })).toEqual(parseLogLine(LINE))
  })

  test('of @type nginx has the same event as the line, its escapes undone', () => {
    const [event] = eventsOf(record({ ...NGINX, time: '22/Nov/2026:10:22:00 +0000' }), ORIGIN) as object[]
    expect(event).toEqual({
      eventId: 'p-access-log-0-7',
      scenarioId: 5,
      siteId: undefined,
      receivedAt: Date.UTC(2026, 10, 22, 10, 22),
      date: Date.UTC(2026, 10, 22, 10, 22),
      visitorId: undefined,
      memberId: undefined,
      ip: '192.0.2.1',
      userAgent: 'Mozilla/5.0',
      params: ['e_n', '고', 'q', 'a b'],
    })
    expect(record(NGINX)).toMatchObject({
      remoteUser: undefined,
      referer: 'http://shop.example/"',
      forwardedFor: undefined,
    })
  })

  test('without a time takes the time it came, and is bad_time when nobody knows that', () => {
    expect(record(NGINX).timeLocal).toBeNaN()
    expect(eventsOf(record(NGINX), { ...ORIGIN, arrivedAt: 1795342920123 })).toMatchObject([{ date: 1795342920123 }])
    expect(eventsOf(record(NGINX), ORIGIN)).toEqual({ rejected: 'bad_time' })
  })

  test("of the seeds' filter, path and date alone, is an event in Korean time", () => {
    const seeds = { path: '/5?e_c=buttonClick&memberId=123456', date: '2025-06-18T12:50:10' }
    expect(eventsOf(record(seeds), ORIGIN)).toMatchObject([
      { scenarioId: 5, memberId: '123456', date: Date.UTC(2025, 5, 18, 3, 50, 10), ip: '', userAgent: '' },
    ])
    const inUtc = parseLogLine(JSON.stringify(seeds), { zoneOffsetMinutes: 0 })
    expect(inUtc).toMatchObject({ timeLocal: Date.UTC(2025, 5, 18, 12, 50, 10) })
  })

  test('may give its time in any usual form', () => {
    const expected = Date.UTC(2025, 5, 18, 3, 50, 10)
    for (const time of [
      '18/Jun/2025:12:50:10 +0900',
      '2025-06-18T12:50:10+09:00',
      '2025-06-18T12:50:10+0900',
      '2025-06-18 03:50:10Z',
      '2025-06-18T03:50:10.250Z',
      '2025-06-17T22:20:10-05:30',
      expected / 1000,
      expected + 250,
      `${expected / 1000}`,
      expected / 1000 + 0.25,
    ])
      expect(record({ path: '/5', time }).timeLocal, String(time)).toBe(expected)
    expect(record({ path: '/5', time: '2025-06-18T03:50:10.250Z' }).msec).toBe(expected + 250)
    for (const time of [
      '',
      'yesterday',
      '2025-13-18T03:50:10Z',
      '2025-06-18',
      -1,
      1e20,
      true,
      {},
      '18/Jun/2025:25:50:10 +0900',
    ])
      expect(parseLogLine(JSON.stringify({ path: '/5', time })), String(time)).toEqual({ rejected: 'bad_time' })
  })

  test('of a garbage request line has no path and is no beacon', () => {
    const { path: _, ...rest } = NGINX
    expect(eventsOf(record({ ...rest, method: '\\x16\\x03\\x01', code: '400', time: 1795342920 }), ORIGIN)).toEqual({
      rejected: 'not_a_beacon',
    })
  })

  test('with UTF-8 that Fluentd passed through keeps its bytes', () => {
    expect(record({ path: '/5?e_n=고면', date: '2025-06-18T12:50:10' }).request).toBe(
      Buffer.from('GET /5?e_n=고면').toString('latin1'),
    )
  })

  test('that is none is a bad line', () => {
    for (const json of [
      '{',
      '{}',
      '{"a":1}',
      '{"message":5}',
      '{"message":"x"}',
      '{"path":5}',
      '{"path":"/5","code":"x"}',
      '{"path":"-"}',
    ])
      expect(parseLogLine(json), json).toEqual({ rejected: 'bad_line' })
    // A message is a line, never another record.
    expect(parseLogLine(JSON.stringify({ message: JSON.stringify({ message: LINE }) }))).toEqual({
      rejected: 'bad_line',
    })
  })

  test('never throws, whatever JSON comes', () => {
    const key = fc.constantFrom('path', 'date', 'time', 'code', 'method', 'message', 'remote', '__proto__', 'x')
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), value => {
        const result = parseLogLine(Buffer.from(JSON.stringify(value)).toString('latin1'))
        if (!('rejected' in result)) eventsOf(result, ORIGIN)
      }),
    )
  })
})
