import { afterEach, describe, expect, it, vi } from 'vitest'
import type { PaqCall } from '../../src/paq/paq-call.ts'
import type { PageElement } from '../../src/ports.ts'
import { fakePage } from '../fake-ports.ts'
import { paramsOf } from '../received-events.ts'
import captured from './matomo-requests.json' with { type: 'json' }
import { type PaqPage, paqPage } from './paq-page.ts'

/** Parameters that differ, and why. Nothing else may. */
const DIFFERENT: Record<string, string> = {
  r: 'a random number against caches; ours have hw_id',
  h: 'the time of day',
  m: 'the time of day',
  s: 'the time of day',
  _id: 'random; and never empty, because the visitor is the key of the log, also without cookies (then for a page load)',
  pv_id: 'random; both have it or both do not',
  send_image: 'Matomo asks for a picture with GET; ours never needs one',
  consent: 'ours has it on what happens after consent was given, not on what was held until then',
  uadata: 'client hints, empty but in Chromium; the log has the user agent',
  ...Object.fromEntries(
    ['pdf', 'qt', 'realp', 'wma', 'fla', 'java', 'ag'].map(name => [
      name,
      'browser plugins of old; only good for fingerprints',
    ]),
  ),
  ...Object.fromEntries(
    ['pf_net', 'pf_srv', 'pf_tfr', 'pf_dm1', 'pf_dm2', 'pf_onl'].map(name => [
      name,
      'timings; the vitals plugin has better',
    ]),
  ),
  ...Object.fromEntries(
    ['_ref', '_refts', '_rcn', '_rck'].map(name => [
      name,
      'attribution is asked of the log: url and urlref have the source',
    ]),
  ),
}

const element = (attributes: Record<string, string>, more: Partial<PageElement> = {}): PageElement => ({
  getAttribute: name => attributes[name] ?? null,
  hasAttribute: name => name in attributes,
  matches: selector => selector.split(',').some(one => one.slice(1, -1) in attributes),
  querySelector: () => null,
  ...more,
})
const link = (href: string): PageElement => element({ href }, { href, tagName: 'A', className: '' })
const banner = element({
  'data-track-content': '',
  'data-content-name': 'banner 1',
  'data-content-piece': 'img.png',
  'data-content-target': '/sale',
})

/** What was done to the captured page beside its calls. */
const also: Record<string, (page: PaqPage) => void | Promise<void>> = {
  'link tracking by click'(page) {
    page.click({}, link('http://shop.example/files/price%20list.pdf'))
    page.click(link('http://other.example/other?x=1&y=%EA%B0%80'))
    page.click(link('http://shop.example/page/b'))
  },
  content: page => page.click({}, banner),
  'javascript error': page =>
    page.emit('error', { message: 'Uncaught Error: boom "x"', filename: '', lineno: 1, colno: 32 }),
}
const before: Record<string, PaqCall[]> = { 'heartbeat ping': [['enableHeartBeatTimer', 1]] }

const names = [...new Set(captured.requests.map(({ name }) => name))]

/** The captured events of a sequence; the same one sent twice (by POST and GET) once. */
function matomoEvents(name: string): Record<string, string>[] {
  const events = captured.requests
    .filter(request => request.name === name)
    .flatMap(({ target, body }) => {
      const bulk = body.startsWith('{') ? (JSON.parse(body) as { requests: string[] }).requests : undefined
      return (bulk ?? [target.split('?')[1] ?? body]).map(query => paramsOf(query.replace(/^\?/, '')))
    })
  return [...new Map(events.map(event => [event.r, event])).values()]
}

const compared = (params: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !(name in DIFFERENT) && !name.startsWith('hw_')))

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe('What _paq sends is what matomo.js sends:', () => {
  it('all captured sequences are compared', () => expect(names).toHaveLength(22))

  it.each(names)('%s', async name => {
    vi.stubGlobal('document', { hasFocus: () => true })
    const page = fakePage({ referrer: 'http://search.example/?q=%ED%95%9C%EA%B8%80' })
    page.url = 'http://shop.example/page/a?utm_campaign=%EA%B0%80%EC%9D%84&pk_kwd=k%26w&q=a%26b#frag'
    page.title = '상품 "A" & B'
    const { calls } = captured.requests.find(request => request.name === name)!
    const setup: PaqCall[] = [
      ['setTrackerUrl', 'http://collect.example/matomo.php'],
      ['setSiteId', '7'],
    ]
    const paq = paqPage([...setup, ...(before[name] ?? []), ...(calls as unknown as PaqCall[])], {
      elements: [banner],
      page,
    })
    await also[name]?.(paq)
    if (name === 'heartbeat ping') {
      const now = performance.now()
      vi.spyOn(performance, 'now').mockReturnValue(now + 5_000)
      page.fire('hide')
    }
    await page.pass(3_000)
    const events = page.events().map(({ params }) => params)
    const theirs = matomoEvents(name)
    const sorted = (list: Record<string, string>[]): string[] =>
      list
        .map(compared)
        .map(params => JSON.stringify(Object.entries(params).sort()))
        .sort()
    // `_idn` and `cdo` aside, which go by order and time.
    const plain = (list: Record<string, string>[]): Record<string, string>[] =>
      list.map(({ cdo: _, hw_try: __, ...rest }) => rest)
    expect(sorted(plain(events))).toEqual(sorted(plain(theirs)))
    expect(events.filter(params => params.pv_id)).toHaveLength(theirs.filter(params => params.pv_id).length)
    for (const params of events) expect(params._id).toMatch(/^[0-9a-f]{16}$/)
  })
})
