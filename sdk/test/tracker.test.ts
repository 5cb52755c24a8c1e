import { readFileSync } from 'node:fs'
import * as names from '@headwater/core/names'
import { describe, expect, it } from 'vitest'
import type { TrackerOptions } from '../src/options.ts'
import { startTracker, type Tracker } from '../src/tracker.ts'
import { VERSION } from '../src/version.ts'
import { type FakePage, fakePage } from './fake-ports.ts'

const start = (page: FakePage, options: Partial<TrackerOptions> = {}): Tracker =>
  startTracker({ endpoint: 'https://collect.example', siteId: 1, ...options }, page.ports)
const categories = (page: FakePage): (string | undefined)[] => page.events().map(({ params }) => params.e_c)
const views = (page: FakePage): string[] =>
  page.events().flatMap(({ params }) => (params.action_name === undefined ? [] : [params.url!]))

describe('An event', () => {
  it("has Matomo's parameters in Matomo's order, then ours", async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false, memberId: '123456' })
    tracker.event('buttonClick', 'Clicked', '고면할당하기', { value: 3.5, scenarioId: 5 })
    await page.pass(1000)
    const [{ path, params }] = page.events() as [ReturnType<FakePage['events']>[0]]
    expect(path).toBe('/5')
    expect(Object.keys(params).join(' ')).toBe(
      'e_c e_a e_n e_v ca idsite rec h m s url urlref memberId _id _idn send_image cookie res ' +
        'hw_id hw_pl hw_seq hw_ts hw_v hw_try',
    )
    expect(params).toMatchObject({ e_n: '고면할당하기', e_v: '3.5', ca: '1', memberId: '123456' })
  })

  it('uses the names of core', async () => {
    const page = fakePage()
    const tracker = start(page, { memberId: 'm' })
    tracker.event('c', 'a', 'n', { value: 1 })
    await page.pass(1000)
    const own = names as Readonly<Record<string, string>>
    const sent = new Set(page.events().flatMap(({ params }) => Object.keys(params)))
    const listed =
      'EVENT_ID PAGE_LOAD_ID SEQUENCE CLIENT_TIME ATTEMPT SDK_VERSION VISITOR_ID NEW_VISITOR MEMBER_ID SITE_ID CATEGORY ACTION NAME VALUE'
    for (const name of listed.split(' ')) expect(sent).toContain(own[name])
  })

  it('without a category is not sent', async () => {
    const page = fakePage()
    start(page, { autoPageview: false }).event('', 'a')
    await page.pass(5000)
    expect(page.sent).toEqual([])
  })

  it('goes to the site when its scenario is not a number: never to a path that refuses it', async () => {
    const page = fakePage()
    start(page, { autoPageview: false }).event('c', 'a', 'n', { scenarioId: '../5' })
    await page.pass(1000)
    expect(page.events()[0]!.path).toBe('/matomo.php')
  })

  it('that is too long for a URL goes into the body, and its URL still names the visitor', async () => {
    const page = fakePage()
    start(page, { autoPageview: false }).event('c', 'a', '가'.repeat(1000), { scenarioId: 5 })
    await page.pass(1000)
    expect(page.sent[0]!.url).toMatch(/^https:\/\/collect\.example\/5\?_id=[0-9a-f]{16}$/)
    expect(page.events()[0]!.params.e_n).toBe('가'.repeat(1000))
  })

  it('shares a request with others of its scenario only', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    for (const [name, scenarioId] of [
      ['a', 5],
      ['b', 6],
      ['c', 5],
    ] as const)
      tracker.event('c', 'a', name, { scenarioId })
    await page.pass(1000)
    expect(page.sent).toHaveLength(2)
    expect(page.events().map(({ path, params }) => path + params.e_n)).toEqual(['/5a', '/5c', '/6b'])
  })

  it('waits for company at most 2.5 s', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    for (let i = 0; i < 13; i++) {
      tracker.event('c', 'a')
      await page.pass(200)
    }
    expect(page.events().length).toBeGreaterThanOrEqual(12)
    expect(page.sent).toHaveLength(1)
  })

  it('is never sent within the call, however many wait', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    for (let i = 0; i < 100; i++) tracker.event('c', 'a')
    expect(page.sent).toEqual([])
    await page.pass(0)
    expect(page.events()).toHaveLength(100)
  })

  it('is written when the page has had its turn, with what was true in the call', async () => {
    const page = fakePage()
    const options = { endpoint: 'https://collect.example', siteId: 1, autoPageview: false, memberId: 'first' }
    const tracker = startTracker(options, page.ports)
    tracker.event('c', 'a')
    expect(page.cookies.size).toBe(0)
    tracker.setMember('second')
    page.url = 'https://shop.example/other'
    // As `setTrackerUrl` of `_paq` does.
    options.endpoint = 'https://other.example'
    await page.pass(1000)
    expect(page.sent[0]!.url).toMatch('https://collect.example/')
    expect(page.events()).toMatchObject([{ params: { memberId: 'first', url: 'https://shop.example/a' } }])
  })

  it('leaves at once when the page is hidden, for it may have no other turn', () => {
    const page = fakePage()
    const tracker = start(page)
    page.visible = false
    page.fire('hide')
    tracker.event('c', 'a')
    expect(categories(page)).toEqual([undefined, 'c'])
  })

  it('reports the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    expect(VERSION).toBe(version)
  })
})

