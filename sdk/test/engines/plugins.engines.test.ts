import type { EnginePage } from '@headwater/testkit'
import { expect, it } from 'vitest'
import { describeInEngines } from './engine-suite.ts'

/** As by the keyboard: the browser edits the field and tells the page. */
const type = async (page: EnginePage, field: string): Promise<void> => {
  await page.click(field)
  expect(await page.evaluate(`document.execCommand('insertText', false, 'secret')`)).toBe(true)
}

/** Resolves when the page has been told that it was scrolled. */
const scroll = (page: EnginePage, to: string): Promise<unknown> =>
  page.evaluate(
    `new Promise(done => { addEventListener('scroll', () => done(0), { once: true }); scrollTo(0, ${to}) })`,
  )

/** Long enough to be told: the time on the page is what is measured. */
const stay = (page: EnginePage): Promise<unknown> => page.evaluate('new Promise(done => setTimeout(done, 1_100))')

describeInEngines('The plugin', (suite, engine) => {
  const opened = async (file: string): Promise<EnginePage> => {
    const page = await suite.open(file)
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    return page
  }
  const params = (name: string): (string | undefined)[] =>
    suite.seen().flatMap(({ params }) => (params[name] === undefined ? [] : [params[name]]))

  it('links reports what leaves the site and what is fetched, no other link', async () => {
    const page = await opened('links.html')
    for (const link of ['#inside', '#mail', '#ignored', '#out', '#file', '#download']) await page.click(link)
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.seen()).toHaveLength(4))
    expect(params('link')).toEqual(['https://other.example/x?y=1'])
    expect(params('download')).toEqual([`${suite.site.origin}/report.pdf`, `${suite.site.origin}/report`])
  })

  it('forms reports a form that is begun and abandoned, without fields and values, and no masked form', async () => {
    const page = await opened('forms.html')
    await type(page, '#illness')
    await type(page, '#phone')
    await type(page, '#phone')
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.told()).toEqual(['form start order', 'form abandon order']))
    expect(JSON.stringify(suite.collector.received)).not.toMatch(/secret|phone|illness/)
  })

  it('forms reports a form that is submitted, which leaves the page', async () => {
    const page = await opened('forms.html')
    await type(page, '#phone')
    await page.click('#send')
    await suite.until(async () => expect(await page.evaluate('document.title')).toBe('Next'))
    await suite.until(() => expect(suite.told().sort()).toEqual(['form start order', 'form submit order']))
    await suite.leave(page)
    expect(suite.told()).toHaveLength(2)
    expect(JSON.stringify(suite.collector.received)).not.toMatch(/secret|phone/)
  })

  it('scroll reports each threshold that is reached, once', async () => {
    const page = await opened('scroll.html')
    await scroll(page, '2 * innerHeight')
    await suite.until(() => expect(suite.told()).toEqual(['scroll depth 25']))
    await scroll(page, '99999')
    await suite.until(() => expect(suite.told()).toHaveLength(4))
    await scroll(page, '0')
    await scroll(page, '99999')
    expect(await suite.leave(page)).toEqual([])
    expect(suite.told()).toEqual([25, 50, 75, 100].map(depth => `scroll depth ${depth}`))
    expect(params('e_v')).toEqual(['25', '50', '75', '100'])
  })

  it('engagement reports how long the page was looked at, once, when that ends', async () => {
    const page = await opened('engagement.html')
    await page.click('p')
    expect(await page.evaluate('document.hasFocus()')).toBe(true)
    await stay(page)
    expect(suite.seen()).toHaveLength(1)
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.seen()).toHaveLength(2))
    const ping = suite.seen()[1]
    expect(ping!.params).toMatchObject({ ping: '1', pv_id: suite.views()[0]!.params.pv_id })
    expect(ping!.params.url).toBe(suite.views()[0]!.params.url)
    expect(+ping!.params.hw_eng!).toBeGreaterThanOrEqual(1_000)
  })

  it('errors reports errors and rejections of the page, each once, and no missing picture', async () => {
    const page = await opened('errors.html')
    for (const button of ['#throw', '#throw', '#reject', '#reject']) await page.click(button)
    // Four and the picture: the page's own handlers hear of all, in turns of their own.
    await suite.until(async () => expect(await page.evaluate('faults.length')).toBe(5))
    await suite.leave(page)
    await suite.until(() => expect(suite.told()).toHaveLength(2))
    const [thrown, rejected] = suite.clicks()
    expect(thrown!.params.e_a).toMatch(/\/errors\.html:\d+:\d+$/)
    expect(thrown!.params).toMatchObject({ e_c: 'JavaScript Errors', e_n: expect.stringContaining('boom') })
    expect(rejected!.params).toMatchObject({ e_a: 'unhandledrejection', e_n: 'no answer' })
  })

  it('is silent without its attribute', async () => {
    const page = await opened('no-plugins.html')
    await type(page, 'input')
    await page.click('#out')
    await page.click('button')
    await scroll(page, '99999')
    await stay(page)
    expect(await suite.leave(page)).toHaveLength(1)
    expect(suite.seen()).toHaveLength(1)
  })

  it('vitals reports what the engine measures', async () => {
    // Others have no entries of that type: layout-shift in Chromium alone, event and largest-contentful-paint not in WebKitGTK.
    const measured = {
      chromium: ['CLS', 'FCP', 'INP', 'LCP', 'TTFB'],
      firefox: ['FCP', 'INP', 'LCP', 'TTFB'],
      webkit: ['FCP', 'TTFB'],
    }
    const page = await opened('vitals.html')
    await page.click('button')
    // An input is measured when the next frame has been painted. Then web-vitals waits until the page is idle, a second at
    // most, and does not report it when the page is left before.
    const idle = 'requestIdleCallback(() => done(0), { timeout: 1_100 })'
    const measure = `new PerformanceObserver(() => setTimeout(() => ${idle}))`
    if (measured[engine].includes('INP'))
      await page.evaluate(`new Promise(done => ${measure}.observe({ type: 'first-input', buffered: true }))`)
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(params('e_a').sort()).toEqual(measured[engine]))
    for (const { params } of suite.clicks()) {
      expect(params).toMatchObject({ e_c: 'web-vitals', e_n: expect.stringMatching(/^(good|needs-improvement|poor)$/) })
      expect(params.e_v).toMatch(/^\d+$/)
    }
  })

  it('ecommerce reports products, the cart and the order with its items', async () => {
    const page = await opened('ecommerce.html')
    await page.click('#add')
    await page.click('#order')
    expect(await suite.leave(page)).toEqual([])
    await suite.until(() => expect(suite.seen()).toHaveLength(4))
    const item = ['S1', '운동화', ['Shoes', 'Sale'], 9.5, 2]
    expect(suite.seen().slice(1)).toMatchObject([
      { params: { e_c: 'ecommerce', e_a: 'view', e_n: 'S1', _pks: 'S1', _pkn: '운동화', _pkp: '9.5' } },
      { params: { idgoal: '0', revenue: '19', ec_items: JSON.stringify([item]) } },
      {
        params: { idgoal: '0', ec_id: 'O-1', revenue: '22', ec_st: '19', ec_sh: '3', ec_items: JSON.stringify([item]) },
      },
    ])
    expect(suite.seen()[2]!.params).not.toHaveProperty('ec_id')
  })
})
