import { readdirSync, readFileSync } from 'node:fs'
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
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from 'vitest'
import { arrived, type ReceivedEvent } from '../received-events.ts'

/** What a test gets in each engine: pages on one origin, the collector on another, a new visitor each test. */
export interface EngineSuite {
  engine: Engine
  /** Another one for each test: what closing pages still send may come when the next test has begun. */
  collector: Collector
  /** The site: another origin than the collector's. It has every page of `pages/`, the SDK's modules and `file.zip`. */
  site: Collector
  /** The address of a page of `pages/`, with a query: `click.html?x=1`; for this test with headers or changed text. */
  address(page: string, variation?: Variation): string
  visitor(): Promise<EngineVisitor>
  /** A tab of this test's visitor, with nothing in it yet. */
  newPage(): Promise<EnginePage>
  /** A tab with this page, after its `load`. */
  open(page: string, variation?: Variation): Promise<EnginePage>
  /**
   * Goes from the page to one without a tracker and waits until that has reached the collector: what the page still held
   * has been sent then. It comes on connections of its own, perhaps a moment later: `until` it is there. Resolves to what
   * the page's handlers for errors were told.
   */
  leave(page: EnginePage): Promise<string[]>
  /** Waits until a request of the page's own, which is not recorded, is answered by the collector. */
  reach(page: EnginePage): Promise<unknown>
  /** Waits until all that the page has to send is answered. */
  flush(page: EnginePage): Promise<void>
  /** Everything that arrived, repeats once. */
  seen(): ReceivedEvent[]
  views(): ReceivedEvent[]
  clicks(): ReceivedEvent[]
  /** Events as texts: `category action name`, after the path when that is a scenario's: `/5 …`. */
  told(): string[]
  /** Waits until the check passes, 10 s at most. */
  until(check: () => unknown): Promise<unknown>
  /** Waits for `window.headwater`. */
  ready(page: EnginePage): Promise<unknown>
}

export interface Variation {
  headers?: Record<string, string>
  edit?: (html: string) => string
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const dist = (file: string): string => read(`../../dist/${file}`)
const filesOf = (path: string, ending: string): string[] =>
  readdirSync(new URL(path, import.meta.url)).filter(file => file.endsWith(ending))

/** The built script as the collector serves it. */
export const trackerScript = (): string => dist('headwater.js')

/** Notes every error and rejection that reaches a page, before anything else of it runs; frames tell the page above. */
const recorder = `
window.faults = []
const fault = text => parent === window ? faults.push(text) : parent.postMessage({ fault: text }, '*')
addEventListener('error', event => fault('error: ' + (event.message || event.target.src)), true)
addEventListener('unhandledrejection', event => fault('rejection: ' + event.reason))
addEventListener('message', ({ data }) => data.fault && fault(data.fault))
`

/** A page of `pages/` as it is served: `$COLLECTOR` and `$STUB` replaced, errors noted, whatever its policy. */
export function renderPage(file: string, collector: Collector): string {
  const html = read(`../pages/${file}`)
  const nonce = /nonce="(\w+)"/.exec(html)?.[1] ?? ''
  return html
    .replace('<meta charset="utf-8">', tag => `${tag}\n<script nonce="${nonce}">${recorder}</script>`)
    .replace('$STUB', () => dist('stub.js'))
    .replaceAll('$COLLECTOR', collector.origin)
}

/** `describe` for each engine, which is skipped where it is not installed, unless `HEADWATER_SERVICES=required`. */
export function describeInEngines(name: string, body: (suite: EngineSuite, engine: EngineName) => void): void {
  for (const installed of engines())
    describe.skipIf(!serviceOrSkip(installed.name, !installed.missing, installed.missing))(
      `${name} in ${installed.name}`,
      () => {
        const suite = {} as EngineSuite
        let visitor: EngineVisitor | undefined

        beforeAll(async () => {
          ;[suite.engine, suite.site] = await Promise.all([installed.start(), startCollector()])
          for (const file of filesOf('../../dist/', '.js')) serveScript(suite.site, `/sdk/${file}`, dist(file))
          const vitals = read('../../../node_modules/web-vitals/dist/web-vitals.js')
          serveScript(suite.site, '/web-vitals.js', vitals)
          suite.site.files.set('/file.zip', { type: 'application/zip', body: 'x' })
          Object.assign(suite, verbs(suite))
          suite.visitor = async () => {
            visitor ??= await suite.engine.newVisitor()
            return visitor
          }
          suite.newPage = async () => (await suite.visitor()).newPage()
        })
        beforeEach(async () => {
          suite.collector = await startCollector()
          for (const file of ['headwater.js', 'headwater-core.js', 'headwater-preview.js'])
            serveScript(suite.collector, `/${file}`, dist(file))
          // For sites that come from Matomo.
          serveScript(suite.collector, '/matomo.js', trackerScript())
          serveScript(suite.collector, '/reached', '')
          for (const file of filesOf('../pages/', '.html')) suite.address(file)
        })
        afterEach(async () => {
          await visitor?.close()
          visitor = undefined
          await suite.collector.close()
        })
        afterAll(async () => {
          await suite.engine?.close()
          await suite.site?.close()
        })
        body(suite, installed.name)
      },
    )
}

function serveScript({ files }: Collector, path: string, body: string): void {
  files.set(path, { type: 'text/javascript', body })
}

function verbs(suite: EngineSuite): Partial<EngineSuite> {
  return {
    address(page, { headers = {}, edit = (html: string) => html } = {}) {
      const [file = ''] = page.split('?')
      const body = edit(renderPage(file, suite.collector))
      suite.site.files.set(`/${file}`, { type: 'text/html; charset=utf-8', body, headers })
      return `${suite.site.origin}/${page}`
    },
    async open(page, variation) {
      const tab = await suite.newPage()
      await tab.goto(suite.address(page, variation))
      return tab
    },
    async leave(page) {
      const faults = await page.evaluate<string[]>('window.faults')
      // By the page itself: Firefox's driver waits for ever after a page has come back out of the back/forward cache. Marked,
      // because the page that is left may be `next.html` too.
      await page.evaluate(
        `window.isLeft = true, void setTimeout(() => location.assign('${suite.address('next.html')}'))`,
      )
      await suite.until(async () => expect(await page.evaluate('!window.isLeft && document.title')).toBe('Next'))
      await suite.reach(page)
      return faults
    },
    reach: page => page.evaluate(`fetch('${suite.collector.origin}/reached').then(() => 0)`),
    flush: page => page.evaluate('headwater.flush()'),
    seen: () => arrived(suite.collector),
    views: () => suite.seen().filter(({ params }) => params.action_name),
    clicks: () => suite.seen().filter(({ params }) => params.e_c),
    told: () =>
      suite
        .clicks()
        .map(({ path, params: { e_c, e_a, e_n } }) =>
          [path.replace('/matomo.php', ''), e_c, e_a, e_n].filter(Boolean).join(' '),
        ),
    until: check => vi.waitFor(check, { timeout: 10_000, interval: 20 }),
    ready: page => suite.until(async () => expect(await page.evaluate('typeof headwater')).toBe('object')),
  }
}
