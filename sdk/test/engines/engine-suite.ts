import { readFileSync } from 'node:fs'
import {
  type Collector,
  type Engine,
  type EngineName,
  type EnginePage,
  type EngineVisitor,
  engines,
  serviceOrSkip,
  startCollector,
} from '@headwater/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, vi } from 'vitest'
import { arrived, type ReceivedEvent } from '../received-events.ts'

/** What a test gets in each engine: pages on one origin, the collector on another, a new visitor each test. */
export interface EngineSuite {
  engine: Engine
  collector: Collector
  /** The site: another origin than the collector's. */
  site: Collector
  /** Puts a page on the site and returns its address. `$COLLECTOR` in it is replaced. */
  put(path: string, html: string, headers?: Record<string, string>): string
  /** A tab of this test's visitor. */
  newPage(): Promise<EnginePage>
  /** Everything that arrived, repeats once. */
  seen(): ReceivedEvent[]
  views(): ReceivedEvent[]
  clicks(): ReceivedEvent[]
  /** Waits until the check passes, 10 s at most. */
  until(check: () => unknown): Promise<unknown>
  /** What the page's own handlers for errors and rejections were told. */
  faults(page: EnginePage): Promise<string[]>
}

/** The built script as the collector serves it. */
export const trackerScript = (): string => readFileSync(new URL('../../dist/headwater.js', import.meta.url), 'utf8')
const moduleBundle = (): string => readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8')

/** `describe` for each engine, which is skipped where it is not installed, unless `HEADWATER_SERVICES=required`. */
export function describeInEngines(name: string, body: (suite: EngineSuite, engine: EngineName) => void): void {
  for (const installed of engines())
    describe.skipIf(!serviceOrSkip(installed.name, !installed.missing, installed.missing))(
      `${name} in ${installed.name}`,
      // The drivers hang now and then when a page is closed that listens to `pagehide`: 10 of 160 times in Chromium, 0 of
      // 120 without a listener, whatever the page sends (measured with an empty listener, too).
      { retry: 2 },
      () => {
        const suite = {} as EngineSuite
        let visitor: EngineVisitor | undefined

        beforeAll(async () => {
          ;[suite.engine, suite.collector, suite.site] = await Promise.all([
            installed.start(),
            startCollector(),
            startCollector(),
          ])
          suite.collector.files.set('/headwater.js', { type: 'text/javascript', body: trackerScript() })
          suite.site.files.set('/index.js', { type: 'text/javascript', body: moduleBundle() })
          Object.assign(suite, verbs(suite))
          suite.newPage = async () => {
            visitor ??= await suite.engine.newVisitor()
            return visitor.newPage()
          }
        })
        afterEach(async () => {
          await visitor?.close()
          visitor = undefined
          // Last, so that what the closing pages still send is forgotten too.
          suite.collector.reset()
        })
        afterAll(async () => {
          await suite.engine?.close()
          await Promise.all([suite.collector?.close(), suite.site?.close()])
        })
        body(suite, installed.name)
      },
    )
}

function verbs(suite: EngineSuite): Partial<EngineSuite> {
  return {
    put(path, html, headers = {}) {
      const body = html.replaceAll('$COLLECTOR', suite.collector.origin)
      suite.site.files.set(path, { type: 'text/html; charset=utf-8', body, headers })
      return suite.site.origin + path
    },
    seen: () => arrived(suite.collector),
    views: () => suite.seen().filter(({ params }) => params.action_name),
    clicks: () => suite.seen().filter(({ params }) => params.e_c),
    until: check => vi.waitFor(check, { timeout: 10_000, interval: 20 }),
    faults: page => page.evaluate<string[]>('window.faults'),
  }
}

/** The tag as the README shows it. */
export const tag = '<script async src="$COLLECTOR/headwater.js" data-site-id="1"></script>'

export const button = `<button data-hw-event="buttonClick" data-hw-action="Clicked" data-hw-name="고면할당하기" data-hw-scenario="5"><b>buy</b></button>`

/** A page that notes every error and rejection that reaches it, before anything else runs. */
export function html(body: string, head = tag, nonce = ''): string {
  return `<!doctype html><meta charset="utf-8"><title>상품 "A" & B</title>
<script nonce="${nonce}">
window.faults = []
addEventListener('error', event => faults.push('error: ' + (event.message || event.target.src)), true)
addEventListener('unhandledrejection', event => faults.push('rejection: ' + event.reason))
</script>
${head}<body>${body}`
}

/** Waits for what is on its way, then states that nothing but this many events has arrived. */
export async function expectNoMore(suite: EngineSuite, page: EnginePage, count: number): Promise<void> {
  await page.evaluate('new Promise(done => setTimeout(done, 500))')
  expect(suite.seen()).toHaveLength(count)
}
