import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import type { PaqCall } from '../../src/paq/paq-call.ts'
import { fakePage } from '../fake-ports.ts'
import { paqPage } from './paq-page.ts'

const setup: PaqCall[] = [
  ['setTrackerUrl', '//collect.example/matomo.php'],
  ['setSiteId', '7'],
]
const categories = (page: ReturnType<typeof paqPage>): (string | undefined)[] =>
  page.events().map(({ params }) => params.e_c)

describe('window._paq', () => {
  it('makes the calls made before, then those pushed, in order, whoever holds the array', async () => {
    const held: PaqCall[] = [...setup, ['trackEvent', 'a', 'b']]
    const page = paqPage(held)
    held.push(['trackEvent', 'c', 'd'], ['trackEvent', 'e', 'f'])
    await page.pass(1000)
    expect(categories(page)).toEqual(['a', 'c', 'e'])
    expect(page.events()[0]!.params.idsite).toBe('7')
    expect(held).toHaveLength(0)
  })

  it('makes the calls that set things up first, as Matomo does', async () => {
    const page = paqPage([['trackEvent', 'a', 'b'], ['setUserId', 'u'], ...setup])
    await page.pass(1000)
    expect(page.events()[0]!.params).toMatchObject({ uid: 'u', idsite: '7' })
  })

  it('sends everything to the scenario that the tracker URL names', async () => {
    const page = paqPage([['setTrackerUrl', 'https://collect.example/5'], ['trackPageView'], ['trackEvent', 'a', 'b']])
    await page.pass(1000)
    expect(page.events().map(({ path }) => path)).toEqual(['/5', '/5'])
  })

  it('calls functions with the methods', async () => {
    let visitor: unknown
    const page = paqPage([
      ...setup,
      [
        function (this: Record<string, (...args: unknown[]) => unknown>) {
          visitor = this.getVisitorId?.()
        } as never,
      ],
      ['trackEvent', 'a', 'b'],
    ])
    await page.pass(1000)
    expect(visitor).toBe(page.events()[0]!.params._id)
  })

  it('says once what it does not support, goes on, and never throws', async () => {
    const page = paqPage([
      ...setup,
      ['enableMagic'],
      ['enableMagic'],
      ['constructor'],
      ['setCustomVariable'],
      [] as never,
    ])
    page.queue.push(null as never, 7 as never)
    page.queue.push(['trackEvent', 'a', 'b'])
    await page.pass(1000)
    expect(categories(page)).toEqual(['a'])
    expect(page.warned.filter(([, what]) => what === 'enableMagic')).toHaveLength(1)
  })

  it.each([
    ['//collect.example/matomo.php', 'https://collect.example/matomo.php'],
    ['https://collect.example', 'https://collect.example/matomo.php'],
    ['https://collect.example/5', 'https://collect.example/5'],
    ['https://collect.example/5?from=a/b', 'https://collect.example/5'],
    ['/behind/a/path/', 'https://shop.example/behind/a/path/matomo.php'],
    ['matomo.php', 'https://shop.example/matomo.php'],
  ])('reports to the tracker URL %s', async (given, target) => {
    const page = paqPage([
      ['setTrackerUrl', given],
      ['trackEvent', 'a', 'b'],
    ])
    await page.pass(1000)
    expect(page.sent[0]!.url.split('?')[0]).toBe(target)
  })

  it('adds custom data to what there is, by keys, or takes all of it anew', async () => {
    const page = paqPage([...setup, ['setCustomData', { a: 1 }], ['setCustomData', 'b', 2], ['trackEvent', 'a', 'b']])
    page.queue.push(['setCustomData', { c: 3 }], ['trackEvent', 'a', 'b'])
    await page.pass(1000)
    expect(page.events().map(({ params }) => params.data)).toEqual(['{"a":1,"b":2}', '{"c":3}'])
  })

  it('sends custom data of a call with this call, and never in place of what the call says itself', async () => {
    const page = paqPage([...setup, ['setCustomDimension', 1, 'visit']])
    const own = { idsite: 9, url: '/other', e_c: 'other', rec: 0, dimension1: 'call', plan: 'gold', memberId: 'm' }
    page.queue.push(['trackEvent', 'a', 'b', 'c', 1, own], ['trackPageView', 'Shop', own], ['trackEvent', 'a', 'b'])
    await page.pass(1000)
    const kept = page.events().map(({ params: { idsite, url, e_c, rec } }) => [idsite, url, e_c, rec])
    expect(kept).toEqual([
      ['7', page.url, 'a', '1'],
      ['7', page.url, 'other', '1'],
      ['7', page.url, 'a', '1'],
    ])
    const added = page.events().map(({ params: { dimension1, plan, memberId } }) => [dimension1, plan, memberId])
    expect(added).toEqual([
      ['call', 'gold', 'm'],
      ['call', 'gold', 'm'],
      ['visit', undefined, undefined],
    ])
  })

  it("gives the queue back when it turns out to be Matomo's own", async () => {
    const held: PaqCall[] = []
    const page = paqPage(held, { viaPaq: false })
    held.push(['trackEvent', 'ours', 'x'])
    await page.pass(1000)
    held.push(['trackPageView'])
    held.push(['setTrackerUrl', 'https://matomo.example/matomo.php'], ['setSiteId', '1'])
    await page.pass(1000)
    held.push(['trackEvent', 'theirs', 'x'])
    await page.pass(1000)
    expect(categories(page)).toEqual(['ours'])
    expect(held.map(([method]) => method)).toEqual(['trackPageView', 'setTrackerUrl', 'setSiteId', 'trackEvent'])
    expect(page.events()).toHaveLength(1)
  })

  it("leaves the addresses of the script tag's own page views as they are", async () => {
    const page = fakePage()
    page.url = 'https://shop.example/%EA%B0%80?q=a%26b'
    const paq = paqPage([], { viaPaq: false, page })
    paq.tracker.pageview()
    await page.pass(1000)
    expect(page.events()[0]!.params.url).toBe(page.url)
  })
})

