import { type Event, type EventOrigin, eventsOf, getParam, type LogRecord, type Rejection } from '@headwater/core'
import { describe, expect, test } from 'vitest'

const ORIGIN: EventOrigin = { source: 'access', position: 4711, ingestSiteId: 1 }
const REQUEST_ID = '0123456789abcdef0123456789abcdef'

function record(fields: Partial<LogRecord>): LogRecord {
  return {
    remoteAddr: '192.0.2.1',
    remoteUser: undefined,
    timeLocal: 1795342920000,
    request: 'GET /5 HTTP/1.1',
    status: 204,
    bodyBytesSent: 0,
    referer: undefined,
    userAgent: 'Mozilla/5.0 \xea\xb3\xa0',
    forwardedFor: undefined,
    requestId: undefined,
    msec: undefined,
    requestBody: undefined,
    ...fields,
  }
}

function get(query: string, fields: Partial<LogRecord> = {}): Event {
  const events = eventsOf(record({ request: `GET /5?${query} HTTP/1.1`, ...fields }), ORIGIN)
  if ('rejected' in events) throw new Error(events.rejected)
  expect(events).toHaveLength(1)
  return events[0] as Event
}

function outcome(fields: Partial<LogRecord>): string {
  const events = eventsOf(record(fields), ORIGIN)
  return 'rejected' in events ? events.rejected : events.map(e => ('rejected' in e ? e.rejected : 'event')).join()
}