describe('The ids of events', () => {
  it('have 22 letters and digits and are never the same', async () => {
    const page = fakePage()
    const tracker = start(page)
    for (let i = 0; i < 300; i++) {
      tracker.event('list', 'seen', `${i}`)
      await page.pass(100)
    }
    await page.pass(1000)
    const ids = page.events().map(({ params }) => params.hw_id)
    expect(ids).toHaveLength(301)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z\d]{22}$/)
    expect(new Set(ids).size).toBe(301)
  })
})

describe('A click', () => {
  it('is what the innermost declared element says', async () => {
    const page = fakePage()
    start(page, { autoPageview: false })
    page.click({}, { dataset: { hwEvent: 'in', hwScenario: '5', hwValue: '2' } }, { dataset: { hwEvent: 'out' } })
    page.click({ dataset: { other: '1' } }, {})
    await page.pass(1000)
    expect(page.events()).toMatchObject([{ path: '/5', params: { e_c: 'in', e_a: 'Clicked', e_v: '2' } }])
  })
})

describe('The first page view', () => {
  it('is sent at once', () => {
    const page = fakePage()
    start(page)
    expect(page.sent).toHaveLength(1)
  })

  it('waits until a page that was opened in the background is seen', () => {
    const page = fakePage()
    page.visible = false
    start(page)
    expect(page.sent).toHaveLength(0)
    page.visible = true
    page.fire('show')
    page.fire('show')
    expect(views(page)).toHaveLength(1)
  })

  it.each([
    [{}, 2],
    [{ autoPageview: false }, 2],
    [{ spa: false }, 2],
    [{ autoPageview: false, spa: false }, 1],
  ])('with %j is counted %i times when the page comes back from the back/forward cache', async (options, times) => {
    const page = fakePage()
    const tracker = start(page, options)
    if ('autoPageview' in options) tracker.pageview()
    page.fire('restore')
    await page.pass(1000)
    expect(views(page)).toHaveLength(times)
  })
})

describe('A page that is not seen yet, in a background tab or prerendered', () => {
  it('sends nothing, then one page view of where it has redirected to, and what else happened', async () => {
    const page = fakePage()
    page.visible = false
    const tracker = start(page)
    tracker.event('c', 'a')
    page.navigate('/b')
    await page.pass(5_000)
    expect([page.sent.length, page.cookies.size]).toEqual([0, 0])
    page.visible = true
    page.fire('show')
    await page.pass(1_000)
    expect(views(page)).toEqual(['https://shop.example/b'])
    expect(page.events().map(({ params }) => params.urlref)).toEqual(Array(2).fill('https://search.example/?q=한글'))
    expect(categories(page)).toContain('c')
  })
})

