import { readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventsOf, parseLogLine } from '@headwater/core'
import { findNginx, type Nginx, serviceOrSkip, startNginx } from '@headwater/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadUws } from '../src/load-uws.ts'
import { get, post, rawHttp } from './raw-http.ts'
import { type StartedGateway, startedGateway, until } from './started-gateway.ts'

const configuration = join(dirname(fileURLToPath(import.meta.url)), '../../nginx')

const CAPTURED: readonly { name: string; method: string; target: string; body: string; referer: string }[] = JSON.parse(
  readFileSync(new URL('../../core/test/wire/fixtures/matomo-requests.json', import.meta.url), 'utf8'),
).requests

/** Text as the bytes it travels in. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')

/** Time, request id and msec differ between any two servers. */
function masked(line: string): string {
  return line
    .replace(/\[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]/, '[time]')
    .replace(/ [0-9a-f]{32} \d{10}\.\d{3} /, ' id msec ')
}

/** Events without what differs between any two servers. */
function events(lines: readonly string[]): unknown[] {
  return lines.flatMap(line => {
    const record = parseLogLine(line)
    if ('rejected' in record) return [record]
    const found = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
    if ('rejected' in found) return [found]
    return found.map(event =>
      'rejected' in event
        ? event
        : {
            ...event,
            // `<request id>-<index>`: one line a bulk there, one an event here.
            eventId: event.params.includes('hw_id') ? event.eventId : '',
            receivedAt: 0,
            date: event.date - event.receivedAt,
          },
    )
  })
}

const fronts = ['node', ...('uws' in loadUws() ? ['uws' as const] : [])] as const

