import { afterEach, describe, expect, it, vi } from 'vitest'
import { onCLS, onINP, onLCP } from 'web-vitals'
import { allPlugins } from '../src/all-plugins.ts'
import type { Plugin } from '../src/plugin.ts'
import { ecommerce } from '../src/plugins/ecommerce.ts'
import { engagement } from '../src/plugins/engagement.ts'
import { errors } from '../src/plugins/errors.ts'
import { forms } from '../src/plugins/forms.ts'
import { links } from '../src/plugins/links.ts'
import { scroll } from '../src/plugins/scroll.ts'
import { type VitalSource, vitals } from '../src/plugins/vitals.ts'
import type { PageElement } from '../src/ports.ts'
import { startTracker, type Tracker } from '../src/tracker.ts'
import { type FakePage, fakePage } from './fake-ports.ts'

const start = (page: FakePage, ...plugins: Plugin[]): Tracker =>
  startTracker({ endpoint: 'https://collect.example', autoPageview: false }, page.ports, allPlugins(plugins))
const params = async (page: FakePage): Promise<Record<string, string>[]> => {
  await page.pass(3_000)
  return page.events().map(event => event.params)
}
const told = async (page: FakePage): Promise<string[]> =>
  (await params(page)).map(({ e_c, e_a, e_n }) => [e_c, e_a, e_n].join(' '))

afterEach(() => {
  vi.restoreAllMocks()
})

describe('links', () => {
  const link = (href: unknown, className = '', download = false): PageElement => ({
    href,
    className,
    hasAttribute: name => download && name === 'download',
  })
  it.each([
    ['https://other.example/x', '', false, 'link'],
    ['https://shop.example/x', '', false, undefined],
    ['https://shop.example/x.PDF?y#z', '', false, 'download'],
    ['https://other.example/x.zip', '', false, 'download'],
    ['https://shop.example/x', '', true, 'download'],
    ['https://shop.example/x', 'a matomo_download b', false, 'download'],
    ['https://shop.example/x', 'piwik_link', false, 'link'],
    ['https://other.example/x', 'matomo_ignore', false, undefined],
    ['https://cdn.example.com/x', '', false, undefined],
    ['https://example.com/x', '', false, undefined],
    ['https://badexample.com/x', '', false, 'link'],
    ['mailto:a@b.example', '', false, undefined],
    ['javascript:void 0', '', false, undefined],
    [{ baseVal: 'https://other.example' }, '', false, undefined],
    ['https://[', '', false, undefined],
  ])('%s %s %s is reported as %s', async (href, className, download, kind) => {
    const page = fakePage()
    start(page, links({ domains: ['*.example.com'] }))
    page.click({}, link(href, className, download))
    const events = await params(page)
    expect(events.map(event => event.link ?? event.download)).toEqual(kind ? [href] : [])
    if (kind) expect(events[0]).toHaveProperty(kind)
  })

  it('reports the middle button, not the right one', async () => {
    const page = fakePage()
    start(page, links())
    for (const button of [1, 2])
      page.emit('auxclick', { button, composedPath: () => [link(`https://other.example/${button}`)] })
    expect((await params(page)).map(event => event.link)).toEqual(['https://other.example/1'])
  })
})

describe('forms', () => {
  const form = (name: string, masked = false): PageElement => ({
    tagName: 'FORM',
    getAttribute: attribute => (attribute === 'name' ? name : null),
    closest: () => (masked ? {} : null),
  })
  const field = (of: PageElement): { composedPath(): PageElement[] } => ({
    composedPath: () => [{ tagName: 'INPUT', name: 'card', textContent: '4111' }, of],
  })

  it('tells start and submit once, and says nothing of values and fields', async () => {
    const page = fakePage()
    start(page, forms())
    const order = form('order')
    page.emit('input', field(order))
    page.emit('input', field(order))
    page.emit('submit', { composedPath: () => [order] })
    page.fire('hide')
    expect(await told(page)).toEqual(['form start order', 'form submit order'])
    expect(JSON.stringify(page.sent)).not.toMatch(/card|4111/)
  })

  it('tells of a form that was left, once', async () => {
    const page = fakePage()
    start(page, forms())
    page.emit('input', field(form('order')))
    page.fire('hide')
    page.fire('hide')
    expect(await told(page)).toEqual(['form start order', 'form abandon order'])
  })

  it('says nothing about masked forms and of what is in no form', async () => {
    const page = fakePage()
    start(page, forms())
    page.emit('input', field(form('secret', true)))
    page.emit('input', { composedPath: () => [{ tagName: 'INPUT' }] })
    page.fire('hide')
    expect(page.sent).toEqual([])
  })
})

