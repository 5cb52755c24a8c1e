import { type Collector, startCollector } from './collector.ts'
import type { Engine, EnginePage, EngineVisitor } from './engine.ts'

/**
 * What a tracker loses when pages end, in a real browser. Each exit opens a page of its own, reports events and leaves
 * within the same turn; what was reported is known by name, so what arrived can be compared.
 */
export interface ExitCase {
  name: string
  /** The collector's latency. Default 0. */
  latencyMs?: number
  /** More than a way to leave: slower, and enough when done a few times. */
  trouble?: boolean
  /** Runs in the page before the tracker: takes away what a browser may lack. */
  sabotage?: string
  /** Events reported right before leaving. Default 3. */
  events?: number
  /** Characters in each event's name. Default: only what tells it apart. */
  nameChars?: number
  /** Page views of one exit that must arrive; undefined when history may restore the page, which is one more. */
  views?: number
  /** The exit is a tab that is closed. In an engine whose `closingLoses` the browser itself may lose what is reported. */
  closes?: boolean
  /** The page reports and leaves by itself as soon as its tracker has started. */
  bounces?: boolean
  /** Reports (`report` is the expression that does), leaves and closes the page. */
  leave(page: EnginePage, report: string, setting: ExitSetting): Promise<void>
}

export interface ExitSetting {
  collector: Collector
  /** An address of the same site with the tracker, which is no exit. */
  another: string
  visitor: EngineVisitor
  engine: Engine
}

export interface ExitCount {
  exits: number
  /** Events and page views that were reported. */
  reported: number
  /** Of these, never arrived. */
  lost: number
  /** Of these, counted more than once, repeats of one `hw_id` taken as one. */
  doubled: number
  /** Arrived only after the visitor had come back. */
  onReturn: number
  /** Events that came again under the same `hw_id`, also those that the collector had refused: what is dropped at the edge. */
  repeats: number
}

/** One event read out of a request. */
export interface ExitEvent {
  id: string
  name: string
  url: string
  isView: boolean
}

export interface ExitRun {
  engine: Engine
  /** The tracker as a script tag loads it. */
  script: string
  exits: number
  /** How long the visitor who has come back waits for what is missing. Default 30 s, for busy machines. */
  patienceMs?: number
  /** How the collector would read a request's events. */
  read(request: Collector['received'][number]): ExitEvent[]
}

/** Does one case `exits` times with one visitor, lets the visitor come back at the end, and compares. */
export async function countExits(
  one: ExitCase,
  { engine, script, exits, read, patienceMs = 30_000 }: ExitRun,
): Promise<ExitCount> {
  const [collector, site] = await Promise.all([startCollector(), startCollector()])
  const tracker = `${collector.origin}/tracker.js`
  collector.files.set('/tracker.js', { type: 'text/javascript', body: script })
  for (const path of ['/start', '/elsewhere'])
    site.files.set(path, { type: 'text/html', body: '<!doctype html><title>no tracker here</title>' })
  site.files.set('/page', { type: 'text/html', body: html(tracker, one.sabotage ?? '') })
  collector.behaviour.latencyMs = one.latencyMs ?? 0
  const visitor = await engine.newVisitor()
  const setting: ExitSetting = { collector, another: `${site.origin}/page?another`, visitor, engine }
  const names: string[] = []
  const addresses: string[] = []

  const arrived = (): ExitEvent[] => distinct(collector.received.flatMap(read))
  const missing = (): number => {
    const found = new Set(arrived().map(token))
    return [...names, ...addresses].filter(name => !found.has(name)).length
  }
  try {
    for (let exit = 0; exit < exits; exit++) {
      const page = await visitor.newPage()
      const own = Array.from({ length: one.events ?? 3 }, (_, i) => `${exit}.${i}.`.padEnd(one.nameChars ?? 0, 'x'))
      const address = `${site.origin}/page?${exit}${one.bounces ? `&bounce=${own}` : ''}`
      names.push(...own)
      addresses.push(address)
      await page.goto(`${site.origin}/start`)
      if (one.bounces) await page.evaluate(`void setTimeout(() => { location.href = ${JSON.stringify(address)} })`)
      else await page.goto(address)
      await one.leave(page, `${JSON.stringify(own)}.forEach(report)`, setting)
    }
    await settled(() => missing() === 0, 1_500 + (one.latencyMs ?? 0))
    const early = missing()
    if (early > 0) {
      const page = await visitor.newPage()
      await page.goto(setting.another)
      await settled(() => missing() === 0, patienceMs)
    }

    const lost = missing()
    const seen = arrived()
    const times = new Map<string, number>()
    for (const event of seen) times.set(token(event), (times.get(token(event)) ?? 0) + 1)
    const views = one.views ?? Number.POSITIVE_INFINITY
    return {
      exits,
      reported: names.length + addresses.length,
      lost,
      doubled:
        names.filter(name => (times.get(name) ?? 0) > 1).length +
        addresses.filter(address => (times.get(address) ?? 0) > views).length,
      onReturn: early - lost,
      repeats: collector.received.flatMap(read).length - seen.length,
    }
  } finally {
    await visitor.close()
    await Promise.all([collector.close(), site.close()])
  }
}

