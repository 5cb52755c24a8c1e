import type { EnginePage } from '@headwater/testkit'
import { expect, it } from 'vitest'
import { bundleApp } from '../routers/bundle-app.ts'
import { describeInEngines } from './engine-suite.ts'

/** A step in the history, until it is done. */
function wentBy(direction: 'back' | 'forward'): string {
  return `new Promise(done => { addEventListener('popstate', () => done(0), { once: true }); history.${direction}() })`
}

/** What an application does, and the page views that are right for it, by their paths. */
type Table = readonly (readonly [what: string, script: string, views: readonly string[]])[]

const TABLE: Table = [
  ['pushState to another path', `history.pushState(0, '', '/x')`, ['/x']],
  [
    'pushState and replaceState to the same address',
    `(history.pushState(0, '', location.href), history.replaceState(0, '', location.href))`,
    [],
  ],
  ['replaceState to another path, a redirect', `history.replaceState(0, '', '/y')`, ['/y']],
  [
    `a router's replace(current), then push(/z)`,
    `(history.replaceState(0, '', location.href), history.pushState(0, '', '/z'))`,
    ['/z'],
  ],
  [
    'push /1, then push /2 within 50 ms',
    `(history.pushState(0, '', '/1'), setTimeout(() => history.pushState(0, '', '/2'), 40), 0)`,
    ['/2'],
  ],
  ['another query and another fragment', `(history.pushState(0, '', '?page=2'), (location.hash = 'x'), 0)`, []],
  ['push /a', `history.pushState(0, '', '/a')`, ['/a']],
  ['back', wentBy('back'), ['/2?page=2#x']],
  ['forward', wentBy('forward'), ['/a']],
  ['a click on an anchor of this page', `document.querySelector('a').click()`, []],
]

/** The same where a router changes the address, and what only routers do. */
const ROUTER_TABLE: Table = [
  ['push to another path', `push('/x')`, ['/x']],
  ['push to where one is', `push('/x')`, []],
  ['replace by another path', `replace('/y')`, ['/y']],
  ['replace by where one is, then push /z', `replace('/y').then(() => push('/z'))`, ['/z']],
  ['a route that redirects', `push('/from')`, ['/to']],
  ['push /1, then push /2 within 50 ms', `(push('/1'), setTimeout(() => push('/2'), 40), 0)`, ['/2']],
  ['another query and another fragment', `push('/2?page=2#x')`, []],
  ['push /a', `push('/a')`, ['/a']],
  ['back', wentBy('back'), ['/2?page=2#x']],
  ['forward', wentBy('forward'), ['/a']],
  ["a click on the router's link", `document.querySelector('main a').click()`, ['/b']],
]

/**
 * Longer than the 100 ms for which addresses may follow each other, so that what is wrong would be there, too: timers of one
 * page end in their order.
 */
const settle = (page: EnginePage): Promise<unknown> =>
  page.evaluate('new Promise(done => setTimeout(done, 150)).then(() => headwater.flush())')

describeInEngines('A single-page application', (suite, engine) => {
  const counts = async (start: string, table: Table): Promise<void> => {
    const page = await suite.open(start)
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    for (const [what, script, paths] of table) {
      const before = suite.views().length
      await page.evaluate(script)
      await settle(page)
      const expected = paths.map(path => suite.site.origin + path)
      await suite.until(() => expect(suite.views().length - before, what).toBeGreaterThanOrEqual(paths.length))
      const urls = suite.views().slice(before)
      expect(
        urls.map(({ params }) => params.url),
        what,
      ).toEqual(expected)
    }
    expect(await suite.leave(page)).toEqual([])
    expect(suite.views()).toHaveLength(1 + table.flatMap(([, , paths]) => paths).length)
  }

  it('is counted as the table says', async () => {
    await counts('spa.html', TABLE)
  })

  it('is counted as the table says without the Navigation API', async ({ skip }) => {
    skip(engine === 'webkit', 'WebKitGTK has none: the table above has run without it')
    await counts('spa.html?old', TABLE)
  })

  it('is counted once a navigation that the page intercepts', async ({ skip }) => {
    skip(engine === 'webkit', 'WebKitGTK has no Navigation API')
    await counts('spa.html?intercept', [
      ['navigate', `navigation.navigate('/n1').finished.then(() => 0)`, ['/n1']],
      ['replace', `navigation.navigate('/n2', { history: 'replace' }).finished.then(() => 0)`, ['/n2']],
      ['the same', `navigation.navigate(location.href).finished.then(() => 0)`, []],
      ['back', `navigation.back().finished.then(() => 0)`, ['/spa.html?intercept']],
    ])
    expect(suite.views()[1]!.params.action_name).toBe('then')
  })

  for (const router of ['vue', 'react'] as const)
    it(`with the router of ${router} is counted as the table says`, async () => {
      suite.site.files.set('/app.js', { type: 'text/javascript', body: await bundleApp(router) })
      await counts('spa-router.html', ROUTER_TABLE)
    })

  it('names the page that it came from', async () => {
    const page = await suite.open('spa.html')
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.evaluate(`(history.pushState(0, '', '?page=2'), (location.hash = 'x'), 0)`)
    await settle(page)
    await page.evaluate(`history.pushState(0, '', '/a')`)
    await suite.until(() => expect(suite.views()).toHaveLength(2))
    expect(suite.views()[1]!.params.urlref).toBe(`${suite.site.origin}/spa.html?page=2#x`)
  })

  it('is not counted when the option is off', async () => {
    const table = TABLE.map(([what, script]) => [what, script, []] as const)
    await counts('spa-off.html', table.slice(0, 5))
  })
})
