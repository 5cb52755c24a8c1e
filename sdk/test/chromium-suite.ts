import { readFileSync } from 'node:fs'
import {
  type Collector,
  chromiumPath,
  type StartedBrowser,
  serviceOrSkip,
  startChromium,
  startCollector,
} from '@headwater/testkit'
import type { BrowserContext } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest'

/** What a test in a real browser gets: pages on one origin, the collector on another, a fresh profile each test. */
export interface ChromiumSuite {
  collector: Collector
  /** The site: another origin than the collector's. */
  site: Collector
  /** Puts an HTML page on the site and returns its address. `$COLLECTOR` and `$SITE` in it are replaced. */
  page(path: string, html: string, headers?: Record<string, string>): string
  /** A new profile; closed after the test. */
  profile(): Promise<BrowserContext>
}

const dist = (file: string): string => readFileSync(new URL(`../dist/${file}`, import.meta.url), 'utf8')

/** `describe` with a running Chromium; skipped where there is none, unless `HEADWATER_SERVICES=required`. */
export function describeInChromium(name: string, body: (suite: ChromiumSuite) => void): void {
  // Why again: see engines/engine-suite.ts. A page that is closed in mid-navigation may hang in the driver.
  describe.skipIf(!serviceOrSkip('chromium', chromiumPath()))(name, { retry: 2 }, () => {
    const suite = {} as ChromiumSuite
    const open: BrowserContext[] = []
    let chromium: StartedBrowser

    beforeAll(async () => {
      ;[chromium, suite.site] = await Promise.all([startChromium(), startCollector()])
      suite.site.files.set('/index.js', { type: 'text/javascript', body: dist('index.js') })
      suite.page = (path, html, headers = {}) => {
        const page = html.replaceAll('$COLLECTOR', suite.collector.origin).replaceAll('$SITE', suite.site.origin)
        suite.site.files.set(path, { type: 'text/html; charset=utf-8', body: page, headers })
        return suite.site.origin + path
      }
      suite.profile = async () => {
        const context = await chromium.browser.newContext({ viewport: { width: 1280, height: 800 } })
        open.push(context)
        return context
      }
    })
    // A collector for each test: what closing pages still send, the browser may send later than the next test begins.
    beforeEach(async () => {
      suite.collector = await startCollector()
      for (const file of ['/headwater.js', '/headwater-core.js', '/headwater-preview.js'])
        suite.collector.files.set(file, { type: 'text/javascript', body: dist(file) })
    })
    afterEach(async () => {
      await Promise.all(open.splice(0).map(context => context.close()))
      await suite.collector.close()
    })
    afterAll(async () => {
      await chromium?.close()
      await suite.site?.close()
    })
    body(suite)
  })
}