describe('A single-page navigation', () => {
  it.each([
    ['to another path', ['/b'], ['/b']],
    ['to the same address', ['/a'], []],
    ['that redirects at once', ['/a', '/b'], ['/b']],
    ['that is followed by another within 50 ms', ['/b', '/c'], ['/c']],
    ['to another query or fragment', ['?page=2', '#x'], []],
  ])('%s', async (_name, addresses, counted) => {
    const page = fakePage()
    start(page)
    for (const address of addresses) {
      page.navigate(address)
      await page.pass(50)
    }
    await page.pass(2000)
    expect(views(page).slice(1)).toEqual(counted.map(path => `https://shop.example${path}`))
  })

  it('and back again are two', async () => {
    const page = fakePage()
    start(page)
    for (const address of ['/b', '/a']) {
      page.navigate(address)
      await page.pass(500)
    }
    await page.pass(2000)
    expect(views(page)).toHaveLength(3)
    expect(page.events().map(({ params }) => params.urlref)).toEqual([
      'https://search.example/?q=한글',
      'https://shop.example/a',
      'https://shop.example/b',
    ])
  })

  it('is counted when the page is left before it has settled', () => {
    const page = fakePage()
    start(page)
    page.navigate('/b')
    page.visible = false
    page.fire('hide')
    expect(views(page)).toEqual(['https://shop.example/a', 'https://shop.example/b'])
  })

  it('before the first page view does not hide where the visitor came from', () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    page.navigate('/b')
    tracker.pageview()
    expect(page.events()[0]!.params.urlref).toBe('https://search.example/?q=한글')
  })

  it('is not counted twice when the page reports it itself', async () => {
    const page = fakePage()
    const tracker = start(page)
    page.navigate('/b')
    tracker.pageview()
    await page.pass(3000)
    expect(views(page)).toHaveLength(2)
  })
})

describe('Leaving the page', () => {
  it('hands over at once what waits', () => {
    const page = fakePage()
    start(page).event('c', 'a', 'n', { scenarioId: 5 })
    page.fire('hide')
    expect(page.sent.at(-1)).toMatchObject({ by: 'beacon', body: '' })
    expect(page.events().at(-1)!.path).toBe('/5')
  })

  it('halves what sendBeacon refuses until it is taken', () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    page.takesBeacon = chars => chars < 3000
    for (let i = 0; i < 19; i++) tracker.event('c', 'a', `n${i}`)
    page.fire('hide')
    expect(page.events()).toHaveLength(19)
    expect(page.sent.every(({ by }) => by === 'beacon')).toBe(true)
  })

  it('tries fetch and keeps a copy when sendBeacon takes nothing, and removes it when fetch was answered', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    page.takesBeacon = () => false
    tracker.event('c', 'a')
    page.fire('hide')
    expect(page.sent).toMatchObject([{ by: 'fetch' }])
    expect(page.stored.size).toBe(1)
    await page.pass(0)
    expect(page.stored.size).toBe(0)
  })

  it('keeps for the next visit what cannot leave without a network', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    page.online = false
    tracker.event('c', 'a')
    page.fire('hide')
    expect(page.sent).toEqual([])
    const next = fakePage()
    for (const [key, value] of page.stored) next.stored.set(key, value)
    next.jump(3_600_000)
    start(next, { autoPageview: false })
    await next.pass(1000)
    expect(next.events()).toMatchObject([{ params: { e_c: 'c', hw_try: '1', cdo: '3601' } }])
    expect(next.stored.size).toBe(0)
  })

  it('never sends again what a beacon has taken while the collector was well', async () => {
    const page = fakePage()
    start(page, { autoPageview: false }).event('c', 'a')
    page.fire('hide')
    page.fire('hide')
    page.fire('show')
    await page.pass(600_000)
    expect(page.sent).toHaveLength(1)
  })
})