describe('scroll', () => {
  it('tells each threshold once a page view, also when the page is left in the midst of scrolling', async () => {
    const page = fakePage()
    let depth = 0
    const tracker = start(page, scroll({ depth: () => depth }))
    for (const now of [30, 60, 40]) {
      depth = now
      page.emit('scroll')
      await page.pass(300)
    }
    depth = 100
    page.emit('scroll')
    page.fire('hide')
    expect(await told(page)).toEqual(['scroll depth 25', 'scroll depth 50', 'scroll depth 75', 'scroll depth 100'])
    tracker.pageview()
    page.emit('scroll')
    expect((await told(page)).length).toBe(4 + 1 + 4)
  })

  it('says nothing without scrolling', async () => {
    const page = fakePage()
    start(page, scroll({ depth: () => 100 }))
    page.fire('hide')
    expect(await told(page)).toEqual([])
  })
})

describe('engagement', () => {
  it('tells visible and focused milliseconds, of the page they were spent on', async () => {
    const page = fakePage()
    let now = 0
    let focused = true
    const tracker = start(page, engagement({ focused: () => focused, monotonicMs: () => now }))
    tracker.pageview()
    now = 4_000
    focused = false
    page.emit('blur')
    now = 60_000
    focused = true
    page.emit('focus')
    now = 62_000
    page.navigate('/b')
    await page.pass(2_000)
    now = 62_500
    page.fire('hide')
    const pings = (await params(page)).filter(({ ping }) => ping)
    expect(pings.map(({ hw_eng, url }) => [hw_eng, url])).toEqual([
      ['4000', 'https://shop.example/a'],
      ['2000', 'https://shop.example/a'],
    ])
    expect(new Set(pings.map(({ pv_id }) => pv_id)).size).toBe(1)
  })
})

describe('errors', () => {
  it('tells each once, at most ten, and not of images that fail', async () => {
    const page = fakePage()
    start(page, errors())
    for (let i = 0; i < 30; i++)
      page.emit('error', { message: `boom ${i >> 1}`, filename: 'https://shop.example/a.js', lineno: 1, colno: 2 })
    page.emit('error', { target: { src: 'x.png' } })
    const all = await told(page)
    expect(all).toHaveLength(10)
    expect(all[1]).toBe('JavaScript Errors https://shop.example/a.js:1:2 boom 1')
  })

  it('tells rejections, cut to 500 characters', async () => {
    const page = fakePage()
    start(page, errors())
    page.emit('unhandledrejection', { reason: new Error('x'.repeat(900)) })
    page.emit('unhandledrejection', {})
    expect((await params(page)).map(({ e_n }) => e_n!.length)).toEqual([500, 'undefined'.length])
  })
})

describe('vitals and ecommerce', () => {
  it('takes the functions of the package web-vitals as they are', () => {
    const sources: VitalSource[] = [onCLS, onINP, onLCP]
    expect(sources.map(source => typeof source)).toEqual(['function', 'function', 'function'])
  })

  it('tells a metric with its rating', async () => {
    const page = fakePage()
    start(
      page,
      vitals(report => {
        report({ name: 'LCP', value: 1234.5, rating: 'good' })
        report({ name: 'CLS', value: 0.123, rating: 'poor' })
      }),
    )
    expect((await params(page)).map(({ e_a, e_n, e_v }) => `${e_a} ${e_n} ${e_v}`)).toEqual([
      'LCP good 1235',
      'CLS poor 123',
    ])
  })

  it("tells views, carts and orders in Matomo's parameters", async () => {
    const page = fakePage()
    const shop = ecommerce(start(page))
    shop.view({ sku: 'S', name: 'Shoe', category: ['Shoes', 'Men'], price: 9.5 })
    shop.add({ sku: 'S', name: 'Shoe', price: 9.5, quantity: 2 })
    shop.add({ sku: 'T' })
    shop.remove('T')
    shop.cart(19)
    shop.order({ id: 'O', total: 24, shipping: 5 })
    shop.cart(0)
    const [view, cart, order, empty] = await params(page)
    expect(view).toMatchObject({ e_a: 'view', _pks: 'S', _pkc: '["Shoes","Men"]', _pkp: '9.5' })
    expect(cart).toMatchObject({ idgoal: '0', revenue: '19', ec_items: '[["S","Shoe","",9.5,2]]' })
    expect(order).toMatchObject({ ec_id: 'O', revenue: '24', ec_sh: '5', ec_items: cart!.ec_items })
    expect(empty).toMatchObject({ revenue: '0', ec_items: '[]' })
  })
})

describe('A plugin', () => {
  it('that fails keeps neither the others nor the page from working', async () => {
    const page = fakePage()
    const bad: Plugin = (_tracker, { on }) => {
      on('click', () => {
        throw new Error('no')
      })
      return () => {
        throw new Error('no')
      }
    }
    const worse: Plugin = () => {
      throw new Error('no')
    }
    const tracker = start(page, worse, bad, links())
    page.click({ href: 'https://other.example/', className: '' })
    tracker.event('c', 'a')
    page.fire('hide')
    expect(await params(page)).toHaveLength(2)
  })

  it('hears nothing any more when the tracker is destroyed', async () => {
    const page = fakePage()
    const tracker = start(page, links(), scroll({ depth: () => 100 }))
    tracker.destroy()
    page.click({ href: 'https://other.example/', className: '' })
    page.emit('scroll')
    expect(await params(page)).toEqual([])
    expect(page.timers()).toBe(0)
  })
})
