import { gzipSync } from 'node:zlib'
import { type Collector, chromiumPath, startChromium, startCollector } from '@headwater/testkit'
import type { Browser, CDPSession } from 'playwright-core'
import { atMost, type Bench, type Measured, median, type Row, type RunOptions, type Verdict } from '../bench.ts'
import { type Tracker, trackers } from './trackers.ts'

/** What a tracker costs the page that it lives in: bytes, start, one event, and the wait after a click on a link. */
export const sdkBench: Bench = {
  name: 'sdk',
  about: 'size, start, event() and navigation in Chromium beside published trackers',
  async run({ scale }: RunOptions): Promise<Measured> {
    if (chromiumPath() === undefined) return { skipped: 'Chromium is not installed', rows: [], verdicts: [] }
    const { found, missing } = trackers(process.env.HEADWATER_BENCH_PEERS)
    const rounds = scale === 'small' ? 1 : 9
    const [chromium, collector, site] = await Promise.all([startChromium(), startCollector(), startCollector()])
    try {
      const stage: Stage = { browser: chromium.browser, collector, site }
      const rows: Row[] = []
      const verdicts: Verdict[] = []
      const nothing: Tracker = { name: 'no tracker', source: '', init: '', event: 'void 0' }
      const all = await measureAll(stage, [nothing, ...found], rounds)
      const bare = all.get(nothing) as Costs
      for (const tracker of found) {
        const costs = all.get(tracker) as Costs
        const delay = costs.navigationMs - bare.navigationMs
        const figures = {
          'gzip B': gzipSync(tracker.source, { level: 9 }).length,
          'init 1x ms': round(costs.init1Ms),
          'init 4x ms': round(costs.init4Ms),
          'init 1x CPU ms': round(costs.init1CpuMs - bare.init1CpuMs),
          'init 4x CPU ms': round(costs.init4CpuMs - bare.init4CpuMs),
          'event 1x p95 ms': round(costs.event1Ms),
          'event 4x p95 ms': round(costs.event4Ms),
          'event 1x CPU ms': round(costs.event1CpuMs - bare.event1CpuMs),
          'event 4x CPU ms': round(costs.event4CpuMs - bare.event4CpuMs),
          'navigation +ms': round(delay),
        }
        rows.push({ what: tracker.name, figures })
        if (!tracker.name.startsWith('headwater')) continue
        verdicts.push(
          atMost(`${tracker.name}: init at 1x, CPU time`, 5, costs.init1CpuMs - bare.init1CpuMs, 'ms'),
          atMost(`${tracker.name}: init at 4x, CPU time`, 25, costs.init4CpuMs - bare.init4CpuMs, 'ms'),
          atMost(`${tracker.name}: event() p95 at 4x`, 1, costs.event4Ms, 'ms'),
          // The spread of the page without a tracker: less cannot be told from nothing.
          atMost(`${tracker.name}: navigation`, Math.max(5, bare.navigationSpreadMs), delay, 'ms'),
        )
      }
      for (const name of missing)
        rows.push({ what: `${name}: not measured, HEADWATER_BENCH_PEERS names no folder that has it`, figures: {} })
      return { rows, verdicts }
    } finally {
      await chromium.close()
      await Promise.all([collector.close(), site.close()])
    }
  },
}

interface Stage {
  browser: Browser
  collector: Collector
  site: Collector
}

interface Visit {
  initMs: number
  /** Of the page's main thread, scripts only, until the page has loaded. */
  initCpuMs: number
  eventP95Ms: number
  /** Of the main thread, all of an event: also what it leaves for later turns. Mean. */
  eventCpuMs: number
  navigationMs: number
}

/** CPU time of the page's main thread so far: on a busy machine a wall clock measures the others. */
async function cpuMs(session: CDPSession): Promise<{ scripts: number; tasks: number }> {
  const { metrics } = await session.send('Performance.getMetrics')
  const ms = (name: string): number => 1000 * (metrics.find(metric => metric.name === name)?.value ?? 0)
  return { scripts: ms('ScriptDuration'), tasks: ms('TaskDuration') }
}

interface Costs {
  /** Evaluating the script and starting it; the quickest round, for a shared machine only ever adds. */
  init1Ms: number
  init4Ms: number
  /** The same in CPU time of the page's main thread, with that of the page itself. */
  init1CpuMs: number
  init4CpuMs: number
  /** 95 of 100 calls are quicker; the quickest round. */
  event1Ms: number
  event4Ms: number
  /** CPU time of an event with all it brings about, mean, with that of the page itself. */
  event1CpuMs: number
  event4CpuMs: number
  /** From the click on a link to the start of the navigation, median. */
  navigationMs: number
  navigationSpreadMs: number
}

const round = (ms: number): number => Math.round(ms * 100) / 100

