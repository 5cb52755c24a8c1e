import { getParam } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pageViewOf } from '../../src/replay/page-view-of.ts'
import { parseWebLogLine } from '../../src/replay/web-log-line.ts'

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const SITE = { origin: 'https://shop.example', siteId: 3, source: 'access-log' }
const line = (
  request: string,
  { status = 200, referer = '-', agent = FIREFOX, head = '203.0.113.9 - -', tail = '' } = {},
) => `${head} [06/Mar/2026:10:00:00 +0900] "${request}" ${status} 512 "${referer}" "${agent}"${tail}`
const view = (text: string) => {
  const found = pageViewOf(text, 7, SITE)
  if (typeof found === 'string') return found
  return { ...found, params: Object.fromEntries(pairs(found.params)) }
}
function* pairs(params: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i < params.length; i += 2) yield [params[i] as string, params[i + 1] as string]
}

describe('A line of a web server’s log', () => {
  it('is a page view with address, referrer, site and time', () => {
    expect(view(line('GET /a%20b?x=1 HTTP/1.1', { referer: 'https://www.google.com/' }))).toEqual({
      eventId: 'p-access-log-7',
      scenarioId: undefined,
      siteId: 3,
      receivedAt: Date.parse('2026-03-06T01:00:00Z'),
      date: Date.parse('2026-03-06T01:00:00Z'),
      visitorId: undefined,
      memberId: undefined,
      ip: '203.0.113.9',
      userAgent: FIREFOX,
      params: { url: 'https://shop.example/a%20b?x=1', urlref: 'https://www.google.com/', idsite: '3', rec: '1' },
    })
  })

  it.each([
    ['GET / HTTP/1.1', {}, 'view'],
    ['GET /index.php?file=a.png HTTP/2.0', {}, 'view'],
    ['GET /v1.2/page HTTP/1.1', {}, 'view'],
    ['GET /page.html#a.png HTTP/1.1', {}, 'view'],
    ['GET /', {}, 'view'],
    ['GET / HTTP/1.1', { status: 304 }, 'view'],
    ['GET / HTTP/1.1', { status: 206 }, 'view'],
    ['GET / HTTP/1.1', { status: 301 }, 'no_success'],
    ['GET / HTTP/1.1', { status: 500 }, 'no_success'],
    ['POST / HTTP/1.1', {}, 'not_get'],
    ['HEAD / HTTP/1.1', {}, 'not_get'],
    ['\\x16\\x03\\x01', {}, 'not_get'],
    ['GET /A/B.PNG?v=2 HTTP/1.1', {}, 'asset'],
    ['GET /robots.txt HTTP/1.1', {}, 'asset'],
    ['GET /paper.pdf HTTP/1.1', {}, 'download'],
    ['GET / HTTP/1.1', { agent: 'curl/8.5.0' }, 'bot'],
    ['GET / HTTP/1.1', { agent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' }, 'bot'],
  ])('%s %o is %s', (request, fields, fate) => {
    const found = view(line(request, fields))
    expect(typeof found === 'string' ? found : 'view').toBe(fate)
  })

  it('may come from Apache: vhost_combined, quotes and backslashes by backslash, a user, fields behind, CRLF', () => {
    const found = parseWebLogLine(
      line('GET /\\"q\\" HTTP/1.1', {
        head: 'www.shop.example:443 2001:db8::1 - kim\\"s name',
        agent: 'a \\"b\\" \\\\ c \\xea\\xb0\\x80',
        tail: ' 1234 "more"',
      }),
    )
    expect(found).toMatchObject({
      virtualHost: 'www.shop.example:443',
      remoteAddr: '2001:db8::1',
      request: 'GET /"q" HTTP/1.1',
      userAgent: 'a "b" \\ c \xea\xb0\x80',
    })
    expect(view(`${line('GET /x HTTP/1.1', { head: 'www.shop.example:443 ::1 - kim' })}\r`)).toMatchObject({
      memberId: 'kim',
      userAgent: FIREFOX,
      params: { url: 'https://www.shop.example/x', uid: 'kim' },
    })
  })

  it('may be of somebody who signed in to Apache without a name', () => {
    const found = parseWebLogLine(line('GET /x HTTP/1.1', { head: 'www.shop.example:80 203.0.113.9 - ""' }))
    expect(found).toMatchObject({
      virtualHost: 'www.shop.example:80',
      remoteAddr: '203.0.113.9',
      request: 'GET /x HTTP/1.1',
    })
    expect(found?.remoteUser).toBeUndefined()
  })

  it('may be of the common format, without referrer and agent, and in absolute form', () => {
    const common = '203.0.113.9 - - [06/Mar/2026:10:00:00 +0000] "GET http://other.example/x HTTP/1.1" 200 -'
    const found = pageViewOf(common, 0, SITE)
    expect(typeof found === 'string' ? found : getParam(found.params, 'url')).toBe('http://other.example/x')
  })

  it('is refused when it is something else, and nothing throws', () => {
    for (const text of [
      '',
      'half',
      '{"a":1}',
      line('GET / HTTP/1.1').slice(0, 60),
      line('GET / HTTP/1.1').replace('Mar', 'Mai'),
    ])
      expect(pageViewOf(text, 0, SITE)).toBe('bad_line')
    const whole = line('GET /a?b HTTP/1.1', { referer: 'x', agent: 'y' })
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.nat(whole.length),
        fc.string({ unit: 'binary-ascii', maxLength: 5 }),
        (a, b, put) => {
          pageViewOf(whole.slice(0, Math.min(a, b)) + put + whole.slice(Math.max(a, b)), 0, SITE)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('takes time in proportion to its length, however many quotes and backslashes it has', () => {
    const started = process.cpuUsage()
    for (const filling of ['\\', '\\"', '"', ' "', ' ']) pageViewOf(line(filling.repeat(500_000)), 0, SITE)
    const { user } = process.cpuUsage(started)
    expect(user).toBeLessThan(5_000_000) // quadratic: hours
  })
})
