import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const CANDIDATES = [
  process.env.HEADWATER_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

/** Where Chromium is installed (`HEADWATER_CHROMIUM` first), or `undefined`. */
export function chromiumPath(): string | undefined {
  return CANDIDATES.find(path => path && existsSync(path))
}

/** A running Chromium with a home of its own, which `close` removes. */
export interface StartedBrowser {
  browser: Browser
  close(): Promise<void>
}

/**
 * Starts headless Chromium without sandbox (tests run as root) and without its own network chatter. Throws when there
 * is none: ask `chromiumPath` first. `browser.close()` fires no `pagehide` in the pages; close pages first when it matters.
 */
export async function startChromium(): Promise<StartedBrowser> {
  const executablePath = chromiumPath()
  if (!executablePath)
    throw new Error(`Chromium is not installed. Looked for: ${CANDIDATES.filter(Boolean).join(', ')}.`)
  const home = await mkdtemp(join(tmpdir(), 'headwater-chromium-'))
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    env: { ...definedEnvironment(), HOME: home },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    browser,
    async close() {
      await browser.close()
      // The last of Chromium's processes may still write its profile.
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