/** Round by round through all of them, so that what else the machine does falls on each alike. */
async function measureAll(stage: Stage, all: readonly Tracker[], rounds: number): Promise<Map<Tracker, Costs>> {
  const visits = new Map<Tracker, Record<1 | 4, Visit[]>>(all.map(tracker => [tracker, { 1: [], 4: [] }]))
  for (let i = 0; i < rounds; i++)
    for (const [tracker, seen] of visits) {
      put(stage, tracker)
      for (const throttle of [1, 4] as const) seen[throttle].push(await visit(stage, tracker, throttle))
    }
  return new Map([...visits].map(([tracker, seen]) => [tracker, costsOf(seen)]))
}

function costsOf(seen: Record<1 | 4, Visit[]>): Costs {
  const least = (throttle: 1 | 4, figure: keyof Visit): number => Math.min(...seen[throttle].map(one => one[figure]))
  const navigations = seen[1].map(({ navigationMs }) => navigationMs)
  return {
    init1Ms: least(1, 'initMs'),
    init4Ms: least(4, 'initMs'),
    init1CpuMs: least(1, 'initCpuMs'),
    init4CpuMs: least(4, 'initCpuMs'),
    event1Ms: least(1, 'eventP95Ms'),
    event4Ms: least(4, 'eventP95Ms'),
    event1CpuMs: least(1, 'eventCpuMs'),
    event4CpuMs: least(4, 'eventCpuMs'),
    navigationMs: median(navigations),
    navigationSpreadMs: Math.max(...navigations) - Math.min(...navigations),
  }
}

/** The script stands in the page itself, so that no time of the network is in the figures. */
function put({ collector, site }: Stage, { source, init }: Tracker): void {
  const inline = (code: string): string => `<script>${code.replaceAll('</script', '<\\/script')}</script>`
  // Some trackers report nothing of automated browsers.
  const person = `Object.defineProperty(navigator, 'webdriver', { value: false })`
  const tag = `{ src: '${collector.origin}/headwater.js', dataset: { siteId: '1' } }`
  const body = `<!doctype html><title>shop</title><a href="/next" data-hw-event="leave">next</a>
${inline(`${person}; Object.defineProperty(document, 'currentScript', { value: ${tag} }); started = performance.now()`)}
${inline(source)}
${inline(`${init.replaceAll('$COLLECTOR', collector.origin)}; initMs = performance.now() - started`)}`
  // Isolated pages have a clock of 5 µs, others of 100.
  const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }
  site.files.set('/page', { type: 'text/html', body, headers })
  site.files.set('/next', { type: 'text/html', body: '<!doctype html><title>next</title>', headers })
}

async function visit({ browser, collector, site }: Stage, { name, event }: Tracker, throttle: number): Promise<Visit> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const faults: string[] = []
    page.on('pageerror', error => faults.push(error.message))
    const session = await context.newCDPSession(page)
    await session.send('Emulation.setCPUThrottlingRate', { rate: throttle })
    collector.reset()
    await session.send('Performance.enable', { timeDomain: 'threadTicks' })
    await page.goto(`${site.origin}/page`)
    const loaded = await cpuMs(session)
    const initMs = await page.evaluate<number | undefined>('globalThis.initMs')
    if (initMs === undefined) throw new Error(`${name} does not start: ${faults.join('; ')}`)
    const times = await page.evaluate<number[]>(`(async () => {
      const times = []
      for (let i = 0; i < 60; i++) {
        const before = performance.now()
        ${event}
        // What it leaves for the end of the turn is its cost, too.
        await 0
        times.push(performance.now() - before)
        await new Promise(done => setTimeout(done, 4))
      }
      return times
    })()`)
    const reported = await cpuMs(session)
    // What is slow to answer must not hold up the click.
    collector.behaviour.latencyMs = 1_000
    await page.evaluate(`addEventListener('click', () => {
      sessionStorage.setItem('clicked', String(performance.timeOrigin + performance.now()))
    }, true)`)
    await page.click('a')
    await page.waitForURL('**/next')
    const navigationMs = await page.evaluate<number>(
      `performance.timeOrigin - Number(sessionStorage.getItem('clicked'))`,
    )
    // A figure of a tracker that reports nothing is none.
    const reports = collector.received.length > 0
    if (event !== 'void 0' && !reports) throw new Error(`${name} has reported nothing: its calls are wrong.`)
    times.sort((a, b) => a - b)
    const eventP95Ms = times[Math.ceil(0.95 * times.length) - 1] ?? 0
    const eventCpuMs = (reported.tasks - loaded.tasks) / times.length
    return { initMs, initCpuMs: loaded.scripts, eventP95Ms, eventCpuMs, navigationMs }
  } finally {
    await context.close()
  }
}
