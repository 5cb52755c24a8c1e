import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'puppeteer-core'
import type { Engine, EnginePage, InstalledEngine } from './engine.ts'
import { commandLine, descendants } from './process-tree.ts'

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
  if (!executablePath) throw new Error(`Firefox is not installed. Looked for: ${CANDIDATES.filter(Boolean).join(', ')}.`)
  const { default: puppeteer } = await import('puppeteer-core')
  const home = await mkdtemp(join(tmpdir(), 'headwater-firefox-'))
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    env: { ...process.env, HOME: home },
    extraPrefsFirefox: QUIET,
  })
  const pid = browser.process()?.pid as number
  return {
    name: 'firefox',
    version: await browser.version(),
    async newVisitor() {
      const context = await browser.createBrowserContext()
      return { newPage: () => newPage(context, pid), close: () => context.close() }
    },
    async close() {
      await browser.close()
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

async function newPage(context: BrowserContext, pid: number): Promise<EnginePage> {
  const before = new Set(contentProcesses(pid))
  const page = await context.newPage()
  await page.setViewport({ width: 1280, height: 800 })
  return {
    goto: async url => void (await page.goto(url)),
    evaluate: expression => page.evaluate(expression) as Promise<never>,
    click: selector => page.click(selector),
    reload: async () => void (await page.reload()),
    back: () => step(page, 'back'),
    forward: () => step(page, 'forward'),
    close: () => page.close(),
    async crash() {
      for (const one of contentProcesses(pid)) if (!before.has(one)) process.kill(one, 'SIGKILL')
    },
  }
}

/** By the page's own history: BiDi's waits for a load that does not come when the page is restored from its cache. */
async function step(page: Page, direction: 'back' | 'forward'): Promise<void> {
  const from = page.url()
  await page.evaluate(`void setTimeout(() => history.${direction}())`)
  while (page.url() === from) await new Promise(resolve => setTimeout(resolve, 20))
}

const contentProcesses = (pid: number): number[] =>
  descendants(pid).filter(one => / tab$/.test(commandLine(one)) && commandLine(one).includes('-contentproc'))
