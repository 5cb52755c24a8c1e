import { expect, it } from 'vitest'
import { describeInEngines } from './engine-suite.ts'

describeInEngines("Matomo's _paq", suite => {
  it('is taken over when the one URL of its snippet is changed', async () => {
    const page = await suite.open('paq.html')
    await suite.until(() => expect(suite.seen()).toHaveLength(1))
    expect(suite.seen()[0]!.params).toMatchObject({ action_name: 'Shop', idsite: '7' })
    await page.click('a')
    await page.click('button')
    await suite.until(() => expect(suite.told()).toEqual(['late x']))
    const downloads = suite.seen().flatMap(({ params }) => params.download ?? [])
    expect(downloads).toEqual([`${suite.site.origin}/file.zip`])
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(3)
  })

  it('is obeyed from its first call on, beside our tag', async () => {
    const page = await suite.open('view.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate("headwater.event('shop', 'look')")
    await page.evaluate("void _paq.push(['setCustomDimension', 3, 'gold'])")
    await page.evaluate("headwater.event('shop', 'buy')")
    await suite.until(() => expect(suite.told()).toEqual(['shop look', 'shop buy']))
    expect(suite.seen().map(({ params }) => params.dimension3)).toEqual([undefined, undefined, 'gold'])
    expect(await suite.leave(page)).toEqual([])
  })

  it('is left alone beside Matomo, and the tag counts by itself', async () => {
    const page = await suite.open('paq-beside-matomo.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    expect(await page.evaluate('_paq.length')).toBe(2)
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(1)
  })
})
