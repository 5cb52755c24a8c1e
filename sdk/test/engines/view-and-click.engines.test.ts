import { expect, it } from 'vitest'
import type { ReceivedEvent } from '../received-events.ts'
import { describeInEngines } from './engine-suite.ts'

describeInEngines('The script tag', suite => {
  it('reports the page view at once, by one GET, without preflight and without cookies', async () => {
    const page = await suite.open('view.html?x=1#frag')
    await suite.until(() => expect(suite.seen()).toHaveLength(1))
    const [{ method, path, params }] = suite.seen() as [ReceivedEvent]
    expect([method, path]).toEqual(['GET', '/matomo.php'])
    expect(params).toMatchObject({
      action_name: '상품 "A" & B',
      idsite: '1',
      rec: '1',
      url: `${suite.site.origin}/view.html?x=1#frag`,
      _idn: '1',
      send_image: '0',
      cookie: '1',
      res: await page.evaluate<string>('screen.width + "x" + screen.height'),
      hw_seq: '1',
      hw_try: '0',
      // Flagged as driven by a program, and counted.
      hw_bot: '1',
    })
    expect(params._id).toMatch(/^[0-9a-f]{16}$/)
    expect(params.hw_id).toMatch(/^[\w-]{22}$/)
    expect(params.hw_pl).toMatch(/^[\w-]{8}$/)
    expect(params).not.toHaveProperty('memberId')
    expect(params).not.toHaveProperty('cdo')
    expect(await suite.leave(page)).toEqual([])
    expect(suite.collector.received.map(({ method }) => method)).toEqual(['GET'])
    expect(suite.collector.received[0]!.headers).not.toHaveProperty('cookie')
  })

  it('reports a click within a declared element to its scenario, and no other click', async () => {
    const page = await suite.open('click.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('#other')
    await page.click('b')
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
    const [{ path, params }] = suite.clicks() as [ReceivedEvent]
    expect(path).toBe('/5')
    expect(params).toMatchObject({ e_c: 'buttonClick', e_a: 'Clicked', e_n: '고면할당하기', ca: '1', _idn: '0' })
    expect(params.pv_id).toBe(suite.views()[0]!.params.pv_id)
    expect(params._id).toBe(suite.views()[0]!.params._id)
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(2)
  })

  it('reports clicks whose propagation the page stops, and those in an open shadow tree', async () => {
    const page = await suite.open('click.html')
    await suite.ready(page)
    await page.click('#stopped')
    await page.click('#card')
    await suite.until(() => expect(suite.told()).toEqual(['stopped Clicked', 'card Clicked in the shadow']))
    expect(await suite.leave(page)).toEqual([])
    expect(suite.clicks()).toHaveLength(2)
  })

  it('counts a page that comes back out of the back/forward cache, with its visitor', async () => {
    const page = await suite.open('back.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('a')
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/next.html'))
    await page.back()
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    // Chromium's driver switches the cache off: there the page is loaded anew.
    if (suite.engine.name !== 'chromium') expect(await page.evaluate('window.restored')).toBe(true)
    expect(await suite.leave(page)).toEqual([])
    // Restored or loaded anew: one more in both cases, never two.
    const [first, second, ...more] = suite.seen()
    expect(more).toEqual([])
    expect(second!.params._id).toBe(first!.params._id)
    expect(second!.params.pv_id).not.toBe(first!.params.pv_id)
  })
})
