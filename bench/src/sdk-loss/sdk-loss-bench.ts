import { readFileSync } from 'node:fs'
import { encodeUtf8, parseQuery } from '@headwater/core'
import {
  bareBeacons,
  countExits,
  type Engine,
  type ExitCase,
  type ExitCount,
  type ExitEvent,
  engines,
  exitCases,
  type ReceivedRequest,
  rendererCrash,
} from '@headwater/testkit'
import type { Bench, Measured, Row, RunOptions, Verdict } from '../bench.ts'

/** Exits of each way to leave and of each trouble; WebKit and Firefox have the slower drivers. */
const EXITS = {
  small: { chromium: 1, firefox: 0, webkit: 0, troubles: 1, latenciesMs: [200] },
  full: { chromium: 60, firefox: 10, webkit: 10, troubles: 5, latenciesMs: [0, 200, 1_000] },
} as const

/** Cases that run side by side, each with a visitor and a collector of its own. */
const AT_ONCE = { chromium: 3, firefox: 1, webkit: 2 } as const

/** What is lost and what is doubled when real pages end: every way to leave × the collector's latency, and troubles. */
export const sdkLossBench: Bench = {
  name: 'sdk-loss',
  about: 'events lost and doubled when pages end, in three engines; of its own kind, no peer',
  async run(options): Promise<Measured> {
    const rows: Row[] = []
    const verdicts: Verdict[] = []
    const absent: string[] = []
    let exits = 0
    for (const { name, missing, start } of engines()) {
      if (EXITS[options.scale][name] === 0) continue
      if (missing !== undefined) {
        absent.push(`${name}: ${missing}`)
        continue
      }
      const engine = await start()
      try {
        const counts = await countAll(engine, options)
        for (const [one, count] of counts) {
          rows.push({ what: `${name}: ${one.name}`, figures: { ...count } })
          if (!engine.closingLoses || !one.closes) continue
          const control = await countExits(one, {
            engine,
            script: bareBeacons,
            exits: count.exits,
            read,
            patienceMs: 1_000,
          })
          rows.push({ what: `${name}: ${one.name}, a page without a tracker`, figures: { ...control } })
        }
        verdicts.push(...verdictsOn(engine, counts))
        exits += [...counts.values()].reduce((sum, count) => sum + count.exits, 0)
      } finally {
        await engine.close()
      }
    }
    if (rows.length === 0) return { skipped: absent.join('; ') || 'no engine', rows, verdicts }
    for (const reason of absent) rows.push({ what: `skipped, ${reason}`, figures: {} })
    verdicts.push({ target: 'exits ≥ 1000', seen: String(exits), reached: exits >= 1_000 })
    return { rows, verdicts }
  },
}

async function countAll(engine: Engine, { scale }: RunOptions): Promise<Map<ExitCase, ExitCount>> {
  const script = readFileSync(new URL('../../../sdk/dist/headwater.js', import.meta.url), 'utf8')
  const plan = EXITS[scale]
  const cases = [...exitCases(plan.latenciesMs), ...(engine.name === 'chromium' ? [rendererCrash] : [])]
  const left = [...cases]
  const counts = new Map<ExitCase, ExitCount>()
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const exits = one.trouble ? Math.min(plan.troubles, plan[engine.name]) : plan[engine.name]
      counts.set(one, await countExits(one, { engine, script, exits, read }))
      process.stderr.write(`${engine.name}: ${one.name}: ${JSON.stringify(counts.get(one))}\n`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE[engine.name] }, work))
  return new Map(cases.map(one => [one, counts.get(one) as ExitCount]))
}

/** Tabs that are closed where the browser itself loses what they report are rows, beside a page without a tracker. */
function verdictsOn({ name, version, closingLoses }: Engine, counts: Map<ExitCase, ExitCount>): Verdict[] {
  const sum = (figure: 'lost' | 'doubled'): number =>
    [...counts].reduce((total, [one, count]) => {
      const excepted = one === rendererCrash || (figure === 'lost' && closingLoses && one.closes)
      return total + (excepted ? 0 : count[figure])
    }, 0)
  const verdicts = (['lost', 'doubled'] as const).map(figure => ({
    target: `${name} (${version}): 0 ${figure}${figure === 'lost' && closingLoses ? ' but in closed tabs' : ''}`,
    seen: String(sum(figure)),
    reached: sum(figure) === 0,
  }))
  const crashed = counts.get(rendererCrash)
  if (crashed === undefined) return verdicts
  const arrived = 1 - crashed.lost / crashed.reported
  const seen = `${(100 * arrived).toFixed(1)} %`
  return [...verdicts, { target: `${name}: ≥ 95 % arrive after a crash`, seen, reached: arrived >= 0.95 }]
}

/** As the edge reads a request: its query, its body, or a bulk one by one. */
function read({ target, body }: ReceivedRequest): ExitEvent[] {
  const queries = body.startsWith('{')
    ? (JSON.parse(body) as { requests: string[] }).requests.map(request => request.slice(1))
    : [body || (target.split('?')[1] ?? '')]
  return queries.map(query => {
    const flat = parseQuery(encodeUtf8(query), false)
    const params = new Map(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1] ?? ''] as const])))
    return {
      id: params.get('hw_id') ?? '',
      name: params.get('e_n') ?? '',
      url: params.get('url') ?? '',
      isView: params.has('action_name'),
    }
  })
}
