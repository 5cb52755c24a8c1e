import {
  type BeaconTarget,
  beaconParams,
  beaconTarget,
  decodeUtf8,
  encodeUtf8,
  MAX_BULK_EVENTS,
  MAX_PARAMS,
  pageOrigin,
  queryWithBadBody,
} from '@headwater/core'
import { describe, expect, test } from 'vitest'

const FIVE: BeaconTarget = { kind: 'scenario', scenarioId: 5 }
const MATOMO: BeaconTarget = { kind: 'matomo' }
const INGEST: BeaconTarget = { kind: 'ingest' }

function eventsOfBody(target: BeaconTarget, body: string, query = '', page?: string): string[][] {
  const beacon = beaconParams(target, query, encodeUtf8(body), page)
  if ('rejected' in beacon) throw new Error(beacon.rejected)
  expect(beacon.invalid).toBe(beacon.invalidItems.length)
  return beacon.events
}

describe('beaconTarget', () => {
  test('knows the beacon paths and no others', () => {
    expect(beaconTarget('/5')).toEqual(FIVE)
    expect(beaconTarget('/0005')).toEqual(FIVE)
    expect(beaconTarget('/0')).toEqual({ kind: 'scenario', scenarioId: 0 })
    expect(beaconTarget('/999999999999999')).toEqual({ kind: 'scenario', scenarioId: 999999999999999 })
    expect(beaconTarget('/matomo.php')).toEqual(MATOMO)
    expect(beaconTarget('/piwik.php')).toEqual(MATOMO)
    expect(beaconTarget('/ingest')).toEqual(INGEST)
    for (const path of [
      '',
      '/',
      '5',
      '//5',
      '/5/',
      '/5a',
      '/-5',
      '/5.0',
      '/%35',
      '/1000000000000000',
      '/event',
      '/Ingest',
      '/matomo.php/',
    ])
      expect(beaconTarget(path), path).toBeUndefined()
  })
})

