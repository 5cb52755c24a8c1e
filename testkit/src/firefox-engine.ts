import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'puppeteer-core'
import type { Engine, EnginePage, InstalledEngine } from './engine.ts'

const CANDIDATES = [process.env.HEADWATER_FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']

/** Gecko, by puppeteer-core and WebDriver BiDi, which needs no geckodriver. */
export function firefoxEngine(): InstalledEngine {
  const executablePath = CANDIDATES.find(path => path && existsSync(path))
  return {
    name: 'firefox',
    missing: executablePath ? undefined : 'not installed (Debian: firefox-esr)',
    start: () => start(executablePath),
  }
}

/** No updates, no telemetry, no probing of the network: tests talk to this machine only. */
const QUIET = {
  'app.update.enabled': false,
  'app.normandy.enabled': false,
  'browser.safebrowsing.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
}

async function start(executablePath: string | undefined): Promise<Engine> {
  if (!executablePath)
    throw new Error(`Firefox is not installed. Looked for: ${CANDIDATES.filter(Boolean).join(', ')}.`)
  const { default: puppeteer } = await import('puppeteer-core')
  const home = await mkdtemp(join(tmpdir(), 'headwater-firefox-'))
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    env: { ...process.env, HOME: home },
    extraPrefsFirefox: QUIET,
  })
  return {
    name: 'firefox',
    version: await browser.version(),
    closingLoses: true,
    async newVisitor() {
      const context = await browser.createBrowserContext()
      return { newPage: () => newPage(context), close: () => context.close() }
    },
    async close() {
      await browser.close()
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

async function newPage(context: BrowserContext): Promise<EnginePage> {
  const page = await context.newPage()
  await page.setViewport({ width: 1280, height: 800 })
  return {
    goto: async url => void (await page.goto(url)),
    evaluate: expression => page.evaluate(expression) as Promise<never>,
    click: selector => page.click(selector),
    reload: () => reload(page),
    back: () => step(page, 'back'),
    forward: () => step(page, 'forward'),
    close: () => page.close(),
  }
}

/**
 * By the page itself, also `reload`: after a page has come back out of the back/forward cache, puppeteer waits for ever for
 * the end of a navigation.
 */
async function step(page: Page, direction: 'back' | 'forward'): Promise<void> {
  const from = await page.evaluate('location.href')
  await page.evaluate(`void setTimeout(() => history.${direction}())`)
  await until(page, `location.href !== ${JSON.stringify(from)}`)
}

async function reload(page: Page): Promise<void> {
  await page.evaluate('window.headwaterReloads = true, void setTimeout(() => location.reload())')
  await until(page, `!window.headwaterReloads && document.readyState === 'complete'`)
}

/** Between two documents there is nothing to evaluate in. */
async function until(page: Page, expression: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await page.evaluate(expression).catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`This did not become true in 10 s: ${expression}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
