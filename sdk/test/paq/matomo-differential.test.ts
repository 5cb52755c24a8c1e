import { afterEach, describe, expect, it, vi } from 'vitest'
import type { PaqCall } from '../../src/paq/paq-call.ts'
import type { PageElement } from '../../src/ports.ts'
import { fakePage } from '../fake-ports.ts'
import { comparable, matomoEvents, names } from './matomo-events.ts'
import captured from './matomo-requests.json' with { type: 'json' }
import { type PaqPage, paqPage } from './paq-page.ts'

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
    expect(comparable(events)).toEqual(comparable(theirs))
    expect(events.filter(params => params.pv_id)).toHaveLength(theirs.filter(params => params.pv_id).length)
    for (const params of events) expect(params._id).toMatch(/^[0-9a-f]{16}$/)
  })
})
