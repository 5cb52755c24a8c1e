import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { button, describeInEngines, expectNoMore, html, tag } from './engine-suite.ts'

const nonced = tag.replace('<script', '<script nonce="abc"')

/** What a page, a browser or a blocker may have taken away. */
const REFUSALS: readonly (readonly [what: string, sabotage: string])[] = [
  ['storage', `Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })`],
  [
    'cookies',
    `Object.defineProperty(document, 'cookie', { get() { throw new Error('no') }, set() { throw new Error('no') } })`,
  ],
  ['sendBeacon', 'navigator.sendBeacon = undefined'],
  ['fetchLater', `window.fetchLater = () => { throw new DOMException('forbidden', 'NotAllowedError') }`],
  ['locks', `Object.defineProperty(navigator, 'locks', { value: undefined })`],
  ['fetch', `window.fetch = () => { throw new TypeError('blocked') }`],
]

describeInEngines('A strict page', suite => {
  it('with nonces, strict-dynamic and trusted types is tracked', async () => {
    const page = await suite.newPage()
    const policy = [
      `default-src 'none'`,
      `script-src 'nonce-abc' 'strict-dynamic'`,
      `connect-src ${suite.collector.origin}`,
      `require-trusted-types-for 'script'`,
      `trusted-types 'none'`,
    ].join('; ')
    await page.goto(suite.put('/csp', html(button, nonced, 'abc'), { 'content-security-policy': policy }))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('button')
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
    expect(await suite.faults(page)).toEqual([])
  })

  it('that allows no connection is left alone, silently', async () => {
    const page = await suite.newPage()
    const policy = `default-src 'none'; script-src 'nonce-abc'`
    await page.goto(suite.put('/closed', html(button, nonced, 'abc'), { 'content-security-policy': policy }))
    await page.click('button')
    await expectNoMore(suite, page, 0)
    expect(await page.evaluate('typeof headwater')).toBe('object')
    expect(await suite.faults(page)).toEqual([])
  })

  it('that is cross-origin isolated is tracked', async () => {
    const page = await suite.newPage()
    const isolated = tag.replace('<script', '<script crossorigin')
    const headers = { 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-opener-policy': 'same-origin' }
    await page.goto(suite.put('/coep', html(button, isolated), headers))
    await suite.until(() => expect(suite.views()).toHaveLength(1))
    await page.click('button')
    await suite.until(() => expect(suite.clicks()).toHaveLength(1))
    expect(await page.evaluate('window.crossOriginIsolated')).toBe(true)
    expect(await suite.faults(page)).toEqual([])
  })

  it('in a sandboxed frame, without origin, cookies and storage, is tracked', async () => {
    const page = await suite.newPage()
    suite.put(
      '/inner',
      html(`${button}<script>parent.postMessage(faults, '*')
      onload = () => { document.querySelector('button').click(); setTimeout(() => parent.postMessage(faults, '*'), 400) }</script>`),
    )
    const listen = `<script>addEventListener('message', event => faults.push(...event.data))</script>`
    await page.goto(suite.put('/frame', html(`${listen}<iframe sandbox="allow-scripts" src="/inner"></iframe>`, '')))
    await suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([1, 1]))
    await expectNoMore(suite, page, 2)
    expect(await suite.faults(page)).toEqual([])
  })

  it('in a file is tracked', async () => {
    const page = await suite.newPage()
    const folder = await mkdtemp(join(tmpdir(), 'headwater-file-'))
    try {
      const file = join(folder, 'page.html')
      await writeFile(file, html(button).replaceAll('$COLLECTOR', suite.collector.origin))
      await page.goto(pathToFileURL(file).href)
      await suite.until(() => expect(suite.views()).toHaveLength(1))
      await page.click('button')
      await suite.until(() => expect(suite.clicks()).toHaveLength(1))
      expect(suite.views()[0]!.params.url).toMatch(/^file:/)
      expect(await suite.faults(page)).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('that refuses what the tracker would use is tracked all the same, or left alone', async () => {
    for (const [what, sabotage] of REFUSALS) {
      suite.collector.reset()
      const page = await suite.newPage()
      await page.goto(suite.put('/sabotage', html(button, `<script>${sabotage}</script>${tag}`)))
      await page.click('button')
      await page.evaluate(`history.pushState(0, '', '/elsewhere')`)
      // Without fetch there is only the beacon of the page's end.
      if (what === 'fetch') await expectNoMore(suite, page, 0)
      else await suite.until(() => expect([suite.views().length, suite.clicks().length], what).toEqual([2, 1]))
      expect(await suite.faults(page), what).toEqual([])
      await page.close()
    }
  }, 60_000)

  it('whose collector is not there hears nothing of it', async () => {
    const page = await suite.newPage()
    suite.collector.behaviour.status = 0
    await page.goto(suite.put('/away', html(button)))
    await page.click('button')
    await suite.until(() => expect(suite.collector.received.length).toBeGreaterThan(0))
    await page.evaluate('headwater.flush()')
    expect(await suite.faults(page)).toEqual([])
  })
})
