import type { BrowserContext, Page } from 'playwright-core'
import { chromiumPath, startChromium } from './browser.ts'
import type { Engine, EnginePage, EngineVisitor, InstalledEngine } from './engine.ts'

/** Blink, by playwright-core and the DevTools protocol. */
export function chromiumEngine(): InstalledEngine {
  return { name: 'chromium', missing: chromiumPath() ? undefined : 'not installed (Debian: chromium)', start }
}

async function start(): Promise<Engine> {
  const { browser, close } = await startChromium()
  return {
    name: 'chromium',
    version: browser.version(),
    closingLoses: false,
    newVisitor: async () => chromiumVisitor(await browser.newContext({ viewport: { width: 1280, height: 800 } })),
    close,
  }
}

/** The same verbs over a context of playwright's, for suites that also need its own. */
export function chromiumVisitor(context: BrowserContext): EngineVisitor {
  return {
    newPage: async () => chromiumPage(await context.newPage()),
    setOffline: offline => context.setOffline(offline),
    close: () => context.close(),
  }
}

/** The same verbs over a page of playwright's. */
export function chromiumPage(page: Page): EnginePage {
  return {
    goto: async url => void (await page.goto(url)),
    evaluate: expression => page.evaluate(expression),
    click: selector => page.click(selector, { noWaitAfter: true }),
    reload: async () => void (await page.reload()),
    back: async () => void (await page.goBack()),
    forward: async () => void (await page.goForward()),
    close: () => closePage(page),
    async crash() {
      const session = await page.context().newCDPSession(page)
      const crashed = page.waitForEvent('crash')
      // Never answered: who would.
      session.send('Page.crash').catch(() => {})
      await crashed
    },
  }
}

const CLOSE_AGAIN_MS = 1_000

/**
 * Closes a tab for certain: Chromium forgets that it was asked to when a navigation leaves the page at that very moment and the
 * page listens to `pagehide` (26 of 60 times), so it is asked again.
 */
async function closePage(page: Page): Promise<void> {
  const askAgain = async (): Promise<void> => {
    const session = await page.context().newCDPSession(page)
    await session.send('Page.close')
  }
  const timer = setInterval(() => void askAgain().catch(() => {}), CLOSE_AGAIN_MS)
  try {
    await page.close({ runBeforeUnload: false })
  } finally {
    clearInterval(timer)
  }
}
