import { expect, it } from 'vitest'
import { button, describeInEngines, expectNoMore, html, tag } from './engine-suite.ts'

describeInEngines('The script tag', suite => {
  it('reports the page view by one GET, without preflight and without cookies', async () => {
    const page = await suite.newPage()
    const url = `${suite.put('/view', html(''))}?x=1#frag`
    await page.goto(url)
    await suite.until(() => expect(suite.seen()).toHaveLength(1))
    const [{ path, params }] = suite.seen() as [ReturnType<typeof suite.seen>[0]]
    expect(path).toBe('/matomo.php')
    expect(params).toMatchObject({ action_name: '상품 "A" & B', idsite: '1', url, _idn: '1', hw_try: '0', hw_bot: '1' })
    await expectNoMore(suite, page, 1)
    expect(suite.collector.received.map(({ method }) => method)).toEqual(['GET'])
    expect(suite.collector.received[0]!.headers).not.toHaveProperty('cookie')
    expect(await suite.faults(page)).toEqual([])
  })

  it('reports a declared click to its scenario, and no other click', async () => {
    const page = await suite.newPage()
    await page.goto(suite.put('/click', html(`${button}<p id="other">no</p>`)))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('#other')
    await page.click('b')
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
    const [{ path, params }] = suite.clicks() as [ReturnType<typeof suite.clicks>[0]]
    expect(path).toBe('/5')
    expect(params).toMatchObject({ e_c: 'buttonClick', e_a: 'Clicked', e_n: '고면할당하기', _idn: '0' })
    expect(params._id).toBe(suite.views()[0]!.params._id)
    await expectNoMore(suite, page, 2)
  })

  it('keeps the visitor over page loads and tabs', async () => {
    const page = await suite.newPage()
    const url = suite.put('/keep', html(''))
    await page.goto(url)
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    const other = await suite.newPage()
    await other.goto(url)
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    const [first, second] = suite.views()
    expect(second!.params).toMatchObject({ _id: first!.params._id, _idn: '0' })
  })

  it('sends and stores nothing before consent, all of it after, and erases it when denied', async () => {
    const page = await suite.newPage()
    const pending = tag.replace('data-site-id', 'data-consent="pending" data-site-id')
    await page.goto(suite.put('/consent', html(button, pending)))
    await page.click('button')
    await expectNoMore(suite, page, 0)
    const kept = (): Promise<unknown> => page.evaluate(`[document.cookie, Object.keys(localStorage)].flat().join(' ')`)
    expect(await kept()).toBe('')
    await page.evaluate(`headwater.consent('granted')`)
    await suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([1, 1]))
    expect(await kept()).toMatch(/^_hw_id=/)
    await page.evaluate(`(headwater.consent('denied'), headwater.event('c', 'a'), headwater.flush())`)
    expect(await kept()).toBe('')
    await expectNoMore(suite, page, 2)
  })

  it('counts a page that comes back out of the back/forward cache, with its visitor', async () => {
    const page = await suite.newPage()
    const restored = `<script>addEventListener('pageshow', event => { window.restored = event.persisted })</script>`
    suite.put('/away', html('', ''))
    await page.goto(suite.put('/bf', html(`<a href="/away">away</a>${restored}`)))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('a')
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/away'))
    await page.back()
    // Restored or loaded anew: one more in both cases, never two.
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    await expectNoMore(suite, page, 2)
    const [first, second] = suite.views()
    expect(second!.params._id).toBe(first!.params._id)
    expect(second!.params.pv_id).not.toBe(first!.params.pv_id)
    // Chromium's driver switches the cache off.
    if (suite.engine.name !== 'chromium') expect(await page.evaluate('window.restored')).toBe(true)
  })

  it('repeats what was refused, under the same id', async () => {
    const page = await suite.newPage()
    suite.collector.behaviour.status = 503
    await page.goto(suite.put('/refused', html('')))
    await suite.until(() => expect(suite.collector.received.length).toBeGreaterThan(0))
    suite.collector.behaviour.status = 204
    await suite.until(() => expect(suite.collector.received.length).toBeGreaterThan(1))
    expect(suite.seen()).toHaveLength(1)
    expect(+suite.seen()[0]!.params.hw_try!).toBeGreaterThan(0)
  })

  it('does not keep a click waiting for a collector that hangs', async () => {
    const page = await suite.newPage()
    suite.collector.behaviour.hang = true
    suite.put('/next', html('', ''))
    await page.goto(suite.put('/hang', html('<a href="/next" data-hw-event="leave">next</a>')))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    const before = Date.now()
    await page.click('a')
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/next'))
    // No figure of speed: the collector never answers, so any waiting for it would last until the browser gives up.
    expect(Date.now() - before).toBeLessThan(10_000)
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
  })

  it('tracks from a module import', async () => {
    const page = await suite.newPage()
    const module = `<script type="module">
      import { createTracker } from '/index.js'
      const tracker = createTracker({ endpoint: '$COLLECTOR/', siteId: 7, memberId: 'm 1' })
      tracker.event('c', 'a', '\\ud800x', { value: 3.5, memberId: '123456' })
    </script>`
    await page.goto(suite.put('/module', html('', module)))
    await suite.until(() => expect(suite.seen()).toHaveLength(2))
    expect(suite.clicks()[0]!.params).toMatchObject({ e_n: '\ufffdx', e_v: '3.5', memberId: '123456', idsite: '7' })
    expect(await suite.faults(page)).toEqual([])
  })
})