describe('What is left with the browser in case the page dies', () => {
  const left = (page: FakePage): string[] => page.left.map(({ url, body }) => url + body)

  it('is what is not acknowledged, and is taken back when it is', async () => {
    const page = fakePage()
    page.answer = undefined
    const tracker = start(page, { autoPageview: false })
    tracker.event('c', 'a', 'one')
    await page.pass(1)
    expect(left(page).join()).toContain('e_n=one')
    page.answer = { status: 204, retryAfterMs: 0 }
    tracker.event('c', 'a', 'two')
    await page.pass(1_000)
    expect(left(page).join()).not.toContain('e_n=two')
  })

  /** How often all was taken back, and left anew where there was something. */
  const countTimes = (page: FakePage): (() => number) => {
    let times = 0
    const { leave } = page.ports.transport
    page.ports.transport.leave = (url, body) => {
      if (!url) times++
      leave(url, body)
    }
    return () => times
  }

  it('is not left again because it is on its way', async () => {
    const page = fakePage()
    page.answer = undefined
    const times = countTimes(page)
    start(page, { autoPageview: false }).event('c', 'a', 'one')
    await page.pass(5_000)
    expect(page.sent).toHaveLength(1)
    expect(times()).toBe(1)
    expect(left(page).join()).toContain('e_n=one')
  })

  it('is left at once a few times, then for many changes together, none of them later than 50 ms', async () => {
    const page = fakePage()
    const times = countTimes(page)
    const tracker = start(page, { autoPageview: false })
    await page.pass(1_000)
    for (let i = 0; i < 100; i++) {
      tracker.event('c', 'a', `n${i}.`)
      await page.pass(5)
      if (i === 2) expect(times()).toBe(3)
    }
    expect(times()).toBeLessThan(5 + 500 / 50 + 5)
    page.answer = undefined
    tracker.event('c', 'a', 'last')
    await page.pass(50)
    expect(left(page).join()).toContain('e_n=last')
  })

  it('goes into storage, too, where it is more than a browser takes over', async () => {
    const page = fakePage()
    page.answer = undefined
    const tracker = start(page, { autoPageview: false })
    const report = (count: number): void => {
      for (let i = 0; i < count; i++) tracker.event('c', 'a', 'x'.repeat(4_000))
    }
    const stored = (): string[] => page.ports.storage.names().filter(name => name.startsWith('_hw_q.'))
    report(10)
    await page.pass(50)
    expect(stored()).toEqual([])
    report(10)
    await page.pass(50)
    expect(stored().length).toBeGreaterThanOrEqual(5)
    page.answer = { status: 204, retryAfterMs: 0 }
  })

  it('is right when the page is hidden, and does not wait for ever when the clock jumps', async () => {
    const page = fakePage()
    page.answer = undefined
    const tracker = start(page, { autoPageview: false })
    for (let i = 0; i < 20; i++) tracker.event('c', 'a', `n${i}.`)
    page.fire('hide')
    expect(left(page)).toEqual([])
    page.jump(-86_400_000)
    page.takesBeacon = () => false
    tracker.event('c', 'a', 'later')
    await page.pass(50)
    expect(left(page).join()).toContain('e_n=later')
  })
})

describe('A failed request', () => {
  it.each([
    [503, true],
    [500, true],
    [429, true],
    [408, true],
    [413, false],
    [404, false],
    [204, false],
  ])('answered %i is repeated: %s', async (status, again) => {
    const page = fakePage()
    page.answer = { status, retryAfterMs: 0 }
    start(page)
    await page.pass(10_000)
    expect(page.sent.length > 1).toBe(again)
    if (again) expect(page.events()[1]!.params.hw_try).toBe('1')
    expect(new Set(page.events().map(({ params }) => params.hw_id)).size).toBe(1)
  })

  it('waits as long as the collector asks', async () => {
    const page = fakePage()
    page.answer = { status: 429, retryAfterMs: 60_000 }
    start(page)
    await page.pass(59_000)
    expect(page.sent).toHaveLength(1)
    await page.pass(2_000)
    expect(page.sent).toHaveLength(2)
  })

  it('gives up after three without any answer, keeps the events, and goes on when a network comes', async () => {
    const page = fakePage()
    page.answer = { status: 0, retryAfterMs: 0 }
    start(page)
    await page.pass(3_600_000)
    expect(page.sent).toHaveLength(3)
    expect(page.stored.size).toBe(1)
    page.answer = { status: 204, retryAfterMs: 0 }
    page.fire('online')
    await page.pass(0)
    expect(page.sent).toHaveLength(4)
    expect(page.stored.size).toBe(0)
  })

  it('does not stand in the way when the clock jumps', async () => {
    const page = fakePage()
    page.answer = { status: 503, retryAfterMs: 0 }
    const tracker = start(page)
    await page.pass(0)
    page.jump(-86_400_000)
    page.answer = { status: 204, retryAfterMs: 0 }
    tracker.event('c', 'a')
    await page.pass(5_000)
    expect(categories(page).filter(Boolean)).toEqual(['c'])
    expect(page.stored.size).toBe(0)
  })
})

