import { expect, it } from 'vitest'
import { describeInEngines, html, tag } from './engine-suite.ts'

/** What an application does, and the page views that are right for it, by their paths. */
const TABLE: readonly (readonly [what: string, script: string, views: readonly string[]])[] = [
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
  ['back', `void history.back()`, ['/2?page=2#x']],
  ['forward', `void history.forward()`, ['/a']],
  ['a click on an anchor of this page', `document.querySelector('a').click()`, []],
]

describeInEngines('A single-page application', (suite, engine) => {
  const application = (path: string, sabotage = '', attributes = ''): string =>
    suite.put(
      path,
      html(
        '<a href="#here">here</a><p id="here">',
        `<script>${sabotage}</script>${tag.replace('data-site-id', `${attributes} data-site-id`)}`,
      ),
    )

  const counts = async (start: string, table: typeof TABLE): Promise<void> => {
    const page = await suite.newPage()
    await page.goto(start)
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    for (const [what, script, paths] of table) {
      const before = suite.views().length
      await page.evaluate(script)
      // Longer than the 100 ms for which addresses may follow each other, so that what is wrong would be there, too.
      await page.evaluate('new Promise(done => setTimeout(done, 300)).then(() => headwater.flush())')
      const expected = paths.map(path => suite.site.origin + path)
      await suite.until(() => expect(suite.views().length - before, what).toBeGreaterThanOrEqual(paths.length))
      const urls = suite.views().slice(before)
      expect(
        urls.map(({ params }) => params.url),
        what,
      ).toEqual(expected)
    }
    expect(await suite.faults(page)).toEqual([])
  }

  it('is counted as the table says', async () => {
    await counts(application('/spa'), TABLE)
  })

  // WebKitGTK has none: there the table above has run without it.
  it.skipIf(engine === 'webkit')('is counted as the table says without the Navigation API', async () => {
    await counts(application('/spa-old', `Object.defineProperty(window, 'navigation', { value: undefined })`), TABLE)
  })

  it.skipIf(engine === 'webkit')('is counted once a navigation that the page intercepts', async () => {
    const intercept = `navigation.addEventListener('navigate', event => {
      if (!event.canIntercept || event.hashChange) return
      event.intercept({ handler: async () => { await new Promise(done => setTimeout(done, 20)); document.title = 'then' } })
    })`
    await counts(application('/spa-intercept', intercept), [
      ['navigate', `navigation.navigate('/n1').finished.then(() => 0)`, ['/n1']],
      ['replace', `navigation.navigate('/n2', { history: 'replace' }).finished.then(() => 0)`, ['/n2']],
      ['the same', `navigation.navigate(location.href).finished.then(() => 0)`, []],
      ['back', `navigation.back().finished.then(() => 0)`, ['/spa-intercept']],
    ])
    expect(suite.views()[1]!.params.action_name).toBe('then')
  })

  it('is not counted when the option is off', async () => {
    const table = TABLE.map(([what, script]) => [what, script, []] as const)
    await counts(application('/spa-off', '', 'data-spa="false"'), table.slice(0, 5))
  })
})
