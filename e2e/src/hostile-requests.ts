import { get, post, type RawRequestOptions } from './raw-request.ts'

/** What a hostile input must come to in `headwater_filter_events_total`; empty: nothing of it reaches the log. */
export type Fate = Readonly<Record<string, number>>

/** Bytes that a client may send, and what must become of them. */
export interface HostileRequest extends RawRequestOptions {
  what: string
  /** One character a byte. */
  bytes: string
  /**
   * Statuses that are right, and what is logged with each. `none`: no answer. Two servers may differ in what they refuse,
   * but what is accepted has one fate.
   */
  fates: Fates
}
type Fates = Readonly<Partial<Record<number | 'none', Fate>>>

const REFUSED: Fate = {}
const EVENT: Fate = { judged: 1 }
const refusedWith = (...statuses: (number | 'none')[]): Fates =>
  Object.fromEntries(statuses.map(status => [status, REFUSED]))
const event: Fates = { 204: EVENT }
/** Either an event, or refused by a server that is stricter. */
const eventOrRefused: Fates = { 204: EVENT, 400: REFUSED, 505: REFUSED, none: REFUSED }
const deadLetter = (reason: string, status = 204): Fates => ({ [status]: { [reason]: 1 } })

const V = '_id=0123456789abcdef'
const TLS_HELLO = `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\x9a\x00\xff\x41'.repeat(120)}`
const DEEP_ARRAYS = '['.repeat(60_000)
const DEEP_OBJECTS = '{"a":'.repeat(12_000)

