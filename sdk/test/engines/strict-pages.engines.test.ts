import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { describeInEngines, renderPage } from './engine-suite.ts'

/** The names in `refusing.html`. */
const REFUSALS = ['storage', 'cookies', 'sendBeacon', 'fetchLater', 'locks', 'navigation', 'fetch']

describeInEngines('A strict page', suite => {
  const counted = (views: number, clicks: number): Promise<unknown> =>
    suite.until(() => expect([suite.views().length, suite.clicks().length]).toEqual([views, clicks]))

  it('with nonces, strict-dynamic and trusted types is tracked', async () => {
    const policy = [
      `default-src 'none'`,
      `script-src 'nonce-r4nd0m' 'strict-dynamic'`,
      `connect-src ${suite.collector.origin}`,
      `require-trusted-types-for 'script'`,
      `trusted-types 'none'`,
    ].join('; ')
    const page = await suite.open('csp.html', { headers: { 'content-security-policy': policy } })
    await counted(1, 0)
    await page.click('button')
    await counted(1, 1)
    expect(await suite.leave(page)).toEqual([])
  })

  it('that allows no connection is left alone, silently', async () => {
    const policy = `default-src 'none'; script-src 'nonce-r4nd0m'`
    const page = await suite.open('csp.html', { headers: { 'content-security-policy': policy } })
    await suite.ready(page)
    await page.click('button')
    await suite.flush(page)
    expect(await suite.leave(page)).toEqual([])
    expect(suite.collector.received).toEqual([])
  })

  it('that is cross-origin isolated is tracked', async () => {
    const headers = { 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-opener-policy': 'same-origin' }
    const page = await suite.open('coep.html', { headers })
    await counted(1, 0)
    await page.click('button')
    await counted(1, 1)
    expect(await page.evaluate('window.crossOriginIsolated')).toBe(true)
    expect(await suite.leave(page)).toEqual([])
  })

  it('in a sandboxed frame, without origin, cookies and storage, is tracked', async () => {
    const page = await suite.open('sandbox.html')
    await counted(1, 0)
    await page.click('iframe')
    await counted(1, 1)
    expect(await suite.leave(page)).toEqual([])
    expect(suite.seen()).toHaveLength(2)
  })

  it('in a file is tracked', async () => {
    const page = await suite.newPage()
    const folder = await mkdtemp(join(tmpdir(), 'headwater-file-'))
    try {
      const file = join(folder, 'click.html')
      await writeFile(file, renderPage('click.html', suite.collector))
      await page.goto(pathToFileURL(file).href)
      await counted(1, 0)
      await page.click('#buy')
      await counted(1, 1)
      expect(suite.views()[0]!.params.url).toMatch(/^file:/)
      expect(await suite.leave(page)).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('that refuses what the tracker would use is tracked all the same, or left alone', async () => {
    for (const what of REFUSALS) {
      suite.collector.reset()
      const page = await suite.open(`refusing.html?without=${what}`)
      await suite.ready(page)
      await page.click('button')
      await page.evaluate(`history.pushState(0, '', '/elsewhere')`)
      if (what === 'fetch') {
        // There is only the beacon of the page's end.
        await suite.flush(page)
        expect(suite.collector.received).toEqual([])
      } else await suite.until(() => expect([suite.views().length, suite.clicks().length], what).toEqual([2, 1]))
      expect(await suite.leave(page), what).toEqual([])
      await page.close()
    }
  }, 60_000)
})