describe('Storage', () => {
  it('keeps the 200 newest events, and drops pings first', () => {
    const page = fakePage()
    page.online = false
    const tracker = start(page, { autoPageview: false })
    for (let i = 0; i < 30; i++) tracker.track({ ping: 1 }, { minor: true })
    for (let i = 0; i < 190; i++) tracker.event('c', 'a', `n${i}`)
    page.fire('hide')
    const kept = [...page.stored.values()].map(value => JSON.parse(value))
    expect(kept).toHaveLength(200)
    expect(kept.filter(({ minor }) => minor)).toHaveLength(10)
  })

  it('drops what is older than a day or unreadable', async () => {
    const page = fakePage()
    page.stored.set('_hw_q.bad', '{')
    page.stored.set('_hw_q.none', 'null')
    const old = {
      id: 'old',
      target: 'https://collect.example/5?_id=0',
      query: 'e_c=x',
      at: 1_600_000_000_000,
      tries: 0,
    }
    page.stored.set('_hw_q.old', JSON.stringify(old))
    page.stored.set('theirs', '1')
    start(page, { autoPageview: false })
    await page.pass(5000)
    expect([...page.stored.keys()]).toEqual(['theirs'])
    expect(page.sent).toEqual([])
  })

  it("leaves another collector's events alone", async () => {
    const page = fakePage()
    const other = { id: 'o', target: 'https://other.example/5?_id=0', query: 'e_c=x', at: 1_699_999_999_000, tries: 0 }
    page.stored.set('_hw_q.o', JSON.stringify(other))
    start(page, { autoPageview: false })
    await page.pass(5000)
    expect(page.sent).toEqual([])
    expect(page.stored.size).toBe(1)
  })
})

describe('Identity and consent', () => {
  it('sends and stores nothing while consent is pending, then all of it with the time it happened', async () => {
    const page = fakePage()
    const tracker = start(page, { consent: 'pending' })
    for (let i = 0; i < 60; i++) tracker.event('c', 'a', `n${i}`)
    await page.pass(7_000)
    page.fire('hide')
    expect([page.sent.length, page.cookies.size, page.stored.size]).toEqual([0, 0, 0])
    tracker.consent('granted')
    await page.pass(3_000)
    expect(page.events()).toHaveLength(50)
    expect(page.events()[0]!.params.cdo).toBe('7')
  })

  it('loses no other event to one that cannot be written', async () => {
    const page = fakePage()
    const tracker = start(page, { consent: 'pending', autoPageview: false })
    const hostile: { toString(): string } = {
      toString: () => {
        throw new Error('no')
      },
    }
    for (const name of ['1', hostile as string, '2']) tracker.event('c', 'a', name)
    tracker.consent('granted')
    await page.pass(1_000)
    expect(page.events().map(({ params }) => params.e_n)).toEqual(['1', '2'])
  })

  it('forgets everything when consent is denied', async () => {
    const page = fakePage()
    page.stored.set('_hw_r', '[1,{}]')
    page.stored.set('others', 'x')
    page.answer = { status: 503, retryAfterMs: 0 }
    const tracker = start(page)
    await page.pass(100)
    expect([page.cookies.size, page.stored.size]).toEqual([1, 3])
    const sent = page.sent.length
    tracker.consent('denied')
    tracker.event('c', 'a')
    await page.pass(600_000)
    expect([page.cookies.size, [...page.stored.keys()]]).toEqual([0, ['others']])
    expect(page.sent.length).toBe(sent)
  })

  it('does not repeat what was in flight when consent is denied', async () => {
    const page = fakePage()
    page.answer = { status: 503, retryAfterMs: 0 }
    const tracker = start(page)
    tracker.consent('denied')
    await page.pass(600_000)
    expect(page.sent).toHaveLength(1)
  })

  it.each([
    [{ gpcSignal: true }, {}, true],
    [{ dntSignal: true }, {}, false],
    [{ dntSignal: true }, { dnt: 'cookieless' }, true],
    [{ gpcSignal: true }, { gpc: 'ignore' }, false],
    [{}, { cookieless: true }, true],
  ] as const)('with %j and %j is cookieless: %s', async (signals, options, cookieless) => {
    const page = fakePage(signals)
    page.answer = { status: 503, retryAfterMs: 0 }
    start(page, { ...options, memberId: 'm' })
    await page.pass(10)
    const { params } = page.events()[0]!
    expect([page.cookies.size, page.stored.size, params.memberId]).toEqual(cookieless ? [0, 0, undefined] : [1, 1, 'm'])
    expect(params._id).toMatch(/^[0-9a-f]{16}$/)
  })

  it('does nothing at all where a signal says so', async () => {
    const page = fakePage({ gpcSignal: true })
    const tracker = start(page, { gpc: 'off' })
    tracker.consent('granted')
    tracker.event('c', 'a')
    await page.pass(5000)
    expect([page.sent.length, page.cookies.size]).toEqual([0, 0])
  })

  it.each([
    ['asked for', { serverCookie: true }, {}, '1'],
    ['not asked for', {}, {}, undefined],
    ['asked for without storage', { serverCookie: true, cookieless: true }, {}, undefined],
    ['asked for against a signal', { serverCookie: true }, { gpcSignal: true }, undefined],
  ] as const)("the collector's cookie, %s", async (_name, options, signals, asks) => {
    const page = fakePage(signals)
    start(page, { ...options, consent: 'pending' }).consent('granted')
    await page.pass(1000)
    expect(page.events()[0]!.params.hw_ck).toBe(asks)
  })

  it("takes the collector's cookie back when consent is denied, where there may be one", () => {
    for (const serverCookie of [true, false]) {
      const page = fakePage()
      start(page, { serverCookie, autoPageview: false }).consent('denied')
      const asked = serverCookie ? [{ by: 'beacon', url: 'https://collect.example/forget', body: '' }] : []
      expect(page.sent).toEqual(asked)
    }
  })

  it('says who signed in, and no longer after signing out', async () => {
    const page = fakePage()
    const tracker = start(page, { autoPageview: false })
    tracker.setMember('m1')
    tracker.event('c', 'a')
    tracker.setMember(null)
    tracker.event('c', 'a')
    await page.pass(1000)
    expect(page.events().map(({ params }) => params.memberId)).toEqual(['m1', undefined])
  })

  it('keeps the id and the creation date of a Matomo cookie', async () => {
    const page = fakePage()
    page.cookies.set('other', 'x')
    page.cookies.set('_pk_id.1.1fff', 'abcdef0123456789.1690000000.')
    start(page)
    expect(page.events()[0]!.params).toMatchObject({ _id: 'abcdef0123456789', _idn: '0' })
    expect(page.cookies.get('_hw_id')).toBe('abcdef0123456789.1690000000')
  })
})

