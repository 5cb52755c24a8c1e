import {
  type Collector,
  chromiumPath,
  type StartedBrowser,
  serviceOrSkip,
  startChromium,
  startCollector,
} from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { arrived } from '../received-events.ts'
import { renderPage, trackerScript } from './engine-suite.ts'

// Apart from the other clicks, and in Chromium alone: the verbs that all engines share have no keyboard.
describe.skipIf(!serviceOrSkip('chromium', chromiumPath()))('The keyboard in chromium', { retry: 2 }, () => {
  let chromium: StartedBrowser
  let collector: Collector

  beforeAll(async () => {
    ;[chromium, collector] = await Promise.all([startChromium(), startCollector()])
    collector.files.set('/headwater.js', { type: 'text/javascript', body: trackerScript() })
    collector.files.set('/click.html', { type: 'text/html; charset=utf-8', body: renderPage('click.html', collector) })
  })
  afterAll(async () => {
    await chromium?.close()
    await collector?.close()
  })

  it('clicks declared elements, too', async () => {
    const page = await (await chromium.browser.newContext()).newPage()
    await page.goto(`${collector.origin}/click.html`)
    await page.waitForFunction('window.headwater')
    await page.focus('#buy')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Space')
    const clicks = (): string[] => arrived(collector).flatMap(({ path, params }) => (params.e_c ? [path] : []))
    await vi.waitFor(() => expect(clicks()).toEqual(['/5', '/5']), { timeout: 10_000, interval: 20 })
  })
})