describe('Consent in _paq', () => {
  it('is pending, given, remembered and forgotten', async () => {
    const page = paqPage([...setup, ['requireConsent'], ['trackPageView']])
    await page.pass(1000)
    expect([page.sent.length, page.cookies.size]).toEqual([0, 0])
    page.queue.push(['rememberConsentGiven', 1])
    await page.pass(1000)
    expect(page.events()).toHaveLength(1)
    expect([...page.cookies.keys()].sort()).toEqual(['_hw_id', 'mtm_consent'])
    page.queue.push(['forgetConsentGiven'], ['trackEvent', 'a', 'b'])
    await page.pass(1000)
    expect(page.events()).toHaveLength(1)
    expect([...page.cookies.keys()]).toEqual(['mtm_consent_removed'])
  })

  it('given to Matomo before the move stays given, and taken back stays taken back', async () => {
    for (const [cookie, events] of [
      ['mtm_consent', 1],
      ['mtm_consent_removed', 0],
    ] as const) {
      const page = fakePage()
      page.cookies.set(cookie, '1700000000000')
      paqPage([...setup, ['requireConsent'], ['trackPageView']], { page })
      await page.pass(1000)
      expect(page.events()).toHaveLength(events)
    }
  })

  it('is remembered and forgotten for all of the cookie domain', async () => {
    const page = fakePage()
    const write = vi.spyOn(page.ports.cookies, 'write')
    const { queue } = paqPage([...setup, ['setCookieDomain', '*.shop.example'], ['trackPageView']], { page })
    queue.push(['rememberConsentGiven', 1], ['rememberCookieConsentGiven'], ['forgetCookieConsentGiven'])
    queue.push(['forgetConsentGiven'])
    await page.pass(1000)
    const written = write.mock.calls.map(([cookie]) => cookie)
    expect(new Set(written.map(cookie => cookie.split('=', 1)[0]))).toEqual(
      new Set(['_hw_id', 'mtm_consent', 'mtm_consent_removed', 'mtm_cookie_consent']),
    )
    for (const cookie of written) expect(cookie).toMatch(/;domain=shop\.example$/)
    expect([...page.cookies.keys()]).toEqual(['mtm_consent_removed'])
  })

  it('stores no cookie after disableCookies, and sends no user id against Global Privacy Control', async () => {
    const page = fakePage({ gpcSignal: true })
    paqPage([...setup, ['disableCookies'], ['setUserId', 'u'], ['trackPageView']], { page })
    await page.pass(1000)
    expect(page.cookies.size).toBe(0)
    expect(page.events()[0]!.params).not.toHaveProperty('uid')
  })

  it('obeys setDoNotTrack, whatever is consented to afterwards', async () => {
    for (const dntSignal of [true, false]) {
      const page = fakePage({ dntSignal })
      page.cookies.set('_hw_id', '0123456789abcdef.1700000000')
      const { queue } = paqPage([...setup, ['setDoNotTrack', true], ['trackPageView']], { page })
      queue.push(['setConsentGiven'], ['rememberConsentGiven'], ['forgetUserOptOut'], ['trackEvent', 'a', 'b'])
      await page.pass(1000)
      expect(page.events()).toHaveLength(dntSignal ? 0 : 2)
      expect(page.cookies.has('_hw_id')).toBe(!dntSignal)
      // The decisions are the visitor's, and stay.
      expect([page.cookies.has('mtm_consent'), page.cookies.has('mtm_consent_removed')]).toEqual([true, false])
    }
  })

  it('given for a page lifts an opt-out that was remembered', async () => {
    const page = fakePage()
    page.cookies.set('mtm_consent_removed', '1700000000000')
    paqPage([...setup, ['setConsentGiven'], ['trackPageView']], { page })
    await page.pass(1000)
    expect(page.events()).toHaveLength(1)
    expect([...page.cookies.keys()]).toEqual(['_hw_id'])
  })

  it('taken back takes the consent to cookies along', async () => {
    const page = paqPage([...setup, ['requireCookieConsent'], ['rememberCookieConsentGiven'], ['trackPageView']])
    await page.pass(1000)
    expect([...page.cookies.keys()].sort()).toEqual(['_hw_id', 'mtm_cookie_consent'])
    page.queue.push(['forgetConsentGiven'])
    expect([...page.cookies.keys()]).toEqual(['mtm_consent_removed'])
  })
})

describe('docs/reference/paq.md', () => {
  const text = readFileSync(new URL('../../../docs/reference/paq.md', import.meta.url), 'utf8')
  const listed = (heading: string): string[] => {
    const section = text.split(/^## /m).find(part => part.startsWith(heading)) ?? ''
    return [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    )
  }

  it('lists exactly the methods that there are', () => {
    expect(listed('Supported').sort()).toEqual(paqPage([]).methods.sort())
  })

  it('lists as not supported what is not there', () => {
    const { methods } = paqPage([])
    expect(listed('Not supported').length).toBeGreaterThan(30)
    expect(listed('Not supported').filter(name => methods.includes(name))).toEqual([])
  })
})