describe('a body', () => {
  test('that is empty leaves all to the query', () => {
    expect(eventsOfBody(FIVE, '', 'e_c=a+b')).toEqual([['e_c', 'a+b']])
    expect(eventsOfBody(FIVE, ' \r\n', 'e_c=a')).toEqual([['e_c', 'a']])
    expect(eventsOfBody(FIVE, '')).toEqual([[]])
    // A log cannot tell this one from an empty body.
    expect(eventsOfBody(FIVE, '-', 'e_c=a')).toEqual([['e_c', 'a']])
  })

  test('may be a form, whose values come before those of the query', () => {
    expect(eventsOfBody(FIVE, 'e_c=a+b&_id=2\r\n', '_id=1&idsite=7')).toEqual([
      ['idsite', '7', 'e_c', 'a b', '_id', '2'],
    ])
    expect(eventsOfBody(FIVE, '?e_c=a')).toEqual([['e_c', 'a']])
  })

  test('may be a JSON object, whatever white space or byte order mark is before it', () => {
    expect(
      eventsOfBody(FIVE, '\ufeff \n{"e_c":"고면","e_v":3.5,"ok":true,"none":null,"list":[1,{"a":"b"}],"":"x"}', 'q=1'),
    ).toEqual([['q', '1', 'e_c', '고면', 'e_v', '3.5', 'ok', 'true', 'list', '[1,{"a":"b"}]', '', 'x']])
    expect(eventsOfBody(FIVE, '{}', 'q=1')).toEqual([['q', '1']])
    expect(eventsOfBody(FIVE, '{"requests":"?a=b"}')).toEqual([['requests', '?a=b']])
    expect(eventsOfBody(FIVE, '{"__proto__":"x","constructor":"y"}')).toEqual([['__proto__', 'x', 'constructor', 'y']])
  })

  test('may be a bulk of queries, URLs and objects, which share the parameters of the URL but its event id', () => {
    const items = ['?e_c=a&_id=2', 'e_c=b?c', 'http://h.example/matomo.php?e_c=c+d', { e_c: 'd' }]
    expect(eventsOfBody(MATOMO, JSON.stringify({ requests: items, send_image: 0 }), '_id=1&hw_id=x')).toEqual([
      ['e_c', 'a', '_id', '2'],
      ['_id', '1', 'e_c', 'b?c'],
      ['_id', '1', 'e_c', 'c+d'],
      ['_id', '1', 'e_c', 'd'],
    ])
  })

  test('that is a bulk says which items are no events, and each of them is rejected by itself', () => {
    const items = [5, '?e_c=a', null, '', '?', [], {}, { a: null }, true, ['a=b']]
    const beacon = beaconParams(FIVE, '', JSON.stringify({ requests: items }), undefined)
    expect(beacon).toMatchObject({ events: [['e_c', 'a']], invalid: 9 })
    if ('rejected' in beacon) throw new Error(beacon.rejected)
    expect(beacon.invalidItems).toEqual(['5', 'null', '""', '"?"', '[]', '[{}]', '[{"a":null}]', 'true', '["a=b"]'])
    for (const item of beacon.invalidItems)
      expect(beaconParams(FIVE, '', item, undefined)).toEqual({ rejected: 'bad_body' })
  })

  test('that is a bulk over the limit gives nothing but the number of its items', () => {
    const bulk = (items: number) => JSON.stringify({ requests: Array(items).fill('?e_c=a') })
    expect(eventsOfBody(MATOMO, bulk(MAX_BULK_EVENTS))).toHaveLength(MAX_BULK_EVENTS)
    expect(beaconParams(MATOMO, '', bulk(MAX_BULK_EVENTS + 1), undefined)).toEqual({
      events: [],
      invalid: MAX_BULK_EVENTS + 1,
      invalidItems: [],
    })
  })

  test('that is a bulk cannot multiply a long URL', () => {
    const [event] = eventsOfBody(MATOMO, '{"requests":["?e_c=a"]}', `short=1&long=${'x'.repeat(4000)}`)
    expect(event).toEqual(['short', '1', 'e_c', 'a', 'hw_cut', '1'])
  })

  test('that is none of these is a bad body', () => {
    for (const body of [
      'hello',
      '{',
      '{"a":1',
      '{"a":1} x',
      '[{"e_c":"a"}]',
      '"e_c=a"',
      '<a b="c"/>',
      '\x1f\x8b=',
      '\0a=b',
      '--boundary\r\nContent-Disposition: form-data; name="e_c"\r\n\r\na',
      '{"requests":[]}',
      `{"a":${'['.repeat(10_000)}`,
    ])
      expect(beaconParams(FIVE, 'e_c=a', body, undefined), body.slice(0, 40)).toEqual({ rejected: 'bad_body' })
  })

  test('keeps within the limits: first its own parameters, then those of the URL', () => {
    const query = Array.from({ length: MAX_PARAMS }, (_, i) => `u${i}=${i}`).join('&')
    const [event] = eventsOfBody(FIVE, '{"e_c":"a"}', query)
    expect(event).toHaveLength(2 * MAX_PARAMS + 2)
    expect(event?.slice(-4)).toEqual(['e_c', 'a', 'hw_cut', '1'])
    const many = Object.fromEntries(Array.from({ length: MAX_PARAMS + 1 }, (_, i) => [`p${i}`, i]))
    expect(eventsOfBody(FIVE, JSON.stringify(many))[0]).toHaveLength(2 * MAX_PARAMS + 2)
    expect(eventsOfBody(FIVE, JSON.stringify({ a: '가'.repeat(3000) }))[0]?.slice(2)).toEqual(['hw_cut', '1'])
  })

  test('leaves out a value nested too deep, and says so', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)},"b":1}`
    expect(eventsOfBody(FIVE, nested(32))[0]?.[0]).toBe('a')
    expect(eventsOfBody(FIVE, nested(33))).toEqual([['b', '1', 'hw_cut', '1']])
    expect(eventsOfBody(FIVE, nested(30_000))).toEqual([['b', '1', 'hw_cut', '1']])
  })

  test('has no lone surrogates in it, which no URL can carry', () => {
    expect(eventsOfBody(FIVE, '{"a\\ud800":"\\udc00b"}')).toEqual([['a\ufffd', '\ufffdb']])
  })
})

describe('/ingest', () => {
  test("reads the blog's curl example", () => {
    const body = '{"path":"/test","tag":"A","id":null,"timestamp":"2025-05-21T12:00:00Z"}'
    const fields = ['path', '/test', 'tag', 'A', 'timestamp', '2025-05-21T12:00:00Z']
    const time = ['hw_ts', String(Date.UTC(2025, 4, 21, 12))]
    expect(eventsOfBody(INGEST, body)).toEqual([['e_c', 'click', 'e_a', 'A', 'url', '/test', ...time, ...fields]])
    expect(eventsOfBody(INGEST, body, 'idsite=3', 'https://blog.example')).toEqual([
      ['idsite', '3', 'e_c', 'click', 'e_a', 'A', 'url', 'https://blog.example/test', ...time, ...fields],
    ])
  })

  test('keeps fields it does not know, and lets a field of ours win', () => {
    const [event] = eventsOfBody(
      INGEST,
      '{"path":"http://x.example/a","id":7,"e_c":"mine","timestamp":1747828800000,"more":"b"}',
      '',
      'https://p',
    )
    expect(event).toEqual(
      ['e_c', 'click', 'e_n', '7', 'url', 'http://x.example/a', 'hw_ts', '1747828800000'].concat([
        'path',
        'http://x.example/a',
        'id',
        '7',
        'e_c',
        'mine',
        'timestamp',
        '1747828800000',
        'more',
        'b',
      ]),
    )
    expect(eventsOfBody(INGEST, '{"timestamp":"soon"}')).toEqual([['e_c', 'click', 'timestamp', 'soon']])
    expect(eventsOfBody(INGEST, '{"requests":["?a=b"]}')).toEqual([['e_c', 'click', 'requests', '["?a=b"]']])
  })

  test('takes nothing but a JSON object', () => {
    for (const body of ['', ' ', 'path=/test', '{', '[]', 'null', '"x"', '5'])
      expect(beaconParams(INGEST, 'idsite=1', body, undefined), body).toEqual({ rejected: 'not_json' })
  })

  test('without a body is the line of an event already taken in, when it has e_c', () => {
    expect(eventsOfBody(INGEST, '', 'e_c=click&e_a=A')).toEqual([['e_c', 'click', 'e_a', 'A']])
  })
})

describe('the origin of a page', () => {
  test('comes from Origin, else from Referer', () => {
    expect(pageOrigin('https://a.example', 'https://b.example/x')).toBe('https://a.example')
    expect(pageOrigin('null', 'http://b.example:8080/x?y#z')).toBe('http://b.example:8080')
    expect(pageOrigin(undefined, 'https://b.example')).toBe('https://b.example')
    for (const odd of [undefined, '', '-', 'http://', 'ftp://x/', 'javascript:x', '/x'])
      expect(pageOrigin(odd, odd)).toBeUndefined()
  })
})

describe('a bad body in a format without a field for it', () => {
  test('stands in the query, at most 8 KiB of it, before all else', () => {
    expect(queryWithBadBody('e_c=a', '{"\xea&=')).toBe('hw_body=%7B%22%EA%26%3D&e_c=a')
    expect(queryWithBadBody('', decodeUtf8('x'.repeat(9000)))).toBe(`hw_body=${'x'.repeat(8192)}`)
  })
})