describe('The tracker', () => {
  it('resolves flush when all is answered, and when nothing can be delivered', async () => {
    const page = fakePage()
    const tracker = start(page)
    tracker.event('c', 'a')
    await tracker.flush()
    expect(page.events()).toHaveLength(2)
    page.online = false
    tracker.event('c', 'a')
    await tracker.flush()
    expect(page.events()).toHaveLength(2)
  })

  it('hands over what waits when destroyed, and then lets go', async () => {
    const page = fakePage()
    const tracker = start(page)
    tracker.event('c', 'a')
    tracker.destroy()
    expect(page.events()).toHaveLength(2)
    await page.pass(0)
    tracker.event('c', 'b')
    page.navigate('/b')
    page.click({ dataset: { hwEvent: 'x' } })
    page.fire('hide')
    await page.pass(600_000)
    expect(page.events()).toHaveLength(2)
    expect(page.timers()).toBe(0)
  })

  it('never throws, whatever it is given', () => {
    const page = fakePage()
    const tracker = start(page)
    const hostile = {
      toString: () => {
        throw new Error('no')
      },
    } as unknown as string
    tracker.event(hostile, hostile, hostile)
    tracker.track(undefined as never)
    tracker.pageview(null as never)
    tracker.event('c', 'a', 'n', null as never)
    tracker.consent('nonsense' as never)
    tracker.setMember(hostile)
    tracker.destroy()
    tracker.destroy()
  })

  it('can be imported and called where there is no page', async () => {
    const { createTracker } = await import('../src/index.ts')
    const tracker = createTracker({ endpoint: 'https://collect.example' })
    tracker.event('c', 'a')
    tracker.pageview()
    await tracker.flush()
    tracker.destroy()
  })
})
