import { afterEach, describe, expect, it, vi } from 'vitest'
import type { PaqCall } from '../../src/paq/paq-call.ts'
import { fakePage } from '../fake-ports.ts'
import { comparable, matomoEvents } from './matomo-events.ts'
import { paqPage } from './paq-page.ts'

/** What is used of the client. */
interface Client {
  trackPageView(params?: object): void
  pushInstruction(name: string, ...args: unknown[]): unknown
  trackEvent(params: object): void
  trackSiteSearch(params: object): void
  trackLink(params: object): void
  addEcommerceItem(params: object): void
  trackEcommerceOrder(params: object): void
  trackEcommerceCartUpdate(amount: number): void
}

const name = '@jonkoops/matomo-tracker'
const installed = await import(/* @vite-ignore */ name).catch(() => undefined)
const MatomoTracker = (installed?.default?.default ?? installed?.default) as
  | (new (
      options: object,
    ) => Client)
  | undefined
if (!MatomoTracker) console.info(`skipped: ${name} is not installed`)

afterEach(() => {
  vi.unstubAllGlobals()
})

describe.skipIf(!MatomoTracker)(`The published client ${name}`, () => {
  it('reports to us what it means for Matomo, before our script comes and after', async () => {
    const page = fakePage()
    const document = { title: 'Shop', hasFocus: () => true, createElement: () => ({}), getElementsByTagName: () => [] }
    vi.stubGlobal('document', document)
    vi.stubGlobal('window', { document, location: { href: page.url } })
    const client = new MatomoTracker!({ urlBase: 'https://collect.example', siteId: 7, userId: 'u' })
    client.trackPageView({ customDimensions: [{ id: 1, value: '금' }] })
    const paq = paqPage((window as unknown as { _paq: PaqCall[] })._paq, { page })
    client.trackEvent({ category: 'c', action: 'a', name: 'n', value: 3.5 })
    client.trackSiteSearch({ keyword: '운동화', category: 'shoes', count: 0 })
    client.trackLink({ href: 'https://other.example/x' })
    client.addEcommerceItem({ sku: 'S', productName: 'Shoe', productCategory: ['Shoes'], productPrice: 9.5 })
    client.trackEcommerceOrder({ orderId: 'O', orderRevenue: 9.5 })
    client.trackEcommerceCartUpdate(0)
    await page.pass(3_000)
    const all = page.events().map(({ params }) => params)
    for (const params of all) expect(params).toMatchObject({ idsite: '7', uid: 'u', dimension1: '금', url: page.url })
    expect(all).toMatchObject([
      { action_name: 'Shop' },
      { e_c: 'c', e_a: 'a', e_n: 'n', e_v: '3.5' },
      { search: '운동화', search_cat: 'shoes', search_count: '0' },
      { link: 'https://other.example/x' },
      { idgoal: '0', ec_id: 'O', revenue: '9.5', ec_items: '[["S","Shoe",["Shoes"],9.5,1]]' },
      { idgoal: '0', revenue: '0', ec_items: '[]' },
    ])
    expect(paq.warned).toEqual([])
  })

  it.each<[sequence: string, report: (client: Client) => void]>([
    ['page view', client => client.trackPageView()],
    [
      'event',
      client => client.trackEvent({ category: 'buttonClick', action: 'Clicked', name: '고면할당하기', value: 3.5 }),
    ],
    ['event without name', client => client.trackEvent({ category: 'buttonClick', action: 'Clicked' })],
    [
      'page view then events',
      client => {
        client.trackPageView()
        client.trackEvent({ category: 'a', action: 'b' })
        client.trackEvent({ category: 'a', action: 'c', name: 'n' })
      },
    ],
    ['site search', client => client.trackSiteSearch({ keyword: '운동화', category: 'shoes', count: 12 })],
    [
      'link and download',
      client => {
        client.trackLink({ href: 'http://other.example/x?y=1', linkType: 'link' })
        client.trackLink({ href: 'http://shop.example/f.zip', linkType: 'download' })
      },
    ],
    [
      'user id and dimensions',
      client => {
        client.pushInstruction('setUserId', 'member 123456')
        client.trackPageView({
          customDimensions: [
            { id: 1, value: '금' },
            { id: 2, value: 'a&b=c' },
          ],
        })
        client.trackEvent({ category: 'a', action: 'b' })
      },
    ],
  ])('sends through us what matomo.js sends: %s', async (sequence, report) => {
    const page = fakePage({ referrer: 'http://search.example/?q=%ED%95%9C%EA%B8%80' })
    page.url = 'http://shop.example/page/a?utm_campaign=%EA%B0%80%EC%9D%84&pk_kwd=k%26w&q=a%26b#frag'
    page.title = '상품 "A" & B'
    const document = {
      title: page.title,
      hasFocus: () => true,
      createElement: () => ({}),
      getElementsByTagName: () => [],
    }
    vi.stubGlobal('document', document)
    vi.stubGlobal('window', { document, location: { href: page.url } })
    const client = new MatomoTracker!({ urlBase: 'http://collect.example', siteId: 7, linkTracking: false })
    report(client)
    const { warned } = paqPage((window as unknown as { _paq: PaqCall[] })._paq, { page })
    await page.pass(3_000)
    expect(comparable(page.events().map(({ params }) => params))).toEqual(comparable(matomoEvents(sequence)))
    expect(warned).toEqual([])
  })
})