describe.skipIf(!serviceOrSkip('nginx', findNginx()))('the same bytes to a real NGINX', () => {
  let nginx: Nginx
  beforeAll(async () => {
    nginx = await startNginx({ configuration })
  })
  afterAll(() => nginx?.stop())

  const nginxLines = (): string[] => readFileSync(nginx.log, 'latin1').split('\n').slice(0, -1)
  /** NGINX logs after it answers. */
  async function nginxLinesAfter(before: number, count: number): Promise<string[]> {
    await until(() => nginxLines().length >= before + count)
    return nginxLines().slice(before)
  }

  describe.each(fronts)('and to the gateway on %s', frontEnd => {
    let started: StartedGateway
    beforeAll(async () => {
      started = await startedGateway({ frontEnd })
    })
    afterAll(() => started?.stop())

    /** Both servers' status and new lines. */
    async function both(bytes: string) {
      const before = { nginx: nginxLines().length, gateway: started.lines().length }
      const [[theirs], [ours]] = await Promise.all([rawHttp(nginx.port, bytes), rawHttp(started.port, bytes)])
      return {
        theirs: { status: theirs?.status, body: theirs?.body, lines: await nginxLinesAfter(before.nginx, 1) },
        ours: { status: ours?.status, body: ours?.body, lines: started.lines().slice(before.gateway) },
      }
    }

    it.each([
      ['no headers', get('/5?e_c=a')],
      ['no query', get('/5')],
      ['an empty query', get('/5?')],
      ['a fragment', get('/5?a=1#b')],
      ['quotes and backslashes', get('/5?a="\\b"', 'Referer: http://a/"\\', 'User-Agent: \\x22"[x] - - [y]')],
      ['percent signs', get('/5?a=%00%0a%zz%', 'User-Agent: 100%')],
      ['UTF-8 in headers', get('/5', 'Referer: http://a/\xed\x95\x9c/', 'User-Agent: a\xc3\xa9b')],
      ['Latin-1 in headers', get('/5', 'Referer: http://a/\xe9/', 'User-Agent: a\xe9b')],
      ['empty headers', get('/5', 'Referer:', 'User-Agent:')],
      [
        'repeated headers',
        get('/5', 'User-Agent: first', 'User-Agent: second', 'Referer: http://1/', 'Referer: http://2/'),
      ],
      ['X-Forwarded-For', get('/5', 'X-Forwarded-For: 1.2.3.4, unknown')],
      ['X-Forwarded-For twice', get('/5', 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8')],
      ['a Basic user', get('/5', `Authorization: Basic ${btoa('kim:secret')}`)],
      ['a Basic user with spaces and brackets', get('/5', `Authorization: Basic ${btoa('a b] [c - "d":x')}`)],
      ['a Basic user of raw bytes', get('/5', `Authorization: basic   ${btoa('\x00\xff\n:x')}`)],
      ['a Basic header without a colon', get('/5', `Authorization: Basic ${btoa('kim')}`)],
      ['a Basic header without a name', get('/5', `Authorization: Basic ${btoa(':x')}`)],
      ['a Basic header that is not base64', get('/5', 'Authorization: Basic a*b=')],
      ['a Basic header that is cut', get('/5', 'Authorization: Basic a2ltOng')],
      ['another scheme', get('/5', 'Authorization: Bearer a2ltOng=')],
      ['a body', 'GET /5?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\ne_c=a'],
      ['the image', get('/5?send_image=1')],
      ['send_image=00', get('/5?send_image=00')],
      ['Matomo', get('/matomo.php?idsite=1')],
      ['Matomo without an image', get('/piwik.php?idsite=1&send_image=0')],
      ['Matomo with send_image=00', get('/matomo.php?idsite=1&send_image=00')],
      ['9 KB', get(`/5?a=${'x'.repeat(9000)}`)],
      ['16 KiB', get(`/5?a=${'x'.repeat(16_000)}`)],
      ['the longest agent', get('/5', `User-Agent: ${'x'.repeat(8000)}`)],
    ])('GET with %s: the same line, byte for byte', async (_name, bytes) => {
      const { theirs, ours } = await both(bytes)
      expect(ours.status).toBe(theirs.status)
      // Two transparent pixels, of different colours.
      expect(ours.body?.length).toBe(theirs.body?.length)
      expect(ours.lines.map(masked)).toEqual(theirs.lines.map(masked))
    })

    it('GET with anything at all: the same line', async () => {
      // What both parsers take: printable ASCII without white space in the URL, any text in headers.
      const visible = fc.stringMatching(/^[!"$-~]{0,60}$/)
      const text = fc.stringMatching(/^([!-~]([ -~]{0,60}[!-~])?)?$/)
      await fc.assert(
        fc.asyncProperty(fc.nat(), visible, text, text, async (id, query, referer, agent) => {
          const { theirs, ours } = await both(get(`/${id}?${query}`, `Referer: ${referer}`, `User-Agent: ${agent}`))
          expect(ours.status).toBe(theirs.status)
          expect(ours.lines.map(masked)).toEqual(theirs.lines.map(masked))
        }),
        { numRuns: 60 },
      )
    })

    it.each(CAPTURED.map((request, i) => [`${i + 1}: ${request.name}`, request] as const))(
      'what Matomo sends, %s: the same events',
      async (_name, request) => {
        const body = Buffer.from(request.body, 'utf8').toString('latin1')
        const headers = [`Referer: ${request.referer}`, 'User-Agent: Mozilla/5.0']
        const bytes =
          request.method === 'GET' ? get(request.target, ...headers) : post(request.target, body, ...headers)
        const { theirs, ours } = await both(bytes)
        expect(events(ours.lines)).toEqual(events(theirs.lines))
        expect(events(ours.lines)).not.toEqual([])
        if (!body.startsWith('{') && !body.includes('send_image')) expect(ours.status).toBe(theirs.status)
      },
    )

    it.each([
      ['a query string', post('/5?_id=0dc813c4cde7f430&a=url', 'a=body&e_n=a+b%20c&hw_id=AAAAAAAAAAAAAAAAAAAAAA')],
      ['a JSON object', post('/5?a=1', utf8('{"e_c":"a","e_v":3.5,"x":null,"y":true,"한":"글"}'))],
      ['a bulk', post('/matomo.php?idsite=3', '{"requests":["?idsite=1&e_c=a","idsite=2&cdo=60",{"e_c":"b"}]}')],
      ['a bulk with items that are none', post('/5', '{"requests":["?a=1",5,null,"",[],{}]}')],
      [
        'a click of the blog',
        post(
          '/ingest',
          '{"path":"/p","tag":"A","id":null,"timestamp":"2025-05-21T12:00:00Z"}',
          'Referer: http://blog.example/',
        ),
      ],
      ['a click with a site', post('/ingest?idsite=7', '{"path":"/p"}')],
      ['no JSON to /ingest', post('/ingest', 'hello')],
      ['nothing to /ingest', post('/ingest', '')],
      ['a body that makes no sense', post('/5', '\x00\x01<"\\>')],
      ['a body of white space', post('/5?a=1', ' \r\n')],
      [
        'a body in chunks',
        'POST /5?a=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nb=2\r\n4\r\n&c=3\r\n0\r\n\r\n',
      ],
      ['a body of 30 KB', post('/5', `e_c=a&n=${'x'.repeat(30_000)}`)],
      ['300 parameters', post('/5', Array.from({ length: 300 }, (_, i) => `p${i}=${i}`).join('&'))],
      ['a cdo', post('/5?cdo=3600', 'e_c=a')],
    ])('POST with %s: the same events', async (_name, bytes) => {
      const { theirs, ours } = await both(bytes)
      expect(events(ours.lines)).toEqual(events(theirs.lines))
      expect(events(ours.lines)).not.toEqual([])
    })

    it('refuses the same', async () => {
      for (const bytes of [
        get('/nothing'),
        get('/5/'),
        get('/ingest'),
        'DELETE /5 HTTP/1.1\r\nHost: x\r\n\r\n',
        post('/5', 'x'.repeat(65_537)),
      ]) {
        const { theirs, ours } = await both(bytes)
        expect([bytes.slice(0, 20), ours.status]).toEqual([bytes.slice(0, 20), theirs.status])
        expect(ours.lines).toEqual([])
        expect(events(theirs.lines)).toEqual([{ rejected: 'not_a_beacon' }])
      }
    })
  })

  it('logs an exit beacon whose client has closed at once as a success', async () => {
    const before = nginxLines().length
    for (let i = 0; i < 20; i++) {
      const { connect } = await import('node:net')
      const socket = connect(nginx.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.end(post('/5', `n=${i}`))
    }
    const lines = await nginxLinesAfter(before, 20)
    expect(lines.map(line => / HTTP\/1\.1" (\d+) /.exec(line)?.[1])).toEqual(Array.from({ length: 20 }, () => '204'))
  })

  it('opens its log anew on USR1', async () => {
    renameSync(nginx.log, `${nginx.log}.1`)
    nginx.reopen()
    await until(async () => {
      await rawHttp(nginx.port, get('/5?anew'))
      try {
        return nginxLines().length > 0
      } catch {
        return false
      }
    })
  })
})
