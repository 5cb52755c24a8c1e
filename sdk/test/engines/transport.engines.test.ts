import { expect, it } from 'vitest'
import { eventsIn, type ReceivedEvent } from '../received-events.ts'
import { describeInEngines } from './engine-suite.ts'

describeInEngines('What happened on a page', suite => {
  /** Every event of every request, repeats too. */
  const attempts = (): ReceivedEvent[] => suite.collector.received.flatMap(eventsIn)

  it('arrives when the click leaves the page', async () => {
    const page = await suite.open('leave.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('a')
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/next.html'))
    await suite.until(() => expect(suite.told()).toEqual(['leave Clicked']))
  })

  it('in its last moment leaves by the beacon, at once', async () => {
    const page = await suite.open('view.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate(`addEventListener('pagehide', () => headwater.event('last', 'x'))`)
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
    expect(suite.clicks()[0]!.method).toBe('POST')
    expect(suite.clicks()[0]!.params).not.toHaveProperty('cdo')
  })

  it('arrives when the page is loaded anew right after a click', async () => {
    const page = await suite.open('click.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate(`document.querySelector('#buy').click()`)
    await page.reload()
    await suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([2, 1]))
  })

  it('arrives when the tab is closed after many events of several scenarios', async ({ skip }) => {
    skip(suite.engine.closingLoses, 'this engine takes back what a closed tab has handed over: see Engine.closingLoses')
    const page = await suite.open('view.html')
    await suite.ready(page)
    suite.collector.behaviour.latencyMs = 200
    const report = `headwater.event('c', 'a', 'n' + i, { scenarioId: 5 + i % 2 })`
    await page.evaluate(`(() => { for (let i = 0; i < 60; i++) ${report} })()`)
    await page.close()
    await suite.until(() => expect(suite.clicks()).toHaveLength(60))
    for (const { path, params } of suite.clicks()) expect(path).toBe(`/${5 + (+params.e_n!.slice(1) % 2)}`)
    // Every request, bulks too, has the visitor in its URL.
    const visitor = suite.clicks()[0]!.params._id
    for (const { target } of suite.collector.received) expect(target).toContain(`_id=${visitor}`)
  })

  it('arrives although the page crashes', async ({ skip }) => {
    const page = await suite.open('view.html')
    skip(!page.crash, 'the driver cannot kill the process of one page')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate(`(headwater.event('crash', 'x', 'n', { scenarioId: 5 }), headwater.event('crash', 'y'))`)
    await page.crash!()
    await suite.until(() => expect(suite.told().sort()).toEqual(['/5 crash x n', 'crash y']))
  })

  it('of each of two trackers arrives although the page crashes', async ({ skip }) => {
    const page = await suite.open('two-trackers.html')
    skip(!page.crash, 'the driver cannot kill the process of one page')
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    // Nothing is acknowledged any more: only what is left with the browser outlives the page.
    suite.collector.behaviour.hang = true
    await page.evaluate(`(first.event('crash', 'x'), second.event('crash', 'y'))`)
    await page.crash!()
    await suite.until(() => expect(suite.told().sort()).toEqual(['crash x', 'crash y']))
  })

  it('arrives once, not by each way', async () => {
    const page = await suite.open('leave.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate(`(headwater.event('c', 'a'), headwater.flush())`)
    await page.click('a')
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/next.html'))
    await suite.until(() => expect(suite.told()).toEqual(['c a', 'leave Clicked']))
    // With the page ends what was left with the browser: what is sent then has been sent before another page arrives.
    const other = await suite.newPage()
    await page.close()
    await other.goto(suite.address('next.html'))
    await suite.reach(other)
    expect(attempts()).toHaveLength(3)
  })

  it('is repeated when refused, under the same id', async () => {
    suite.collector.behaviour.status = 503
    await suite.open('view.html')
    await suite.until(() => expect(attempts().length).toBeGreaterThan(0))
    suite.collector.behaviour.status = 204
    await suite.until(() => expect(attempts().some(({ params }) => +params.hw_try! > 0)).toBe(true))
    expect(suite.seen()).toHaveLength(1)
  })

  it('is kept for the next visit when never taken, and no longer than that', async () => {
    suite.collector.behaviour.status = 500
    const page = await suite.open('view.html')
    const stored = (): Promise<number> =>
      page.evaluate(`Object.keys(localStorage).filter(key => key.startsWith('_hw_q.')).length`)
    await suite.until(async () => expect(await stored()).toBe(1))
    const { hw_id } = suite.seen()[0]!.params
    expect(await suite.leave(page)).toEqual([])
    suite.collector.reset()
    await page.goto(suite.address('click.html'))
    await suite.until(() => {
      const again = attempts().filter(({ params }) => params.hw_id === hw_id)
      expect(again.some(({ params }) => +params.hw_try! > 0 && +params.cdo! > 0)).toBe(true)
    })
    await suite.until(async () => expect(await stored()).toBe(0))
  })

  it('without a network arrives on the next visit', async ({ skip }) => {
    const visitor = await suite.visitor()
    skip(!visitor.setOffline, 'the driver has no switch for the network')
    const page = await suite.open('click.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await visitor.setOffline!(true)
    await page.click('#buy')
    await page.goto('about:blank')
    await visitor.setOffline!(false)
    // It may be here already: `fetchLater` does not notice that the network is only said to be away.
    await page.goto(suite.address('click.html'))
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
  })

  it('does not keep a click waiting for a collector that hangs', async () => {
    suite.collector.behaviour.hang = true
    const page = await suite.open('leave.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('a')
    // No figure of speed: the collector never answers, so any waiting for it would last until the browser gives up.
    await suite.until(async () => expect(await page.evaluate('location.pathname')).toBe('/next.html'))
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
  })

  it('does not disturb the page when the collector is not there', async () => {
    suite.collector.behaviour.status = 0
    const page = await suite.open('click.html')
    await page.click('#buy')
    await suite.until(() => expect(suite.collector.received.length).toBeGreaterThan(0))
    await suite.flush(page)
    expect(await suite.leave(page)).toEqual([])
  })
})