const token = ({ isView, url, name }: ExitEvent): string => (isView ? url : name)

/** Repeats of one `hw_id` are one event. */
const distinct = (events: readonly ExitEvent[]): ExitEvent[] => [
  ...new Map(events.map(event => [event.id, event])).values(),
]

async function settled(done: () => boolean | Promise<boolean>, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!(await done()) && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 20))
}

const html = (tracker: string, sabotage: string): string => `<!doctype html><title>page</title>
<script>
${sabotage}
const report = name => headwater.event('exit', 'leave', name)
const bounce = new URLSearchParams(location.search).get('bounce')
const leave = () => {
  if (!bounce) return
  bounce.split(',').forEach(report)
  location.href = '/elsewhere'
}
</script>
<script async src="${tracker}" data-site-id="1" onload="leave()"></script>
<a href="/elsewhere">elsewhere</a>`

/** The ways to leave a page, by each latency, and the troubles that may come on top. */
export function exitCases(latenciesMs: readonly number[]): ExitCase[] {
  const ways = latenciesMs.flatMap(latencyMs =>
    WAYS.map(way => ({ ...way, name: `${way.name}, ${latencyMs} ms`, latencyMs })),
  )
  return [...ways, ...TROUBLES.map(one => ({ ...one, trouble: true }))]
}

/**
 * No tracker at all, as the control: what a page reports goes out by `sendBeacon`, one by one, when the page is hidden. What
 * is lost of it is the browser's loss.
 */
export const bareBeacons = `
const { origin } = new URL(document.currentScript.src)
const send = query => navigator.sendBeacon(origin + '/5', query + '&hw_id=' + crypto.randomUUID() + '&url=' + encodeURIComponent(location.href))
const names = []
const handOver = () => names.splice(0).forEach(name => send('e_n=' + name))
window.headwater = { event: (category, action, name) => names.push(name) }
document.addEventListener('visibilitychange', () => document.hidden && handOver())
addEventListener('pagehide', handOver)
send('action_name=page')
`

/** The page dies without a word: how much had left it by then. Only for engines whose pages can `crash`. */
export const rendererCrash: ExitCase = {
  name: 'renderer crash',
  views: 1,
  async leave(page, report) {
    await page.evaluate(report)
    await page.crash?.()
    // There is nothing left that could be closed in order.
    await page.close().catch(() => {})
  },
}

const elsewhere = (page: EnginePage): Promise<void> =>
  settled(() => page.evaluate<boolean>(`location.pathname === '/elsewhere'`).catch(() => false), 10_000)

async function byLink(page: EnginePage, report: string): Promise<void> {
  await page.evaluate(`void document.querySelector('a').addEventListener('click', () => { ${report} })`)
  await page.click('a')
  await elsewhere(page)
  await page.close()
}

