import { expect, it } from 'vitest'
import { describeInEngines } from './engine-suite.ts'

describeInEngines('The tracker is there, and there once,', suite => {
  for (const script of ['headwater.js', 'headwater-core.js'])
    it(`when ${script} comes after the stub, whose calls it makes`, async () => {
      const page = await suite.open('stub.html', { edit: html => html.replace('headwater.js', script) })
      await suite.until(() => expect(suite.told()).toEqual(['early x']))
      // The stub's own object has come to life.
      await page.click('button')
      await suite.until(() => expect(suite.told()).toEqual(['early x', 'late x']))
      expect(await suite.leave(page)).toEqual([])
      expect(suite.seen()).toHaveLength(3)
    })

  it('when the page has the tag twice', async () => {
    const page = await suite.open('twice.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('button')
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([1, 1]))
  })

  it('for each of two sites that count the same page', async () => {
    const page = await suite.open('two-sites.html')
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    await page.evaluate(`headwater.event('first', 'x')`)
    expect(await suite.leave(page)).toEqual([])
    const counted = () => suite.seen().map(({ params: { idsite, e_c = 'view' } }) => `${idsite} ${e_c}`)
    await suite.until(() => expect(counted().sort()).toEqual(['1 first', '1 view', '2 view']))
  })

  it('when a module imports it', async () => {
    const page = await suite.open('module.html')
    await suite.until(() => expect(suite.seen()).toHaveLength(3))
    expect(suite.clicks()[0]!.params).toMatchObject({
      e_n: '\ufffdx',
      e_v: '3.5',
      memberId: '123456',
      idsite: '7',
    })
    expect(suite.views().map(({ params }) => params.memberId)).toEqual(['m 1', 'm 1'])
    expect(suite.views()[1]!.params.action_name).toBe('second')
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(3)
  })
})
