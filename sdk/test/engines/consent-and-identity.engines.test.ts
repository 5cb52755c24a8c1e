import type { EnginePage } from '@headwater/testkit'
import { expect, it } from 'vitest'
import { describeInEngines } from './engine-suite.ts'

const kept = (page: EnginePage): Promise<string> =>
  page.evaluate(`[document.cookie, ...Object.keys(localStorage), ...Object.keys(sessionStorage)].join(' ').trim()`)

describeInEngines('The visitor', suite => {
  it('is neither counted nor remembered before consent, counted with all of it after, and forgotten when denied', async () => {
    const page = await suite.open('consent.html')
    await suite.ready(page)
    await page.click('#buy')
    await suite.flush(page)
    expect(suite.collector.received).toEqual([])
    expect(await kept(page)).toBe('')
    await page.click('#yes')
    await suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([1, 1]))
    expect(await kept(page)).toMatch(/^_hw_id=\S+$/)
    await page.click('#no')
    await page.click('#buy')
    expect(await kept(page)).toBe('')
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(2)
  })

  it('who denies leaves no trace of what was held', async () => {
    const page = await suite.open('consent.html')
    await suite.ready(page)
    await page.click('#buy')
    await page.click('#no')
    await page.click('#buy')
    expect(await kept(page)).toBe('')
    expect(await suite.leave(page)).toEqual([])
    expect(suite.collector.received).toEqual([])
  })

  it('who said nothing before leaving is not counted', async () => {
    const page = await suite.open('consent.html')
    await suite.ready(page)
    await page.click('#buy')
    expect(await suite.leave(page)).toEqual([])
    expect(await kept(page)).toBe('')
    expect(suite.collector.received).toEqual([])
  })

  it('stays the same over page loads and tabs', async () => {
    await suite.open('view.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await suite.open('click.html')
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    const [first, second] = suite.views()
    expect(second!.params).toMatchObject({ _id: first!.params._id, _idn: '0' })
  })

  it('keeps the id of a Matomo cookie', async () => {
    const page = await suite.open('next.html')
    await page.evaluate(`void (document.cookie = '_pk_id.1.1fff=abcdef0123456789.1700000000.; path=/')`)
    await page.goto(suite.address('view.html'))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.reload()
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    for (const { params } of suite.views()) expect(params).toMatchObject({ _id: 'abcdef0123456789', _idn: '0' })
  })

  it('without cookies is another one with each page load, never with a member id, and nothing is stored', async () => {
    const page = await suite.open('cookieless.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('button')
    await suite.until(() => expect(suite.told()).toEqual(['signed in']))
    expect(await kept(page)).toBe('')
    await page.reload()
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    const [first, second] = suite.views()
    expect(suite.clicks()[0]!.params._id).toBe(first!.params._id)
    expect(second!.params._id).not.toBe(first!.params._id)
    expect(suite.collector.received.filter(({ target, body }) => /123456/.test(target + body))).toEqual([])
    expect(await kept(page)).toBe('')
  })

  it('is a member from signing in to signing out', async () => {
    const page = await suite.open('member.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('#in')
    await page.click('#out')
    await suite.until(() => expect(suite.told()).toEqual(['signed in', 'signed out']))
    expect(suite.seen().map(({ params }) => params.memberId)).toEqual([undefined, '123456', undefined])
  })
})
