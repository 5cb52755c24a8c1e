import { gzipSync } from 'node:zlib'
import { type Collector, chromiumPath, startCollector } from '@headwater/testkit'
import { atMost, type Bench, type Measured, median, type Row, type RunOptions, type Verdict } from '../bench.ts'
import { type BareChromium, type BarePage, startBareChromium } from './bare-chromium.ts'
import { type Tracker, trackers } from './trackers.ts'

/** What a tracker costs the page that it lives in: bytes, start, one event, and the wait after a click on a link. */
export const sdkBench: Bench = {
  name: 'sdk',
  about: 'size, start, event() and navigation in Chromium beside published trackers',
  async run({ scale }: RunOptions): Promise<Measured> {
    if (chromiumPath() === undefined) return { skipped: 'Chromium is not installed', rows: [], verdicts: [] }
    const { found, missing } = trackers(process.env.HEADWATER_BENCH_PEERS)
    const rounds = scale === 'small' ? 1 : 9
    const [chromium, collector, site] = await Promise.all([startBareChromium(), startCollector(), startCollector()])
    try {
      const stage: Stage = { chromium, collector, site }
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
          'first 2 s CPU ms': round(costs.settledCpuMs - bare.settledCpuMs),
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
  chromium: BareChromium
  collector: Collector
  site: Collector
}

interface Visit {
  initMs: number
  /** Of the page's main thread, for scripts, until the page has loaded. */
  initCpuMs: number
  /** The same until two seconds later: what a start puts off is a cost, too. */
  settledCpuMs: number
  eventMs: number[]
  /** Of the main thread, all of an event: also what it leaves for later turns. Mean. */
  eventCpuMs: number
  navigationMs: number
}

/** CPU time of the page's main thread so far: on a busy machine a wall clock measures the others. */
async function cpuMs(page: BarePage): Promise<{ scripts: number; tasks: number }> {
  type Metrics = { metrics: { name: string; value: number }[] }
  const { metrics } = await page.send<Metrics>('Performance.getMetrics')
  const ms = (name: string): number => 1000 * (metrics.find(metric => metric.name === name)?.value ?? 0)
  return { scripts: ms('ScriptDuration') + ms('V8CompileDuration'), tasks: ms('TaskDuration') }
}

/**
 * At 1x the quickest round, for a shared machine only ever adds. At 4x the middle one: Chromium throttles by signals from
 * another thread, and where that one gets no turn a page runs at full speed, then stands still for longer.
 */
interface Costs {
  /**
   * From the script's first statement to the end of its start, by the clock: with the waits for the browser's other
   * processes.
   */
  init1Ms: number
  init4Ms: number
  /** CPU time of the page's main thread for running and compiling scripts, with those of the page itself. */
  init1CpuMs: number
  init4CpuMs: number
  /** At 1x. */
  settledCpuMs: number
  /** 95 of 100 calls are quicker, each of them in its middle round. */
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
  type Figure = Exclude<keyof Visit, 'eventMs'>
  const least = (figure: Figure): number => Math.min(...seen[1].map(one => one[figure]))
  const middle = (figure: Figure): number => median(seen[4].map(one => one[figure]))
  // Call by call: what is slow about the third call or the twentieth is so in most rounds, the machine's other work is not.
  const eventP95 = (throttle: 1 | 4): number => {
    const rounds = seen[throttle].map(({ eventMs }) => eventMs)
    const calls = (rounds[0] ?? []).map((_ms, call) => median(rounds.map(round => round[call] ?? 0)))
    return calls.sort((a, b) => a - b)[Math.ceil(0.95 * calls.length) - 1] ?? 0
  }
  const navigations = seen[1].map(({ navigationMs }) => navigationMs)
  return {
    init1Ms: least('initMs'),
    init4Ms: middle('initMs'),
    init1CpuMs: least('initCpuMs'),
    init4CpuMs: middle('initCpuMs'),
    settledCpuMs: least('settledCpuMs'),
    event1Ms: eventP95(1),
    event4Ms: eventP95(4),
    event1CpuMs: least('eventCpuMs'),
    event4CpuMs: middle('eventCpuMs'),
    navigationMs: median(navigations),
    navigationSpreadMs: Math.max(...navigations) - Math.min(...navigations),
  }
}

/**
 * A page as its users write it: the script comes from the collector, then the page starts it. No time of the network is in
 * the figures, and none of the browser's other threads: Chromium compiles on one of them what it loads.
 */
function put({ collector, site }: Stage, { source, init }: Tracker): void {
  const inline = (code: string): string => `<script>${code.replaceAll('$COLLECTOR', collector.origin)}</script>`
  // Some trackers report nothing of automated browsers.
  const person = inline(`Object.defineProperty(navigator, 'webdriver', { value: false })`)
  const script = `<script src="${collector.origin}/headwater.js" data-site-id="1"></script>`
  const body = `<!doctype html><title>shop</title><a href="/next" data-hw-event="leave">next</a>
${person}${source && script}${inline(`${init}; initMs = performance.now() - (globalThis.started ?? performance.now())`)}`
  // Isolated pages have a clock of 5 µs, others of 100.
  const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }
  site.files.set('/page', { type: 'text/html', body, headers })
  site.files.set('/next', { type: 'text/html', body: '<!doctype html><title>next</title>', headers })
  collector.files.set('/headwater.js', {
    type: 'text/javascript',
    // What speaks to the compiler must stay in front.
    body: source.replace(/^(\/\/#.*\n)?/, '$1started = performance.now();'),
    headers: { 'cross-origin-resource-policy': 'cross-origin' },
  })
}

const SETTLE_MS = 2_000

async function visit({ chromium, collector, site }: Stage, tracker: Tracker, throttle: number): Promise<Visit> {
  const { name, event } = tracker
  const page = await chromium.newPage()
  try {
    await page.send('Emulation.setCPUThrottlingRate', { rate: throttle })
    collector.reset()
    await page.send('Performance.enable', { timeDomain: 'threadTicks' })
    await page.loaded(page.send('Page.navigate', { url: `${site.origin}/page` }))
    const loaded = await cpuMs(page)
    const initMs = await page.evaluate<number | undefined>('globalThis.initMs')
    if (initMs === undefined) throw new Error(`${name} does not start.`)
    if (throttle === 1) await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
    const settled = await cpuMs(page)
    const eventMs = await page.evaluate<number[]>(`(async () => {
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
    const reported = await cpuMs(page)
    // What is slow to answer must not hold up the click.
    collector.behaviour.latencyMs = 1_000
    await page.evaluate(`addEventListener('click', () => {
      sessionStorage.setItem('clicked', String(performance.timeOrigin + performance.now()))
    }, true)`)
    await page.loaded(click(page, 'a'))
    const navigationMs = await page.evaluate<number>(
      `performance.timeOrigin - Number(sessionStorage.getItem('clicked'))`,
    )
    // A figure of a tracker that reports nothing is none.
    const reports = collector.received.length > 0
    if (event !== 'void 0' && !reports) throw new Error(`${name} has reported nothing: its calls are wrong.`)
    return {
      initMs,
      initCpuMs: loaded.scripts,
      settledCpuMs: settled.scripts,
      eventMs,
      eventCpuMs: (reported.tasks - settled.tasks) / eventMs.length,
      navigationMs,
    }
  } finally {
    await page.close()
  }
}

/** By the mouse, on the middle of the element. */
async function click(page: BarePage, selector: string): Promise<void> {
  const [x, y] = await page.evaluate<[number, number]>(`(() => {
    const { x, y, width, height } = document.querySelector('${selector}').getBoundingClientRect()
    return [x + width / 2, y + height / 2]
  })()`)
  const at = { x, y, button: 'left', clickCount: 1 }
  await page.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...at })
  await page.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...at })
}