export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  // Bytes that do not belong into a URL or header.
  { what: 'a NUL in the URL', bytes: get(`/6?${V}&e_n=a\0b`), fates: eventOrRefused },
  { what: '%00 in the URL', bytes: get(`/6?${V}&e_n=a%00b&%00=1`), fates: event },
  { what: 'Latin-1 in the URL', bytes: get(`/6?${V}&e_n=caf\xe9`), fates: eventOrRefused },
  { what: 'UTF-8 in the URL, not encoded', bytes: get(`/6?${V}&e_n=\xea\xb5\xac`), fates: eventOrRefused },
  { what: 'percent-encoding that is none', bytes: get(`/6?${V}&e_n=%&e_a=%zz&%e=%f`), fates: event },
  { what: 'percent-encoded invalid UTF-8', bytes: get(`/6?${V}&e_n=%c3%28%ff%fe%ed%a0%80`), fates: event },
  {
    what: 'line breaks in a parameter',
    bytes: get(`/6?${V}&e_n=%0d%0a127.0.0.1%20-%20-%20[x]%20"`),
    fates: eventOrRefused,
  },
  { what: 'a quote and a backslash in the URL', bytes: get(`/6?${V}&e_n="\\x22\\`), fates: eventOrRefused },
  {
    what: 'Latin-1, quotes and escapes in headers',
    bytes: get(`/6?${V}`, 'User-Agent: \xe9"\\x41\\', 'Referer: "]['),
    fates: event,
  },
  {
    what: 'spaces and brackets in the Basic user',
    bytes: get(`/6?${V}`, `Authorization: Basic ${btoa('a - b [01/Jan/2020:00:00:00 +0000] "x":pw')}`),
    fates: event,
  },
  { what: 'Basic that is no base64', bytes: get(`/6?${V}`, 'Authorization: Basic \xff\xfe=='), fates: event },
  { what: 'a forged X-Forwarded-For', bytes: get(`/6?${V}`, 'X-Forwarded-For: 1.1.1.1" 0 "-", \\x00'), fates: event },
  // Lengths and numbers.
  { what: 'a URL of 9 KB', bytes: get(`/6?${V}&e_n=${'x'.repeat(9_000)}`), fates: event },
  { what: 'a URL of 20 KB', bytes: get(`/6?${V}&e_n=${'x'.repeat(20_000)}`), fates: refusedWith(414) },
  { what: '5 000 parameters', bytes: get(`/6?${V}${'&a=1'.repeat(3_900)}`), fates: event },
  { what: '15 KB of ampersands', bytes: get(`/6?${V}${'&'.repeat(15_000)}`), fates: event },
  {
    what: 'headers of 60 KB',
    bytes: get(`/6?${V}`, `X-A: ${'x'.repeat(60_000)}`),
    fates: refusedWith(400, 431, 'none'),
  },
  { what: 'an event id of 4 KB', bytes: get(`/6?${V}&hw_id=${'i'.repeat(4_000)}`), fates: event },
  {
    what: 'numbers beyond all bounds',
    bytes: get(`/6?${V}&cdo=1e309&h=99&idsite=99999999999999999999&hw_ts=-1`),
    fates: event,
  },
  { what: 'a scenario id beyond all bounds', bytes: get(`/${'9'.repeat(400)}?${V}`), fates: refusedWith(404) },
  // What is not HTTP, or cut.
  { what: 'a TLS hello', bytes: TLS_HELLO, fates: refusedWith(400, 505, 'none') },
  { what: 'HTTP/0.9', bytes: `GET /6?${V}\r\n`, hangUp: true, fates: refusedWith(400, 505, 'none') },
  {
    what: 'an unknown HTTP version',
    bytes: `GET /6?${V} HTTP/9.9\r\nHost: a\r\n\r\n`,
    fates: refusedWith(400, 505, 'none'),
  },
  {
    what: 'a request line and nothing more',
    bytes: `GET /6?${V} HTTP/1.1\r\n`,
    hangUp: true,
    fates: refusedWith(400, 'none'),
  },
  { what: 'half a request line', bytes: `GET /6?${V}`, hangUp: true, fates: refusedWith(400, 'none') },
  { what: 'half a header', bytes: `GET /6?${V} HTTP/1.1\r\nHost: sh`, hangUp: true, fates: refusedWith(400, 'none') },
  {
    what: 'half a body',
    bytes: post(`/6?${V}`, 'e_c=1').replace('Length: 5', 'Length: 500'),
    hangUp: true,
    fates: refusedWith(400, 'none'),
  },
  { what: 'a connection without a word', bytes: '', hangUp: true, fates: refusedWith(400, 'none') },
  // uWebSockets.js takes the first of them.
  { what: 'two lengths', bytes: post(`/6?${V}`, 'e_c=1', 'Content-Length: 6'), fates: { 204: EVENT, 400: REFUSED } },
  {
    what: 'length and chunks at once',
    bytes: `${post(`/6?${V}`, '0\r\n\r\nGET /6?smuggled=1 HTTP/1.1\r\nHost: a\r\n\r\n', 'Transfer-Encoding: chunked')}`,
    fates: refusedWith(400, 'none'),
  },
  {
    what: 'a chunk of no length',
    bytes: `POST /6?${V} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    fates: refusedWith(400, 'none'),
  },
  // What is HTTP, and no beacon.
  { what: 'another path', bytes: get('/wp-login.php'), fates: refusedWith(404) },
  { what: 'a path upwards', bytes: get('/../../etc/passwd'), fates: refusedWith(404) },
  { what: 'another method', bytes: get(`/6?${V}`).replace('GET', 'DELETE'), fates: refusedWith(405) },
  { what: 'HEAD', bytes: get(`/6?${V}`).replace('GET', 'HEAD'), fates: refusedWith(204) },
  { what: 'a preflight', bytes: get(`/6?${V}`).replace('GET', 'OPTIONS'), fates: refusedWith(204) },
  // Bodies.
  { what: 'a body of 70 KB', bytes: post(`/6?${V}`, 'x'.repeat(70_000)), fates: refusedWith(413) },
  {
    what: 'a bulk of 501 events',
    bytes: post('/matomo.php', JSON.stringify({ requests: Array(501).fill('?idsite=1') })),
    fates: refusedWith(413),
  },
  { what: '60 000 opening brackets', bytes: post(`/6?${V}`, DEEP_ARRAYS), fates: deadLetter('bad_body') },
  { what: '12 000 objects in each other', bytes: post(`/6?${V}`, DEEP_OBJECTS), fates: deadLetter('bad_body') },
  {
    what: 'a bulk of nested nonsense',
    bytes: post('/matomo.php', '{"requests":["?idsite=1",[[[[[[]]]]]],null,{"idsite":{"a":1}},7]}'),
    fates: { 200: { site_without_scenario: 1, bad_body: 3, no_target: 1 } },
  },
  {
    what: 'JSON that would change a prototype',
    bytes: post(`/6?${V}`, '{"__proto__":{"e_c":"x"},"constructor":"y","e_n":"z"}'),
    fates: event,
  },
  {
    what: 'a lone surrogate and a huge number',
    bytes: post(`/6?${V}`, '{"e_n":"\\ud800","e_v":1e999,"e_a":"\\u0000"}'),
    fates: event,
  },
  { what: 'a body of binary bytes', bytes: post(`/6?${V}`, '\0\xff\xfe\x01\x80'), fates: deadLetter('bad_body') },
  { what: 'an ingest that is not JSON', bytes: post('/ingest', 'tag=a&id=b'), fates: deadLetter('not_json', 200) },
  { what: 'an ingest that is a bomb', bytes: post('/ingest', DEEP_ARRAYS), fates: deadLetter('not_json', 200) },
  // Targets that are none.
  { what: 'a scenario that never was', bytes: get(`/4711?${V}`), fates: deadLetter('unknown_scenario') },
  { what: 'neither scenario nor site', bytes: get('/matomo.php?rec=1&send_image=0'), fates: deadLetter('no_target') },
  {
    what: 'a site without scenarios',
    bytes: get('/matomo.php?idsite=77&send_image=0'),
    fates: { 204: { site_without_scenario: 1 } },
  },
  // Proper, though no browser does it. uWebSockets.js refuses the absolute form, and hangs up on a client that sends a
  // request before it has the answer to the last: one event is logged and not acknowledged, as when an answer is lost.
  {
    what: 'the absolute form',
    bytes: get(`http://shop.example/6?${V}`),
    fates: { 204: EVENT, 400: REFUSED, 505: REFUSED },
  },
  {
    what: 'three requests in one packet',
    bytes: get(`/6?${V}&n=1`) + get(`/6?${V}&n=2`) + get(`/6?${V}&n=3`),
    answers: 3,
    fates: { 204: { judged: 3 }, none: EVENT },
  },
]