describe('eventsOf', () => {
  test("reads the seeds' example", () => {
    expect(
      get('e_c=buttonClick&e_a=Clicked&e_n=%EA%B3%A0%EB%A9%B4%ED%95%A0%EB%8B%B9%ED%95%98%EA%B8%B0&memberId=123456'),
    ).toEqual({
      eventId: 'p-access-4711',
      scenarioId: 5,
      siteId: undefined,
      receivedAt: 1795342920000,
      date: 1795342920000,
      visitorId: undefined,
      memberId: '123456',
      ip: '192.0.2.1',
      userAgent: 'Mozilla/5.0 고',
      params: ['e_c', 'buttonClick', 'e_a', 'Clicked', 'e_n', '고면할당하기', 'memberId', '123456'],
    })
  })

  test('counts answers of 2xx and 304, and clients gone before the answer', () => {
    for (const status of [200, 204, 299, 304, 499]) expect(outcome({ status }), String(status)).toBe('event')
    for (const status of [0, 9, 199, 301, 302, 400, 404, 408, 413, 429, 500, 503])
      expect(outcome({ status }), String(status)).toBe('not_a_beacon')
  })

  test('counts GET and POST on beacon paths only', () => {
    for (const request of [
      'GET /5 HTTP/1.1',
      'POST /5 HTTP/2.0',
      'GET /5?a=b HTTP/1.0',
      'GET http://h.example/5?a=b HTTP/1.1',
      'GET /5?a=b c HTTP/1.1',
      'GET /5',
      'GET /matomo.php?idsite=1 HTTP/1.1',
      'POST /piwik.php?idsite=1 HTTP/1.1',
      'POST /ingest?e_c=click HTTP/1.1',
    ])
      expect(outcome({ request }), request).toBe('event')
    for (const request of [
      '',
      ' ',
      'GET',
      'GET ',
      'GET  /5 HTTP/1.1',
      'HEAD /5 HTTP/1.1',
      'OPTIONS /5 HTTP/1.1',
      'get /5 HTTP/1.1',
      'GET / HTTP/1.1',
      'GET /headwater.js HTTP/1.1',
      'GET /ingest?e_c=click HTTP/1.1',
      'GET h.example/5 HTTP/1.1',
      'GET http://h.example HTTP/1.1',
      'GET * HTTP/1.1',
      '\x16\x03\x01',
    ])
      expect(outcome({ request }), request).toBe('not_a_beacon')
  })

  test('takes $msec before $time_local, and cdo off the date alone', () => {
    expect(get('cdo=3', { msec: 1795342920123 })).toMatchObject({ receivedAt: 1795342920123, date: 1795342917123 })
    expect(get('cdo=0.5')).toMatchObject({ receivedAt: 1795342920000, date: 1795342919500 })
    expect(get('cdo=86400').date).toBe(1795342920000 - 86_400_000)
    for (const cdo of ['', '-1', '86401', '1e3', 'x', ' 1', '1.', '.5', '1.2.3', '0x10', '9'.repeat(400)])
      expect(get(`cdo=${cdo}`).date, cdo).toBe(1795342920000)
  })

  test('names an event by hw_id, else by the request, else by the place of its line', () => {
    expect(get('hw_id=AAECAwQFBgcICQoLDA0ODw', { requestId: REQUEST_ID }).eventId).toBe('AAECAwQFBgcICQoLDA0ODw')
    expect(get('hw_id=', { requestId: REQUEST_ID }).eventId).toBe(`${REQUEST_ID}-0`)
    expect(get('').eventId).toBe('p-access-4711')
    const bulk = record({ request: 'POST /5 HTTP/1.1', requestBody: '{"requests":["?a=1","?a=2&hw_id=x","?a=3"]}' })
    const ids = (fields: Partial<LogRecord>) =>
      (eventsOf({ ...bulk, ...fields }, ORIGIN) as Event[]).map(event => event.eventId)
    expect(ids({ requestId: REQUEST_ID })).toEqual([`${REQUEST_ID}-0`, 'x', `${REQUEST_ID}-2`])
    expect(ids({})).toEqual(['p-access-4711', 'x', 'p-access-4711-2'])
  })

  test('hashes an id that is too long, or that takes the place of a line to come', () => {
    expect(get(`hw_id=${'x'.repeat(64)}`).eventId).toBe('x'.repeat(64))
    const long = get(`hw_id=${'x'.repeat(65)}`).eventId
    expect(long).toMatch(/^h-[0-9a-f]{32}$/)
    expect(get(`hw_id=${'x'.repeat(66)}`).eventId).not.toBe(long)
    expect(get(`hw_id=${'%EA%B3%A0'.repeat(22)}`).eventId).toMatch(/^h-[0-9a-f]{32}$/)
    expect(get('hw_id=p-access-4712').eventId).toMatch(/^h-[0-9a-f]{32}$/)
    expect(get('hw_id=p-other-4712').eventId).toBe('p-other-4712')
  })

  test('takes the member from memberId, else from uid, and the last of a repeated name', () => {
    expect(get('memberId=1&uid=2').memberId).toBe('1')
    expect(get('memberId=&uid=2').memberId).toBe('2')
    expect(get('uid=2').memberId).toBe('2')
    expect(get('memberId=1&memberId=3').memberId).toBe('3')
    expect(get('memberId=&uid=').memberId).toBeUndefined()
  })

  test('takes 16 hex digits for a visitor and nothing else', () => {
    expect(get('_id=0123456789abcdef').visitorId).toBe('0123456789abcdef')
    expect(get('_id=0123456789ABCDEF').visitorId).toBe('0123456789abcdef')
    for (const id of ['', '0123456789abcde', '0123456789abcdef0', '0123456789abcdeg', '가'.repeat(16)])
      expect(get(`_id=${encodeURIComponent(id)}`).visitorId, id).toBeUndefined()
  })

  test('needs a scenario or a site', () => {
    expect(get('idsite=7')).toMatchObject({ scenarioId: 5, siteId: 7 })
    expect(eventsOf(record({ request: 'GET /matomo.php?idsite=7 HTTP/1.1' }), ORIGIN)).toMatchObject([
      { scenarioId: undefined, siteId: 7 },
    ])
    for (const idsite of ['', 'x', '-1', '1.5', '9999999999', '%201'])
      expect(outcome({ request: `GET /matomo.php?idsite=${idsite} HTTP/1.1` }), idsite).toBe('no_target')
    expect(outcome({ request: 'GET /matomo.php HTTP/1.1' })).toBe('no_target')
    expect(outcome({ request: 'POST /matomo.php HTTP/1.1', requestBody: '{"requests":["?a=1","?idsite=7",5]}' })).toBe(
      'no_target,event,bad_body',
    )
  })

  test('gives /ingest the configured site unless idsite names one', () => {
    const ingest = (query: string) =>
      eventsOf(
        record({
          request: `POST /ingest${query} HTTP/1.1`,
          requestBody: '{"path":"/a"}',
          referer: 'https://blog.example/a',
        }),
        { ...ORIGIN, ingestSiteId: 9 },
      ) as Event[]
    expect(ingest('')).toMatchObject([{ siteId: 9, scenarioId: undefined }])
    expect(ingest('?idsite=3')).toMatchObject([{ siteId: 3 }])
    expect(getParam((ingest('')[0] as Event).params, 'url')).toBe('https://blog.example/a')
  })

  test('says why a body gave nothing', () => {
    const post = (path: string, requestBody: string | undefined) =>
      outcome({ request: `POST ${path} HTTP/1.1`, requestBody })
    expect(post('/5', 'hello')).toBe('bad_body')
    expect(post('/5', `{"requests":[${'"?a=b",'.repeat(500)}"?a=b"]}`)).toBe('bad_body')
    expect(post('/ingest', 'hello')).toBe('not_json')
    expect(post('/ingest', undefined)).toBe('not_json')
    expect(post('/5?hw_body=hello', undefined)).toBe('bad_body')
    expect(post('/ingest?hw_body=hello', undefined)).toBe('not_json')
    expect(outcome({ request: 'GET /5 HTTP/1.1', requestBody: 'hello' })).toBe('event')
  })

  test('rejects nothing for what a page says', () => {
    const odd: (Event | Rejection)[] = []
    for (const query of ['%', '=', '&', 'a', '%00=%00', '\xff\xfe', 'hw_cut=1', 'hw_ts=x', 'e_v=NaN', '__proto__=x'])
      odd.push(get(query))
    expect(odd).toHaveLength(10)
  })
})
