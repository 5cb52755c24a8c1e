import { expect, it, vi } from 'vitest'
import { describeInChromium } from './chromium-suite.ts'
import { arrived, eventsIn } from './received-events.ts'

const tag = '<script async src="$COLLECTOR/headwater.js" data-site-id="1"></script>'
const button = `<button data-hw-event="buttonClick" data-hw-action="Clicked" data-hw-name="고면할당하기" data-hw-scenario="5">
  <span><b>buy</b></span></button>`
const html = (body: string, head = tag): string =>
  `<!doctype html><meta charset="utf-8"><title>상품 "A" & B</title>${head}<body>${body}`

describeInChromium('The script tag in Chromium', suite => {
  const { waitFor } = vi
  const seen = (): ReturnType<typeof arrived> => arrived(suite.collector)
  const until = (check: () => void): Promise<void> => waitFor(check, { timeout: 10_000, interval: 20 })
  const clicks = (): ReturnType<typeof arrived> => seen().filter(({ params }) => params.e_c)
  const views = (): ReturnType<typeof arrived> => seen().filter(({ params }) => params.action_name)

  it('reports the page view at once, in the URL of a GET, without a preflight', async () => {
    const page = await (await suite.profile()).newPage()
    const url = suite.page('/a', html(''))
    await page.goto(`${url}?x=1#frag`)
    await until(() => expect(seen()).toHaveLength(1))
    const { method, path, params } = seen()[0]!
    expect([method, path]).toEqual(['GET', '/matomo.php'])
    expect(params).toMatchObject({
      action_name: '상품 "A" & B',
      idsite: '1',
      rec: '1',
      url: `${url}?x=1#frag`,
      _idn: '1',
      send_image: '0',
      cookie: '1',
      res: '1280x800',
      hw_seq: '1',
      hw_try: '0',
      hw_bot: '1',
    })
    expect(params._id).toMatch(/^[0-9a-f]{16}$/)
    expect(params.hw_id).toMatch(/^[\w-]{22}$/)
    expect(params.hw_pl).toMatch(/^[\w-]{8}$/)
    expect(params).not.toHaveProperty('memberId')
    expect(params).not.toHaveProperty('cdo')
    expect(suite.collector.received.map(({ method }) => method)).toEqual(['GET'])
    expect(suite.collector.received[0]!.headers).not.toHaveProperty('cookie')
  })

  it('reports a click on what lies inside a declared element to its scenario', async () => {
    const page = await (await suite.profile()).newPage()
    await page.goto(suite.page('/b', html(`${button}<p id="other">no</p>`)))
    await until(() => expect(views()).toHaveLength(1))
    await page.click('#other')
    await page.click('b')
    await until(() => expect(clicks()).toHaveLength(1))
    const [{ path, params }] = clicks() as [ReturnType<typeof arrived>[0]]
    expect(path).toBe('/5')
    expect(params).toMatchObject({ e_c: 'buttonClick', e_a: 'Clicked', e_n: '고면할당하기', ca: '1', _idn: '0' })
    expect(params.pv_id).toBe(views()[0]!.params.pv_id)
    expect(params._id).toBe(views()[0]!.params._id)
    expect(seen()).toHaveLength(2)
  })

  it('reports the keyboard, and clicks whose propagation the page stops', async () => {
    const page = await (await suite.profile()).newPage()
    await page.goto(
      suite.page('/k', html(`${button}<script>document.body.onclick = e => e.stopPropagation()</script>`)),
    )
    await until(() => expect(views()).toHaveLength(1))
    await page.focus('button')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Space')
    await until(() => expect(clicks()).toHaveLength(2))
  })

  it('loses nothing of a click that leaves the page', async () => {
    const page = await (await suite.profile()).newPage()
    suite.page('/next', html('next', ''))
    await page.goto(suite.page('/l', html(`<a href="/next" data-hw-event="leave">next</a>`)))
    await until(() => expect(views()).toHaveLength(1))
    await page.click('a')
    // Also because closing a context in the middle of a navigation now and then hangs when the page has any `pagehide`
    // listener, an empty one too (measured without the tracker: 3 of 40; without a listener 0 of 80).
    await page.waitForURL('**/next')
    await until(() => expect(clicks()).toHaveLength(1))
    // It left with the page, by the beacon, not by the timer.
    expect(clicks()[0]!.method).toBe('POST')
    expect(clicks()[0]!.params).not.toHaveProperty('cdo')
  })

  it('loses nothing of a click before a reload', async () => {
    const page = await (await suite.profile()).newPage()
    await page.goto(suite.page('/l', html(button)))
    await until(() => expect(views()).toHaveLength(1))
    await page.evaluate(`document.querySelector('button').click()`)
    await page.reload()
    await until(() => expect([views().length, clicks().length]).toEqual([2, 1]))
  })

  it('loses nothing when the tab is closed right after several clicks on several scenarios', async () => {
    const context = await suite.profile()
    const page = await context.newPage()
    suite.collector.behaviour.latencyMs = 200
    await page.goto(suite.page('/c', html(button)))
    await page.waitForFunction('window.headwater')
    await page.evaluate(`for (let i = 0; i < 60; i++) headwater.event('c', 'a', 'n' + i, { scenarioId: 5 + i % 2 })`)
    await page.close({ runBeforeUnload: false })
    await until(() => expect(clicks()).toHaveLength(60))
    for (const { path, params } of clicks()) expect(path).toBe(`/${5 + (+params.e_n!.slice(1) % 2)}`)
    // Every request, bulks too, has the visitor in its URL.
    const visitor = clicks()[0]!.params._id
    for (const { target } of suite.collector.received) expect(target).toContain(`_id=${visitor}`)
  })

  it('delivers what failed, with hw_try and without doubles', async () => {
    const page = await (await suite.profile()).newPage()
    suite.collector.behaviour.status = 503
    await page.goto(suite.page('/r', html('')))
    await until(() => expect(suite.collector.received.length).toBeGreaterThan(0))
    suite.collector.behaviour.status = 204
    await until(() => {
      const attempts = suite.collector.received.flatMap(eventsIn)
      expect(attempts.some(({ params }) => params.hw_try !== '0')).toBe(true)
      expect(new Set(attempts.map(({ params }) => params.hw_id)).size).toBe(1)
    })
  })

  it('keeps for the next visit what the collector never took, and removes it once it has', async () => {
    const page = await (await suite.profile()).newPage()
    suite.collector.behaviour.status = 500
    await page.goto(suite.page('/q', html('')))
    const stored = (): Promise<number> =>
      page.evaluate(`Object.keys(localStorage).filter(key => key.startsWith('_hw_q.')).length`)
    await until(() => expect(suite.collector.received.length).toBeGreaterThan(0))
    await waitFor(async () => expect(await stored()).toBe(1), { timeout: 5000 })
    const { hw_id } = seen()[0]!.params
    await page.goto(suite.page('/blank', html('', '')))
    suite.collector.reset()
    await page.goto(`${suite.site.origin}/q`)
    await until(() => expect(seen().map(({ params }) => params.hw_id)).toContain(hw_id))
    const again = seen().find(({ params }) => params.hw_id === hw_id)!
    expect(+again.params.hw_try!).toBeGreaterThan(0)
    expect(+again.params.cdo!).toBeGreaterThan(0)
    await waitFor(async () => expect(await stored()).toBe(0), { timeout: 5000 })
  })

  it('delivers on the next visit what was clicked without a network', async () => {
    const context = await suite.profile()
    const page = await context.newPage()
    const url = suite.page('/off', html(button))
    await page.goto(url)
    await until(() => expect(views()).toHaveLength(1))
    await context.setOffline(true)
    await page.click('button')
    await page.goto('about:blank')
    await context.setOffline(false)
    // It may be here already: `fetchLater` does not notice that the network is only said to be away.
    await page.goto(url)
    await until(() => expect(clicks()).toHaveLength(1))
  })

  it('counts single-page navigations as the table says', async () => {
    const page = await (await suite.profile()).newPage()
    const origin = suite.site.origin
    await page.goto(suite.page('/spa', html('')))
    await until(() => expect(views()).toHaveLength(1))
    // Settled when a later navigation has been counted: what must not be counted would have come before it.
    const count = async (script: string, more: string[]): Promise<void> => {
      const before = views().length
      await page.evaluate(script)
      await page.evaluate('new Promise(resolve => setTimeout(resolve, 150)).then(() => headwater.flush())')
      await until(() =>
        expect(
          views()
            .slice(before)
            .map(({ params }) => params.url),
        ).toEqual(more),
      )
    }
    await count(`history.pushState(0, '', '/x')`, [`${origin}/x`])
    await count(`history.pushState(0, '', '/x'); history.replaceState(0, '', '/x')`, [])
    await count(`history.replaceState(0, '', '/y')`, [`${origin}/y`])
    await count(`history.replaceState(0, '', location.href); history.pushState(0, '', '/z')`, [`${origin}/z`])
    await count(`history.pushState(0, '', '/1'); history.pushState(0, '', '/2')`, [`${origin}/2`])
    await count(`history.pushState(0, '', '?page=2'); location.hash = 'x'`, [])
    await count(`history.pushState(0, '', '/a')`, [`${origin}/a`])
    expect(views().at(-1)!.params.urlref).toBe(`${origin}/2?page=2#x`)
    await count('history.back()', [`${origin}/2?page=2#x`])
  })

  it('sends and stores nothing before consent, all of it after, and erases it when consent is denied', async () => {
    const context = await suite.profile()
    const page = await context.newPage()
    const pending = tag.replace('data-site-id', 'data-consent="pending" data-site-id')
    await page.goto(suite.page('/consent', html(button, pending)))
    await page.waitForFunction('window.headwater')
    await page.click('button')
    await page.evaluate('headwater.flush()')
    expect(suite.collector.received).toHaveLength(0)
    expect(await context.cookies()).toHaveLength(0)
    await page.evaluate(`headwater.consent('granted')`)
    await until(() => expect([views().length, clicks().length]).toEqual([1, 1]))
    expect((await context.cookies()).map(({ name }) => name)).toEqual(['_hw_id'])
    await page.evaluate(`headwater.consent('denied'); headwater.event('c', 'a'); headwater.flush()`)
    expect(await context.cookies()).toHaveLength(0)
    expect(clicks()).toHaveLength(1)
  })

  it('keeps the visitor id of a Matomo cookie, and its own over page loads', async () => {
    const context = await suite.profile()
    const page = await context.newPage()
    const value = 'abcdef0123456789.1700000000.'
    await context.addCookies([{ name: '_pk_id.1.1fff', value, url: suite.site.origin }])
    await page.goto(suite.page('/m', html('')))
    await until(() => expect(views()).toHaveLength(1))
    await page.reload()
    await until(() => expect(views()).toHaveLength(2))
    for (const { params } of views()) expect(params).toMatchObject({ _id: 'abcdef0123456789', _idn: '0' })
  })

  it('counts once when the page has the tag twice, and flags itself when driven by a program', async () => {
    const page = await (await suite.profile()).newPage()
    await page.goto(suite.page('/twice', html('', tag + tag.replace(' async', ''))))
    await page.waitForLoadState()
    await page.evaluate('headwater.flush()')
    await until(() => expect(views()).toHaveLength(1))
  })

  it('works under a strict content security policy with trusted types', async () => {
    const page = await (await suite.profile()).newPage()
    const errors: Error[] = []
    page.on('pageerror', error => errors.push(error))
    const policy = `default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src ${suite.collector.origin}; require-trusted-types-for 'script'`
    const nonced = html(button, tag.replace('<script', '<script nonce="abc"'))
    await page.goto(suite.page('/csp', nonced, { 'content-security-policy': policy }))
    await until(() => expect(views()).toHaveLength(1))
    await page.click('button')
    await until(() => expect(clicks()).toHaveLength(1))
    expect(errors).toEqual([])
  })

  it.each([
    ['storage throws', `Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })`],
    [
      'cookies throw',
      `Object.defineProperty(document, 'cookie', { get() { throw new Error('no') }, set() { throw new Error('no') } })`,
    ],
    ['there is no sendBeacon', 'navigator.sendBeacon = undefined'],
    ['there are no locks', `Object.defineProperty(navigator, 'locks', { value: undefined })`],
    ['there is no Navigation API', `Object.defineProperty(window, 'navigation', { value: undefined })`],
  ])('reports and throws nothing when %s', async (_name, sabotage) => {
    const page = await (await suite.profile()).newPage()
    const errors: Error[] = []
    page.on('pageerror', error => errors.push(error))
    await page.addInitScript(sabotage)
    await page.goto(suite.page('/sabotage', html(button)))
    await until(() => expect(views()).toHaveLength(1))
    await page.click('button')
    await page.evaluate(`history.pushState(0, '', '/elsewhere')`)
    await until(() => expect([views().length, clicks().length]).toEqual([2, 1]))
    expect(errors).toEqual([])
  })

  it('stays silent in a sandboxed frame, where cookies and storage are refused', async () => {
    const page = await (await suite.profile()).newPage()
    const errors: Error[] = []
    page.on('pageerror', error => errors.push(error))
    suite.page('/inner', html(button))
    await page.goto(suite.page('/frame', html('<iframe sandbox="allow-scripts" src="/inner"></iframe>', '')))
    await until(() => expect(views()).toHaveLength(1))
    expect(errors).toEqual([])
  })

  it('tracks from a module import as well', async () => {
    const page = await (await suite.profile()).newPage()
    const module = `<script type="module">
      import { createTracker } from '/index.js'
      window.tracker = createTracker({ endpoint: '$COLLECTOR/', siteId: 7, memberId: 'm 1' })
      tracker.event('c', 'a', '\\ud800x', { value: 3.5, memberId: '123456' })
      tracker.pageview({ title: 'second' })
    </script>`
    await page.goto(suite.page('/module', html('', module)))
    await until(() => expect(seen()).toHaveLength(3))
    expect(clicks()[0]!.params).toMatchObject({ e_n: '\ufffdx', e_v: '3.5', memberId: '123456', idsite: '7' })
    expect(views().map(({ params }) => params.memberId)).toEqual(['m 1', 'm 1'])
  })
})
