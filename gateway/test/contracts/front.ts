import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { eventsOf, getParam, parseLogLine } from '@headwater/core'
import { serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { get, post, type RawAnswer, rawHttp } from '../raw-http.ts'
import { hasOpenssl, selfSigned } from '../self-signed.ts'
import { type StartedGateway, startedGateway, until } from '../started-gateway.ts'

/** The front ends and, with the reason, what their HTTP parsers do not let be the same. */
interface FrontUnderTest {
  frontEnd: 'uws' | 'node'
  /** uWebSockets.js refuses HTTP/1.0, and the absolute form of proxies, with 505. */
  takesHttp10: boolean
  /** uWebSockets.js closes a connection on which a request comes before the last one is answered. No browser does that. */
  takesPipelining: boolean
  /** node:http answers 400 to bytes from 0x7F on in a URL. Browsers always percent-encode them. */
  takesRawBytesInUrl: boolean
}

/** What `matomo.js` really sent. */
const CAPTURED: readonly { name: string; method: string; target: string; body: string; referer: string }[] = JSON.parse(
  readFileSync(new URL('../../../core/test/wire/fixtures/matomo-requests.json', import.meta.url), 'utf8'),
).requests

/** A value of the gateway's own metrics. */
async function metric(started: StartedGateway, name: string): Promise<number | undefined> {
  const found = await started.gateway.registry.getSingleMetric(`headwater_gateway_${name}`)?.get()
  return found?.values[0]?.value
}

/** A counter's values by its one label. */
async function labelled(started: StartedGateway, name: string): Promise<Record<string, number>> {
  const found = await started.gateway.registry.getSingleMetric(`headwater_gateway_${name}`)?.get()
  return Object.fromEntries(found?.values.map(({ labels, value }) => [Object.values(labels)[0], value]) ?? [])
}

/** A connection that has been served once, and stays. */
async function answering(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  const answered = new Promise(resolve => socket.once('data', resolve))
  socket.write(get('/5?held'))
  await answered
  return socket
}

function events(lines: readonly string[]): string[][] {
  return lines.flatMap(line => {
    const record = parseLogLine(line)
    if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
    const found = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
    if ('rejected' in found) return [['rejected', found.rejected]]
    return found.map(event => ('rejected' in event ? ['rejected', event.rejected] : [...event.params]))
  })
}

/** The contract of both front ends: the same answers and the same lines for the same bytes. */
export function testFront({ frontEnd, takesHttp10, takesPipelining, takesRawBytesInUrl }: FrontUnderTest): void {
  describe(`the ${frontEnd} front end`, () => {
    let it_: StartedGateway
    /** How many lines there were before the test. */
    let before = 0
    const newLines = (): string[] => it_.lines().slice(before)
    const send = async (bytes: string) => {
      const [answer] = await rawHttp(it_.port, bytes)
      if (answer === undefined) throw new Error('the connection was closed without an answer')
      return answer
    }

    beforeAll(async () => {
      it_ = await startedGateway({ frontEnd, limits: { requestTimeoutMs: 1500, keepAliveMs: 5000 } })
      expect(it_.gateway.front).toBe(frontEnd)
    })
    beforeEach(() => {
      before = it_.lines().length
    })
    afterAll(() => it_?.stop())

    describe('answers', () => {
      it.each([
        ['a GET beacon', get('/5?e_c=a'), 204],
        ['a GET beacon without a query', get('/5'), 204],
        ['a GET beacon that wants the image', get('/5?e_c=a&send_image=1'), 200],
        ['a GET beacon with send_image=00', get('/5?e_c=a&send_image=00'), 204],
        ['a POST beacon with all in the URL', post('/5?e_c=a', ''), 204],
        ['a POST without a Content-Length', 'POST /5?e_c=a HTTP/1.1\r\nHost: x\r\n\r\n', 204],
        ['a POST with a query string as body', post('/5', 'e_c=a&e_n=b+c'), 204],
        ['a POST with a JSON object', post('/5', '{"e_c":"a"}'), 204],
        ['a POST with a bulk', post('/5', '{"requests":["?e_c=a","?e_c=b"]}'), 204],
        ['a body that makes no sense', post('/5', '<xml/>'), 204],
        ['Matomo', get('/matomo.php?idsite=1'), 200],
        ['the old name of Matomo', get('/piwik.php?idsite=1'), 200],
        ['Matomo with send_image=0', get('/matomo.php?idsite=1&send_image=0'), 204],
        ['Matomo with send_image=00, as Matomo does', get('/matomo.php?idsite=1&send_image=00'), 200],
        ['Matomo with send_image=0 in the body', post('/matomo.php', 'idsite=1&send_image=0'), 204],
        ['the URL before the body', post('/matomo.php?send_image=1', 'idsite=1&send_image=0'), 200],
        ['robots', get('/robots.txt'), 200],
        ['the icon', get('/favicon.ico'), 204],
        ['an unknown path', get('/nothing'), 404],
        ['a path with a slash too many', get('/5/'), 404],
        ['the SDK when it is not installed', get('/headwater.js'), 404],
        ['a POST to an unknown path', post('/nothing', 'a=b'), 404],
        ['an unknown method', 'DELETE /5 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
        ['GET of /ingest', get('/ingest'), 405],
        ['a POST to a file', post('/robots.txt', ''), 405],
      ])('%s', async (_name, bytes, status) => {
        const answer = await send(bytes)
        expect(answer.status).toBe(status)
        expect(answer.headers['access-control-allow-origin']).toBe('*')
        if (status === 204) expect(answer.headers['content-length']).toBeUndefined()
      })

      it('is a GIF of 43 bytes where an image is wanted', async () => {
        const answer = await send(get('/matomo.php?idsite=1'))
        expect(answer.headers['content-type']).toBe('image/gif')
        expect(answer.headers['cache-control']).toBe('no-store')
        expect(answer.body.length).toBe(43)
        expect(answer.body.startsWith('GIF89a')).toBe(true)
      })

      it('says to a preflight what is allowed', async () => {
        const answer = await send('OPTIONS /5 HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n')
        expect(answer.status).toBe(204)
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': 'GET, POST, HEAD',
          'access-control-allow-headers': 'content-type',
          'access-control-max-age': '86400',
        })
        expect(newLines()).toEqual([])
      })

      it('answers HEAD like GET, without a body, and logs nothing', async () => {
        for (const [target, length] of [
          ['/5?a=1', undefined],
          ['/matomo.php?idsite=1', '43'],
          ['/robots.txt', '26'],
        ] as const) {
          const [answer] = await rawHttp(it_.port, `HEAD ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, { head: true })
          expect(answer?.headers['content-length']).toBe(length)
        }
        expect(newLines()).toEqual([])
      })

      it('counts a bulk in the words of Matomo, one item or many', async () => {
        const one = await send(post('/matomo.php', '{"requests":["?idsite=1&e_c=a"],"send_image":0}'))
        expect(one.body).toBe('{"status":"success","tracked":1,"invalid":0}')
        const more = await send(post('/matomo.php', ' {"requests":["?idsite=1&e_c=a",{"idsite":1},7,"",[]]}'))
        expect(JSON.parse(more.body)).toEqual({ status: 'success', tracked: 2, invalid: 3 })
        expect(events(newLines()).filter(event => event[0] === 'rejected')).toHaveLength(3)
        expect(newLines()).toHaveLength(6)
      })

      it('echoes the click of the blog', async () => {
        const payload = '{"path":"/test","tag":"A","id":null,"timestamp":"2025-05-21T12:00:00Z"}'
        const answer = await send(
          post('/ingest', payload, 'Content-Type: application/json', 'Origin: http://blog.example'),
        )
        expect(answer.status).toBe(200)
        expect(answer.headers['content-type']).toBe('application/json')
        expect(answer.body).toBe(`{"status": "ok", "received": ${payload}}`)
        const [params] = events(newLines())
        expect(getParam(params ?? [], 'e_a')).toBe('A')
        expect(getParam(params ?? [], 'url')).toBe('http://blog.example/test')
      })

      it('keeps what /ingest cannot read, and says so like the original', async () => {
        const answer = await send(post('/ingest', 'no "json" \xed\x95\x9c'))
        expect(Buffer.from(answer.body, 'latin1').toString()).toBe(
          '{"status": "ok", "received": {"raw": "no \\"json\\" 한"}}',
        )
        expect(events(newLines())).toEqual([['rejected', 'not_json']])
        expect(newLines()[0]).toContain('"no \\x22json\\x22 \\xED\\x95\\x9C"')
      })
    })

    describe('accepts what Matomo really sends', () => {
      it.each(CAPTURED.map((request, i) => [`${i + 1}: ${request.name}`, request] as const))(
        '%s',
        async (_name, request) => {
          const body = Buffer.from(request.body ?? '', 'utf8').toString('latin1')
          const headers = [
            `Referer: ${request.referer}`,
            'Content-Type: application/x-www-form-urlencoded; charset=utf-8',
          ]
          const answer = await send(
            request.method === 'GET' ? get(request.target, ...headers) : post(request.target, body, ...headers),
          )
          const bulk = body.startsWith('{')
          const sendImage = /[?&]send_image=(\d+)/.exec(`${request.target}&${bulk ? '' : body}`)?.[1]
          expect(answer.status).toBe(sendImage === '0' ? 204 : 200)
          const count = bulk ? JSON.parse(body).requests.length : 1
          if (bulk) expect(JSON.parse(answer.body)).toEqual({ status: 'success', tracked: count, invalid: 0 })
          const found = events(newLines())
          expect(found).toHaveLength(count)
          for (const params of found) expect(getParam(params, 'idsite')).toBe('7')
        },
      )
    })

    describe('lines', () => {
      it('hold a GET as it came', async () => {
        await send(
          get(
            '/5?e_n=%EA%B3%A0&x="\\',
            'Referer: http://a"b/\xc3\xa9/',
            'User-Agent: "x" [y]',
            'X-Forwarded-For: 1.2.3.4',
            'X-Forwarded-For: 5.6.7.8',
          ),
        )
        expect(newLines()[0]).toMatch(
          /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET \/5\?e_n=%EA%B3%A0&x=\\x22\\x5C HTTP\/1\.1" 204 0 "http:\/\/a\\x22b\/\\xC3\\xA9\/" "\\x22x\\x22 \[y\]" "1\.2\.3\.4, 5\.6\.7\.8" [0-9a-f]{32} \d{10}\.\d{3} "-"$/,
        )
      })

      it('tell a missing header from an empty one', async () => {
        await send(get('/5', 'User-Agent:', 'Referer: '))
        await send(get('/5'))
        expect(newLines()[0]).toContain(' 204 0 "" "" "-" ')
        expect(newLines()[1]).toContain(' 204 0 "-" "-" "-" ')
      })

      it('tell an empty query from none', async () => {
        await send(get('/5?'))
        await send(get('/5'))
        expect(newLines().map(line => line.split('"')[1])).toEqual(['GET /5? HTTP/1.1', 'GET /5 HTTP/1.1'])
      })

      it('name the user of a Basic header, spaces and all', async () => {
        await send(get('/5', `Authorization: Basic ${Buffer.from('a b [c] "d":secret').toString('base64')}`))
        expect(newLines()[0]).toMatch(/^127\.0\.0\.1 - a b \[c\] \\x22d\\x22 \[/)
        expect(newLines()[0]).not.toContain('secret')
      })

      it('ignore the body of a GET', async () => {
        expect((await send('GET /5?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\ne_c=a')).status).toBe(204)
        expect(newLines()[0]).toMatch(/"GET \/5\?a=1 HTTP\/1\.1" .* "-"$/)
      })

      it.skipIf(!takesHttp10)('hold an absolute target as it came', async () => {
        expect((await send(get('http://shop.example/5?a=1'))).status).toBe(204)
        expect(newLines()[0]).toContain('"GET http://shop.example/5?a=1 HTTP/1.1"')
        expect(events(newLines())).toEqual([['a', '1']])
      })

      it('are one for each event of a bulk, each with an id of its own', async () => {
        await send(post('/5?_id=0dc813c4cde7f430', '{"requests":["?e_c=a&e_n=%ED%95%9C","e_c=b"]}'))
        expect(newLines().map(line => line.split('"')[1])).toEqual([
          'POST /5?_id=0dc813c4cde7f430&e_c=a&e_n=%ED%95%9C HTTP/1.1',
          'POST /5?_id=0dc813c4cde7f430&e_c=b HTTP/1.1',
        ])
        const ids = newLines().map(line => line.split(' ').at(-3))
        expect(new Set(ids).size).toBe(2)
      })

      it('do not multiply a long agent by the events of a bulk', async () => {
        const requests = Array.from({ length: 100 }, (_, i) => `?e_c=${i}`)
        await send(post('/5', JSON.stringify({ requests }), `User-Agent: ${'\xe9'.repeat(12_000)}`))
        const lines = newLines()
        expect(lines).toHaveLength(100)
        expect(lines.slice(1).every(line => line.length < 20_000)).toBe(true)
      })

      it('keep a body that makes no sense for the dead letters', async () => {
        await send(post('/5?x=1', '\x00\xff<"'))
        expect(newLines()[0]).toContain('"POST /5?x=1 HTTP/1.1"')
        expect(newLines()[0]).toMatch(/"\\x00\\xFF<\\x22"$/)
        expect(events(newLines())).toEqual([['rejected', 'bad_body']])
      })
    })

    describe('bodies', () => {
      it('come in chunks', async () => {
        const bytes =
          'POST /5 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ne_c=\r\n3\r\na%2\r\n1\r\n6\r\n0\r\n\r\n'
        expect((await send(bytes)).status).toBe(204)
        expect(events(newLines())).toEqual([['e_c', 'a&']])
      })

      it('come in pieces', async () => {
        const socket = connect(it_.port, '127.0.0.1')
        const answered = new Promise<string>(resolve => socket.once('data', data => resolve(data.toString())))
        for (const piece of ['POST /5 HTTP/1.1\r\nHost: x\r\nContent-', 'Length: 7\r\n\r\n', 'e_c', '=abc']) {
          socket.write(piece)
          await new Promise(resolve => setTimeout(resolve, 20))
        }
        expect(await answered).toContain('204')
        socket.destroy()
        expect(events(newLines())).toEqual([['e_c', 'abc']])
      })

      it('are asked for when the client wants to be asked', async () => {
        expect((await send(post('/5', 'e_c=a', 'Expect: 100-continue'))).status).toBe(204)
        expect(newLines()).toHaveLength(1)
      })

      it('of 64 KiB are taken, one byte more is refused', async () => {
        const value = 'e_c=a&n='
        expect((await send(post('/5', value + 'x'.repeat(65_536 - value.length)))).status).toBe(204)
        const [cut] = events(newLines())
        expect(getParam(cut ?? [], 'hw_cut')).toBe('1')
        expect(getParam(cut ?? [], 'n')).toHaveLength(8192)
        expect((await send(post('/5', value + 'x'.repeat(65_537 - value.length)))).status).toBe(413)
        const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
        const chunked = `POST /5 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`
        expect((await send(chunked)).status).toBe(413)
        expect(newLines()).toHaveLength(1)
      })

      it('of 500 events are taken whole, of 501 not at all', async () => {
        const bulk = (count: number): string =>
          JSON.stringify({ requests: Array.from({ length: count }, (_, i) => `?e_c=${i}`) })
        expect((await send(post('/5', bulk(501)))).status).toBe(413)
        expect(newLines()).toEqual([])
        expect((await send(post('/5', bulk(500)))).status).toBe(204)
        expect(newLines()).toHaveLength(500)
      })

      it('that stop half way are answered with 408 and logged nowhere', async () => {
        const bytes = 'POST /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ne_c='
        const answers = await rawHttp(it_.port, bytes, { expect: 0 })
        expect(answers[0]?.status).toBe(408)
        expect(newLines()).toEqual([])
      })

      it('whose client goes away are forgotten', async () => {
        const socket = connect(it_.port, '127.0.0.1')
        socket.write('POST /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ne_c=')
        await new Promise(resolve => setTimeout(resolve, 30))
        socket.destroy()
        expect((await send(get('/5?after'))).status).toBe(204)
        expect(newLines()).toHaveLength(1)
      })
    })

    describe('hostile bytes', () => {
      it('in a long URL: 9 KB and 16 KiB are taken, more is refused', async () => {
        expect((await send(get(`/5?a=${'x'.repeat(9000)}`))).status).toBe(204)
        expect((await send(get(`/5?${'x'.repeat(16_384 - 3)}`))).status).toBe(204)
        expect((await send(get(`/5?${'x'.repeat(16_384 - 2)}`))).status).toBe(414)
        expect(newLines()).toHaveLength(2)
        const [answer] = await rawHttp(it_.port, get(`/5?${'x'.repeat(40_000)}`))
        expect([414, 431]).toContain(answer?.status)
      })

      it('in headers over 32 KiB are refused', async () => {
        const [answer] = await rawHttp(it_.port, get('/5', `X-Long: ${'x'.repeat(40_000)}`))
        expect(answer?.status).toBe(431)
      })

      it.each([
        ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\r\n\r\n'],
        ['HTTP/0.9', 'GET /5?a=1\r\n\r\n'],
        ['garbage', '\x00\xff\xfe\r\n\r\n'],
        ['a NUL in the URL', 'GET /5?a=\x00b HTTP/1.1\r\nHost: x\r\n\r\n'],
        ['a NUL in a header', 'GET /5 HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x00b\r\n\r\n'],
        ['a bad Content-Length', 'POST /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\nhello'],
        [
          'smuggling',
          'POST /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /6 HTTP/1.1\r\n\r\n',
        ],
      ])('%s is refused without a line, and the next request is served', async (_name, bytes) => {
        const answers = await rawHttp(it_.port, bytes, { expect: 0 })
        for (const answer of answers) expect(answer.status).toBeGreaterThanOrEqual(400)
        expect((await send(get('/5?after'))).status).toBe(204)
        expect(newLines()).toHaveLength(1)
      })

      const inner = 'GET /5?smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
      const length = inner.length
      it.each<[name: string, head: string]>([
        ['the body of a GET', `GET /5 HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`],
        ['the body of a HEAD', `HEAD /5 HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`],
        ['the body of a preflight', `OPTIONS /5 HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`],
        [
          'a chunk of a GET',
          `GET /5 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n`,
        ],
        ...[
          ['an unknown coding', 'Transfer-Encoding: xchunked'],
          ['a coding that is not the last', 'Transfer-Encoding: chunked, identity'],
          ['a coding with a space before the colon', 'Transfer-Encoding : chunked'],
          ['two lengths', `Content-Length: 0\r\nContent-Length: ${length}`],
          ['a list of lengths', `Content-Length: 0, ${length}`],
          ['a length with a sign', 'Content-Length: +0'],
          ['a length in hexadecimal', 'Content-Length: 0x0'],
          ['an empty length', 'Content-Length: '],
          ['a folded length', `X: a\r\n Content-Length: ${length}`],
        ].map(([name = '', header]): [string, string] => [name, `POST /5 HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`]),
      ])('behind %s are no request of their own', async (_name, head) => {
        await rawHttp(it_.port, head + inner)
        expect((await send(get('/5?after'))).status).toBe(204)
        expect(newLines().filter(line => line.includes('"GET /5?smuggled'))).toEqual([])
      })

      it('that are no UTF-8 give the same event, or none', async () => {
        const answer = await send(get('/5?e_c=\xe9t\xe9&e_n=a%00b%', 'User-Agent: \xe9'))
        expect(answer.status).toBe(takesRawBytesInUrl ? 204 : 400)
        expect(events(newLines())).toEqual(takesRawBytesInUrl ? [['e_c', '\ufffdt\ufffd', 'e_n', 'a\0b%']] : [])
        await send(get('/5?e_c=%E9t%E9&e_n=a%00b%'))
        expect(events(newLines()).at(-1)).toEqual(['e_c', '\ufffdt\ufffd', 'e_n', 'a\0b%'])
      })

      it('cut in the middle of a request leave nothing', async () => {
        for (const bytes of ['GET /5?a', 'GET /5?a=1 HTTP/1.1\r\nHo', 'GET /5?a=1 HTTP/1.1\r\nHost: x\r\n']) {
          const socket = connect(it_.port, '127.0.0.1')
          await new Promise<void>(resolve => socket.write(bytes, () => resolve()))
          socket.destroy()
        }
        expect((await send(get('/5?after'))).status).toBe(204)
        expect(newLines()).toHaveLength(1)
      })

      it('of methods in lower case are no beacon', async () => {
        const [answer] = await rawHttp(it_.port, 'get /5?a=1 HTTP/1.1\r\nHost: x\r\n\r\n')
        expect([400, 405]).toContain(answer?.status)
        expect(newLines()).toEqual([])
      })

      it(takesHttp10 ? 'HTTP/1.0 is served' : 'HTTP/1.0 is refused with 505', async () => {
        const [answer] = await rawHttp(it_.port, 'GET /5?a=1 HTTP/1.0\r\nHost: x\r\n\r\n')
        expect(answer?.status).toBe(takesHttp10 ? 204 : 505)
        expect(newLines()).toHaveLength(takesHttp10 ? 1 : 0)
      })
    })

    describe('connections', () => {
      it.runIf(takesPipelining)('take pipelined requests and answer them in their order', async () => {
        const bytes = get('/5?n=1') + get('/nothing') + post('/5', 'n=2') + get('/matomo.php?idsite=1') + get('/5?n=3')
        const answers = await rawHttp(it_.port, bytes, { expect: 5 })
        expect(answers.map(answer => answer.status)).toEqual([204, 404, 204, 200, 204])
        const targets = newLines().map(line => line.split('"')[1]?.split(' ')[1])
        expect(targets.sort()).toEqual(['/5?n=1', '/5?n=2', '/5?n=3', '/matomo.php?idsite=1'])
      })

      it.runIf(!takesPipelining)('acknowledge nothing of pipelined requests that is not in the log', async () => {
        const answers = await rawHttp(it_.port, get('/5?n=1') + get('/5?n=2') + get('/5?n=3'), { expect: 0 })
        expect(answers.length).toBeLessThanOrEqual(newLines().length)
        expect((await send(get('/5?after'))).status).toBe(204)
      })

      it.runIf(!takesPipelining)('end with a request before the last answer, whatever the answer is', async () => {
        for (const first of [get('/nothing'), post('/nothing', 'a=b'), 'OPTIONS /5 HTTP/1.1\r\nHost: x\r\n\r\n'])
          expect(await rawHttp(it_.port, first + get('/5?n=1'), { expect: 0 }), first).toEqual([])
        expect(newLines()).toEqual([])
      })

      it('take many requests, one after the other', async () => {
        const socket = connect(it_.port, '127.0.0.1')
        for (let i = 0; i < 20; i++) {
          const answered = new Promise<Buffer>(resolve => socket.once('data', resolve))
          socket.write(i % 2 === 0 ? get(`/5?n=${i}`) : post('/5', `n=${i}`))
          expect((await answered).toString()).toContain('204 No Content')
        }
        socket.destroy()
        expect(events(newLines())).toEqual(Array.from({ length: 20 }, (_, i) => ['n', String(i)]))
      })

      it('that close right after sending have sent their event', async () => {
        for (let i = 0; i < 50; i++) {
          const socket = connect(it_.port, '127.0.0.1')
          socket.end(get(`/5?n=${i}`))
          socket.on('error', () => {})
          socket.resume()
        }
        await until(() => newLines().length === 50)
      })

      it('that are reset before the answer leave the server well', async () => {
        for (let i = 0; i < 20; i++) {
          const socket = connect(it_.port, '127.0.0.1')
          await new Promise<void>(resolve => socket.write(get('/5?reset').repeat(5), () => resolve()))
          socket.resetAndDestroy()
        }
        expect((await send(get('/5?after'))).status).toBe(204)
      })
    })

    describe('options', () => {
      it('serve the SDK, with a tag for who has it already', async () => {
        const folder = it_.folder
        writeFileSync(join(folder, 'headwater.js'), 'short')
        writeFileSync(join(folder, 'headwater-1.2.3.js'), 'immutable')
        const other = await startedGateway({ frontEnd, sdkDir: folder })
        const [short] = await rawHttp(other.port, get('/headwater.js'))
        expect(short?.body).toBe('short')
        expect(short?.headers['content-type']).toBe('text/javascript; charset=utf-8')
        expect(short?.headers['cache-control']).toBe('public, max-age=3600')
        expect(short?.headers.etag).toMatch(/^W\/"/)
        const [known] = await rawHttp(other.port, get('/headwater.js', `If-None-Match: "x", ${short?.headers.etag}`))
        expect([known?.status, known?.body]).toEqual([304, ''])
        const [versioned] = await rawHttp(other.port, get('/headwater-1.2.3.js'))
        expect(versioned?.headers['cache-control']).toBe('public, max-age=31536000, immutable')
        // A site that moves from Matomo changes its tracker's address, and the script's name stays.
        for (const name of ['/matomo.js', '/piwik.js'])
          expect((await rawHttp(other.port, get(name)))[0]?.body, name).toBe('short')
        const [missing] = await rawHttp(other.port, get('/headwater-9.9.9.js'))
        expect(missing?.status).toBe(404)
        await other.stop()
      })

      it('hand over a long file as its client takes it', async () => {
        const content = 'x'.repeat(16_000_000)
        writeFileSync(join(it_.folder, 'headwater-0.0.1.js'), content)
        const other = await startedGateway({ frontEnd, sdkDir: it_.folder })
        const slow = connect(other.port, '127.0.0.1')
        let length = 0
        slow.on('data', data => {
          length += data.length
          slow.pause()
          setImmediate(() => slow.resume())
        })
        slow.write(get('/headwater-0.0.1.js'))
        await until(() => length > content.length)
        // The connection is as good as before.
        length = 0
        slow.write(get('/5'))
        await until(() => length > 0)
        slow.destroy()
        await other.stop()
      })

      // node:http stops reading then, and all answers share one copy of the file.
      it.runIf(!takesPipelining)('keep no answers for who asks on without reading them', async () => {
        writeFileSync(join(it_.folder, 'headwater-0.0.2.js'), 'x'.repeat(16_000_000))
        const other = await startedGateway({ frontEnd, sdkDir: it_.folder })
        const answered = async () => (await labelled(other, 'requests_total'))['200']
        const deaf = connect(other.port, '127.0.0.1').pause()
        deaf.on('error', () => {})
        for (let i = 0; i < 20; i++) {
          deaf.write(get('/headwater-0.0.2.js'))
          await until(async () => (await answered()) !== undefined)
          await rawHttp(other.port, get('/5'))
        }
        expect(await answered()).toBeLessThanOrEqual(2)
        deaf.destroy()
        await other.stop()
      })

      it('believe trusted proxies only, and cut addresses before the line is written', async () => {
        const other = await startedGateway({
          frontEnd,
          trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'],
          ipMode: 'truncated',
        })
        await rawHttp(other.port, get('/5', 'X-Forwarded-For: 9.9.9.9, 203.0.113.77, 10.1.2.3'))
        await rawHttp(other.port, get('/5', 'X-Forwarded-For: 2001:db8:1:2::3'))
        expect(other.lines()[0]).toMatch(/^203\.0\.113\.0 - .*"-" [0-9a-f]{32} /)
        expect(other.lines()[1]).toMatch(/^2001:db8:1:: - /)
        await other.stop()
      })

      it('refuse what is over the rate with 429', async () => {
        const other = await startedGateway({ frontEnd, limits: { perAddress: 1 } })
        const answers: RawAnswer[] = []
        for (let i = 0; i < 5; i++) answers.push(...(await rawHttp(other.port, get('/5'))))
        expect(answers.map(answer => answer.status)).toEqual([204, 204, 429, 429, 429])
        expect(answers[2]?.headers['retry-after']).toBe('1')
        // Else no script of another origin sees it.
        expect(answers[2]?.headers['access-control-expose-headers']).toBe('Retry-After')
        expect(other.lines()).toHaveLength(2)
        expect(await labelled(other, 'refused_requests_total')).toEqual({ address: 3, site: 0 })
        await other.stop()
      })

      it('refuse what is over the rate of a site, made-up sites together', async () => {
        const other = await startedGateway({
          frontEnd,
          limits: { perSite: 1, burstSeconds: 1 },
          sites: [
            { id: 1, hosts: [] },
            { id: 2, hosts: [] },
          ],
        })
        const statuses: (number | undefined)[] = []
        for (const bytes of [
          get('/5?idsite=1'),
          get('/5?idsite=1'),
          post('/5', 'idsite=2'),
          post('/ingest', '{"tag":"A"}'),
          get('/5?idsite=77'),
          get('/5?idsite=78'),
          get('/5'),
          get('/robots.txt'),
        ])
          statuses.push((await rawHttp(other.port, bytes))[0]?.status)
        expect(statuses).toEqual([204, 429, 204, 429, 204, 429, 429, 200])
        expect(await labelled(other, 'refused_requests_total')).toEqual({ address: 0, site: 4 })
        await other.stop()
      })

      it('log no event of a page that its site does not list, answer it as ever, and count it', async () => {
        const other = await startedGateway({
          frontEnd,
          sites: [
            { id: 1, hosts: ['Shop.example', '*.shop.example'] },
            { id: 2, hosts: [] },
          ],
        })
        const from = async (bytes: string) => (await rawHttp(other.port, bytes))[0]?.status
        const page = (url: string) => `url=${encodeURIComponent(url)}`
        expect(await from(get(`/5?idsite=1&n=1&${page('https://shop.example/a')}`))).toBe(204)
        expect(await from(get(`/5?idsite=1&n=2&${page('https://SHOP.example.:8443/')}`))).toBe(204)
        expect(await from(post('/5?idsite=1', `n=3&${page('http://www.shop.example')}`))).toBe(204)
        expect(await from(get('/5?idsite=1&n=4', 'Referer: https://shop.example/'))).toBe(204)
        expect(await from(get('/5?idsite=1&n=5&url=%2Fa', 'Origin: https://shop.example'))).toBe(204)
        expect(await from(get(`/5?idsite=2&n=6&${page('https://else.example/')}`))).toBe(204)
        expect(await from(get('/5?n=7'))).toBe(204)
        expect(events(other.lines()).map(event => getParam(event, 'n'))).toEqual(['1', '2', '3', '4', '5', '6', '7'])
        for (const bytes of [
          get(`/5?idsite=1&${page('https://else.example/shop.example')}`, 'Referer: https://shop.example/'),
          get(`/5?idsite=1&${page('https://shop.example@else.example/')}`),
          get(`/5?idsite=1&${page('https://evilshop.example/')}`),
          get('/5?idsite=1', 'Origin: null', 'Referer: about:blank'),
          get('/5?idsite=1'),
          post('/5', '<no body>').replace('/5 ', '/5?idsite=1 '),
          post('/ingest', '{"path":"/a","tag":"A"}', 'Origin: http://else.example'),
        ])
          expect([200, 204]).toContain(await from(bytes))
        const bulk = await rawHttp(
          other.port,
          post('/matomo.php', `{"requests":["?idsite=1&n=8&${page('https://shop.example/')}","?idsite=1&n=9"]}`),
        )
        expect(JSON.parse(bulk[0]?.body ?? '')).toEqual({ status: 'success', tracked: 2, invalid: 0 })
        expect(other.lines()).toHaveLength(8)
        expect(await labelled(other, 'foreign_events_total')).toEqual({ not_allowed: 4, missing: 4 })
        await other.stop()
      })

      it('close the connections beyond as many as there may be, and take new ones when others have gone', async () => {
        const other = await startedGateway({ frontEnd, limits: { maxConnections: 2 } })
        const held = [await answering(other.port), await answering(other.port)]
        expect(await rawHttp(other.port, get('/5?over'))).toEqual([])
        expect(await metric(other, 'refused_clients_total')).toBe(1)
        held[0]?.destroy()
        await until(async () => (await rawHttp(other.port, get('/5?again')))[0]?.status === 204)
        held[1]?.destroy()
        await other.stop()
      })

      it('write combined, with what could not be read in the query', async () => {
        const other = await startedGateway({ frontEnd, log: { format: 'combined' } })
        await rawHttp(other.port, get('/5?a=1', 'User-Agent: x'))
        await rawHttp(other.port, post('/5', '<no>'))
        expect(other.lines()[0]).toMatch(/ "GET \/5\?a=1 HTTP\/1\.1" 204 0 "-" "x"$/)
        expect(events(other.lines())).toEqual([
          ['a', '1'],
          ['rejected', 'bad_body'],
        ])
        await other.stop()
      })

      it('answer after the disk has the line with durability fsync', async () => {
        const other = await startedGateway({ frontEnd, log: { durability: 'fsync' } })
        const sent = Array.from({ length: 20 }, () => rawHttp(other.port, get('/5')))
        expect((await Promise.all(sent)).every(([answer]) => answer?.status === 204)).toBe(true)
        expect(other.lines()).toHaveLength(20)
        await other.stop()
      })

      it('refuse a port that is taken', async () => {
        await expect(startedGateway({ frontEnd, port: it_.port })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
      })
    })

    describe.skipIf(!serviceOrSkip('openssl', hasOpenssl()))('TLS', () => {
      const served = async (started: StartedGateway) => {
        const socket = connectTls({
          port: started.port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: [...authorities],
        })
        const ended = new Promise<string>((resolve, reject) => {
          let received = ''
          socket.on('error', reject)
          socket.on('data', data => {
            received += data.toString('latin1')
            if (received.includes('\r\n\r\n')) resolve(received)
          })
        })
        socket.write(get('/5?tls', 'User-Agent: x'))
        const status = Number((await ended).split(' ')[1])
        const name = socket.getPeerCertificate().subject.CN
        return { status, name, socket }
      }
      const authorities: string[] = []
      const renew = (started: { cert: string; key: string }, name: string) => {
        selfSigned(started, name)
        authorities.push(readFileSync(started.cert, 'utf8'))
      }
      let files: { cert: string; key: string }
      beforeAll(() => {
        files = { cert: join(it_.folder, 'cert.pem'), key: join(it_.folder, 'key.pem') }
        renew(files, 'first')
      })

      it('serves beacons, takes a renewed certificate without refusing a connection, and keeps the old ones', async () => {
        const other = await startedGateway({ frontEnd, tls: { ...files, checkEveryMs: 20 } })
        const first = await served(other)
        expect([first.status, first.name]).toEqual([204, 'first'])
        expect(other.lines()[0]).toMatch(/^127\.0\.0\.1 - - .*"GET \/5\?tls HTTP\/1\.1" 204 0 "-" "x"/)
        for (const name of ['second', 'third']) {
          renew(files, name)
          await until(async () => {
            const { status, name: now, socket } = await served(other)
            socket.destroy()
            expect(status).toBe(204)
            return now === name
          })
        }
        const again = new Promise<Buffer>(resolve => first.socket.once('data', resolve))
        first.socket.write(get('/5?old'))
        expect((await again).toString()).toContain('204')
        first.socket.destroy()
        const expiry = (await metric(other, 'certificate_expiry_seconds')) ?? 0
        expect(expiry).toBeGreaterThan(Date.now() / 1000)
        await other.stop()
      })

      it('keeps the certificate in force while the files on disk cannot be used', async () => {
        const other = await startedGateway({ frontEnd, tls: { ...files, checkEveryMs: 20 } })
        const { name, socket } = await served(other)
        socket.destroy()
        const whole = readFileSync(files.key)
        writeFileSync(files.key, whole.subarray(0, 50))
        await new Promise(resolve => setTimeout(resolve, 100))
        const now = await served(other)
        now.socket.destroy()
        expect(now.name).toBe(name)
        writeFileSync(files.key, whole)
        await other.stop()
      })

      it('leaves who speaks no TLS without an answer from a beacon path', async () => {
        const other = await startedGateway({ frontEnd, tls: files })
        const answers = await rawHttp(other.port, get('/5?plain'), { expect: 0 })
        expect(answers.filter(answer => answer.status < 400)).toEqual([])
        const ended = await served(other)
        ended.socket.destroy()
        expect(other.lines()).toHaveLength(1)
        await other.stop()
      })

      it('does not begin with files that cannot be used', async () => {
        const missing = { cert: join(it_.folder, 'no.pem'), key: files.key }
        await expect(startedGateway({ frontEnd, tls: missing })).rejects.toMatchObject({ code: 'TLS_UNUSABLE' })
        const other = { cert: join(it_.folder, 'other.pem'), key: join(it_.folder, 'other-key.pem') }
        selfSigned(other, 'other')
        const mixed = { cert: files.cert, key: other.key }
        await expect(startedGateway({ frontEnd, tls: mixed })).rejects.toMatchObject({ code: 'TLS_UNUSABLE' })
      })
    })

    describe('the visitor in a cookie of the gateway', () => {
      const known = '00000000000000aa'
      const created = 1_700_000_000
      const visitor = '0123456789abcdef'
      const asking = `/5?e_c=a&_id=${visitor}&_idn=1&hw_ck=1`
      const ours = 'Origin: https://www.shop.example'
      const cookie = `Cookie: theme=dark; _hw_id=${known}.${created}; x=1`
      let kept: StartedGateway
      let already = 0
      const ask = async (bytes: string): Promise<{ answer: RawAnswer; requests: string[] }> => {
        already = kept.lines().length
        const [answer] = await rawHttp(kept.port, bytes)
        const requests = kept
          .lines()
          .slice(already)
          .map(line => line.split('"')[1] as string)
        return { answer: answer as RawAnswer, requests }
      }
      beforeAll(async () => {
        const sites = [{ id: 1, hosts: ['shop.example', '*.shop.example'] }]
        kept = await startedGateway({ frontEnd, sites, identity: { serverCookie: true } })
      })
      afterAll(() => kept?.stop())

      it('is set from the id of an event that asks for it, out of reach of scripts, and readable to that page only', async () => {
        const { answer, requests } = await ask(get(asking, ours))
        expect(answer.status).toBe(204)
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': 'https://www.shop.example',
          'access-control-allow-credentials': 'true',
          vary: 'Origin',
          'cache-control': 'no-store',
        })
        expect(answer.headers['set-cookie']).toMatch(
          new RegExp(`^_hw_id=${visitor}\\.\\d{10}; Max-Age=33955200; Path=/; Secure; HttpOnly; SameSite=Lax$`),
        )
        expect(requests).toEqual([`GET ${asking} HTTP/1.1`])
      })

      it('counts before the id that the page has, and is not set again', async () => {
        const { answer, requests } = await ask(get(asking, ours, cookie))
        expect(answer.headers['set-cookie']).toBeUndefined()
        expect(requests).toEqual([`GET /5?e_c=a&_id=${known}&_idn=0&hw_ck=1 HTTP/1.1`])
      })

      it('counts for each event of a bulk that asks for it, also in the URL, and for no other', async () => {
        const body = JSON.stringify({
          requests: [`?e_c=a&_id=${visitor}&hw_ck=1`, `?e_c=b&_id=${visitor}`, `?e_c=c&_id=${visitor}&hw_ck=1`],
        })
        const { requests } = await ask(post(`/5?_id=${visitor}`, body, ours, cookie))
        const ids = (request: string | undefined): string[] => request?.match(/_id=[0-9a-f]+/g) ?? []
        expect(new Set(ids(requests[0]))).toEqual(new Set([`_id=${known}`]))
        expect(new Set(ids(requests[1]))).toEqual(new Set([`_id=${visitor}`]))
        expect(new Set(ids(requests[2]))).toEqual(new Set([`_id=${known}`]))
        const first = await ask(post(`/5?_id=${visitor}`, body, ours))
        expect(first.answer.headers['set-cookie']).toContain(`_hw_id=${visitor}.`)
      })

      it.each([
        ['that does not ask', get(`/5?e_c=a&_id=${visitor}`, ours, cookie), 'https://www.shop.example'],
        ['of a page elsewhere', get(asking, 'Origin: https://shop.example.evil.test', cookie), '*'],
        ['whose page says nothing of itself', get(asking, cookie), '*'],
        ['of no origin at all', get(asking, 'Origin: null', cookie), '*'],
      ])('is neither set nor read for an event %s', async (_name, bytes, origin) => {
        const { answer, requests } = await ask(bytes)
        expect(answer.status).toBe(204)
        expect(answer.headers['access-control-allow-origin']).toBe(origin)
        expect(answer.headers['set-cookie']).toBeUndefined()
        expect(requests[0] ?? visitor).toContain(visitor)
      })

      it("is set for pages of the gateway's own origin, which send no Origin with GET", async () => {
        const { answer } = await ask(get(asking, 'Referer: https://shop.example/a'))
        expect(answer.headers['set-cookie']).toContain(`_hw_id=${visitor}.`)
        expect(answer.headers['access-control-allow-origin']).toBe('*')
      })

      it('is not taken over when it is no id', async () => {
        for (const bad of ['_hw_id=x.1', `_hw_id=${known}`, `not_hw_id=${known}.${created}`]) {
          const { answer, requests } = await ask(get(asking, ours, `Cookie: ${bad}`))
          expect(answer.headers['set-cookie']).toContain(`_hw_id=${visitor}.`)
          expect(requests).toEqual([`GET ${asking} HTTP/1.1`])
        }
      })

      it('ends when the page asks for it, and that is no event', async () => {
        const { answer, requests } = await ask(get('/forget', ours, cookie))
        expect(answer.status).toBe(204)
        expect(answer.headers['access-control-allow-credentials']).toBe('true')
        expect(answer.headers['set-cookie']).toBe('_hw_id=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax')
        expect(requests).toEqual([])
        const elsewhere = await ask(get('/forget', 'Origin: https://evil.test', cookie))
        expect(elsewhere.answer.headers['set-cookie']).toBeUndefined()
      })

      it('lets the page read what is refused, too', async () => {
        const { answer } = await ask('DELETE /5 HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n\r\n')
        expect(answer.status).toBe(405)
        expect(answer.headers['access-control-allow-origin']).toBe('https://shop.example')
      })

      it('is not there unless it is wanted', async () => {
        const answer = await send(get(asking, ours, cookie))
        expect(answer.headers['access-control-allow-origin']).toBe('*')
        expect(answer.headers['set-cookie']).toBeUndefined()
        expect(newLines()[0]).toContain(asking)
        expect((await send(get('/forget', ours))).status).toBe(404)
      })

      it('does not begin without the hosts of a site', async () => {
        await expect(startedGateway({ frontEnd, identity: { serverCookie: true } })).rejects.toMatchObject({
          code: 'OPTIONS_INVALID',
        })
      })
    })

    describe('the end', () => {
      it('answers what was received, refuses what comes later, and leaves a whole log', async () => {
        const other = await startedGateway({ frontEnd })
        const open = connect(other.port, '127.0.0.1')
        let received = ''
        open.on('data', data => {
          received += data
        })
        open.on('error', () => {})
        open.write('POST /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\ne_c')
        await until(async () => (await metric(other, 'receiving_bodies')) === 1)
        const late = connect(other.port, '127.0.0.1')
        late.on('error', () => {})
        let refused = ''
        late.on('data', data => {
          refused += data
        })
        late.write(get('/5?early'))
        await until(() => refused.includes('204'))
        const ended = other.gateway.close(5000)
        expect(other.gateway.notReady()).toBe('The gateway is stopping.')
        late.write(get('/5?late'))
        await until(() => refused.includes('503') || late.destroyed)
        open.write('=abc')
        await ended
        await until(() => received !== '' || open.destroyed)
        expect(received).toContain('204')
        expect(events(other.lines())).toEqual([
          ['early', ''],
          ['e_c', 'abc'],
        ])
        await expect(rawHttp(other.port, get('/5'))).resolves.toEqual([])
        await other.stop()
      })
    })
  })
}