async function byClosing(page: EnginePage, report: string): Promise<void> {
  await page.evaluate(report)
  await page.close()
}

/** Closes a page whose exit is another one: in a browser that loses what closed tabs report, it is left first. */
async function closeAfterwards(page: EnginePage, { engine }: ExitSetting): Promise<void> {
  if (engine.closingLoses) {
    await page.evaluate(`void setTimeout(() => { location.href = '/elsewhere' })`)
    await elsewhere(page)
  }
  await page.close()
}

/** A first attempt has failed and its copy is in storage. */
const copied = (page: EnginePage): Promise<void> =>
  settled(() => page.evaluate<boolean>('localStorage.length > 0'), 5_000)

/** What was kept has been sent. It is looked for a second after the page has started. */
const drained = (page: EnginePage): Promise<void> =>
  settled(() => page.evaluate<boolean>('localStorage.length === 0'), 5_000)

async function comeBack({ visitor, another }: ExitSetting): Promise<void> {
  const page = await visitor.newPage()
  await page.goto(another)
  await drained(page)
  await page.close()
}

const WAYS: readonly ExitCase[] = [
  { name: 'link click', views: 1, leave: byLink },
  {
    name: 'reload',
    views: 2,
    async leave(page, report, setting) {
      await page.evaluate(report)
      await page.reload()
      await closeAfterwards(page, setting)
    },
  },
  { name: 'close tab', views: 1, closes: true, leave: byClosing },
  {
    name: 'back, forward',
    async leave(page, report, setting) {
      await page.evaluate(report)
      await page.back()
      await page.forward()
      await closeAfterwards(page, setting)
    },
  },
  {
    name: 'instant bounce',
    views: 1,
    bounces: true,
    async leave(page) {
      await elsewhere(page)
      await page.close()
    },
  },
]

/** 40 events of 4 KB are more than twice what a browser takes over from a page that ends. */
const TOO_MUCH = { views: 1, latencyMs: 200, events: 40, nameChars: 4_000 }

const TROUBLES: readonly ExitCase[] = [
  {
    ...TOO_MUCH,
    name: 'over quota, close tab',
    closes: true,
    async leave(page, report, setting) {
      await byClosing(page, report)
      await comeBack(setting)
    },
  },
  {
    ...TOO_MUCH,
    name: 'over quota, link click',
    async leave(page, report, setting) {
      await byLink(page, report)
      await comeBack(setting)
    },
  },
  {
    name: 'offline, then back',
    async leave(page, report, { collector, visitor }) {
      if (visitor.setOffline) {
        await visitor.setOffline(true)
        await byClosing(page, report)
        await visitor.setOffline(false)
      } else {
        // Without a switch in the driver: the collector cuts every connection.
        collector.behaviour.status = 0
        await page.evaluate(report)
        await copied(page)
        await page.close()
        collector.behaviour.status = 204
      }
    },
  },
  {
    name: 'two tabs replay',
    async leave(page, report, { collector, visitor, another }) {
      collector.behaviour.status = 503
      await page.evaluate(report)
      await copied(page)
      await page.close()
      collector.behaviour.status = 204
      const tabs = [await visitor.newPage(), await visitor.newPage()]
      await Promise.all(tabs.map(tab => tab.goto(another)))
      await drained(tabs[0]!)
      for (const tab of tabs) await tab.close()
    },
  },
  {
    name: 'storage throws',
    views: 1,
    sabotage: `Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })`,
    leave: byLink,
  },
  {
    name: 'clock jumps',
    views: 1,
    sabotage: 'const jump = ms => { const real = Date.now; Date.now = () => real.call(Date) + ms }',
    async leave(page, report, setting) {
      await page.evaluate(`(jump(-172_800_000), ${report}, jump(345_600_000))`)
      await closeAfterwards(page, setting)
    },
  },
]
