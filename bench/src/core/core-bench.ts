import { equal } from 'node:assert/strict'
import { isAscii } from 'node:buffer'
import {
  createScenarioSet,
  DuplicateWindow,
  type Event,
  eventsOf,
  hashEventId,
  judge,
  type Member,
  PlainLines,
  parseLogLine,
  parseScenario,
  type Scenario,
  type ScenarioSet,
} from '@headwater/core'
import { accessLine, benchScenarios, expectedCounts, type LineOptions, memberCsv } from '../access-lines.ts'
import { atLeast, atMost, type Bench, inTurns, type Measured, type RunOptions, shown } from '../bench.ts'
import { ownCpuSeconds } from '../cpu-time.ts'
import { profiled } from '../profile.ts'

const ORIGIN = { source: 'bench', ingestSiteId: 1 }
const SITE = 1

/** Log line → judged outcomes, beside a bare `JSON.parse` of the same event. Everything is in memory. */
export const coreBench: Bench = {
  name: 'core',
  about: 'log line → judged outcome, 20 scenarios of 3 filters, 100 k members, beside JSON.parse of the same event',
  run,
}

async function run({ scale, profile }: RunOptions): Promise<Measured> {
  const small = scale === 'small'
  const lineOptions: LineOptions = {
    scenarios: 20,
    members: small ? 1000 : 100_000,
    startMs: Date.UTC(2026, 0, 5, 9),
    stepMs: 1,
  }
  const count = small ? 2000 : 50_000
  const passes = small ? 1 : 2
  const lines = slicedLines(count, lineOptions)
  const members = memberMap(lineOptions.members)
  const addressed = scenarioSet(20, null)
  const ofSite = scenarioSet(20, SITE)
  const siteLines = slicedLines(count, lineOptions, line => line.replace(/GET \/\d+/, 'GET /matomo.php'))
  // No event may be kept: V8 would learn to allocate all later ones in its old generation (seen: twice the time).
  const json = lines.map(line => JSON.stringify(flat(eventOf(line))))

  /** Events per CPU-second of `passes` times all lines; `once` gives what it made, so that nothing is optimised away. */
  const rateOf = (once: () => number, made: number) => async (): Promise<number> => {
    const before = ownCpuSeconds()
    for (let pass = 0; pass < passes; pass++) equal(once(), made)
    return (count * passes) / (ownCpuSeconds() - before)
  }
  const expected = [...expectedCounts(0, count, lineOptions).values()]
  equal(
    judgeAll(lines, addressed, members, 'successes'),
    expected.reduce((sum, { success }) => sum + success, 0),
  )
  const contenders = {
    'JSON.parse of the event': rateOf(() => parseAll(json), count),
    'line → record': rateOf(() => recordsOf(lines), count),
    'line → event, as text': rateOf(() => eventsOfAll(lines), count),
    'line → outcome, one scenario asked': rateOf(() => judgeAll(lines, addressed, members), count),
    'line → 20 outcomes, all of a site asked': rateOf(() => judgeAll(siteLines, ofSite, members), 20 * count),
  }
  for (const contender of Object.values(contenders)) await contender()
  const { result: rates, hotspots } = await profiled(profile, () => inTurns(small ? 1 : 5, contenders))

  const parse = rates['JSON.parse of the event']?.median as number
  const whole = rates['line → outcome, one scenario asked']?.median as number
  return {
    rows: Object.entries(rates).map(([what, { median, low, high }]) => ({
      what,
      figures: {
        'events/CPU-s': shown(median),
        band: `${shown(low)} – ${shown(high)}`,
        'µs each': (1e6 / median).toFixed(2),
        '× JSON.parse': (parse / median).toFixed(2),
      },
    })),
    verdicts: [
      atLeast('line → judged outcome', 200_000, whole, 'events/CPU-s'),
      atMost('its time', 4, parse / whole, '× JSON.parse'),
    ],
    ...(hotspots && { hotspots }),
  }
}

/** As the tailer gives them: slices of one text a 256 KiB batch, not strings of their own. */
function slicedLines(count: number, options: LineOptions, change = (line: string) => line): string[] {
  const lines: string[] = []
  for (let from = 0; from < count; from += 500) {
    const batch = Array.from({ length: Math.min(500, count - from) }, (_, i) => change(accessLine(from + i, options)))
    const text = Buffer.from(batch.join('\n'), 'latin1').toString('latin1')
    let start = 0
    for (const { length } of batch) {
      lines.push(text.slice(start, start + length))
      start += length + 1
    }
  }
  return lines
}

function memberMap(count: number): Map<string, Member> {
  const [head = '', ...rows] = memberCsv(count).trimEnd().split('\n')
  const [, ...names] = head.split(',')
  return new Map(
    rows.map(row => {
      const [id = '', ...values] = row.split(',')
      return [id, Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))]
    }),
  )
}

function scenarioSet(count: number, siteId: number | null): ScenarioSet {
  const scenarios = benchScenarios(count).map((raw): Scenario => {
    const parsed = parseScenario({ ...raw, site_id: siteId })
    if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
    return parsed.scenario
  })
  return createScenarioSet(scenarios, { memberColumns: new Set(['age', 'gender']), timezone: 'UTC' })
}

function eventOf(line: string): Event {
  const record = parseLogLine(line)
  if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
  const events = eventsOf(record, { ...ORIGIN, position: 0 })
  if ('rejected' in events || events.length !== 1) throw new Error(`one event expected of ${line}`)
  const [event] = events as [Event]
  if ('rejected' in event) throw new Error(`${event.rejected}: ${line}`)
  return event
}

/** The event as a JSON log would have it: one flat object. */
function flat({ params, ...rest }: Event): object {
  const fields: Record<string, string> = {}
  for (let i = 0; i + 1 < params.length; i += 2) fields[params[i] as string] = params[i + 1] as string
  return { ...rest, ...fields }
}

function parseAll(json: readonly string[]): number {
  let made = 0
  for (const text of json) if ((JSON.parse(text) as Event).eventId.length > 0) made++
  return made
}

function recordsOf(lines: readonly string[]): number {
  let made = 0
  for (const line of lines) if (!('rejected' in parseLogLine(line))) made++
  return made
}

function eventsOfAll(lines: readonly string[]): number {
  let made = 0
  for (const line of lines) if (eventOf(line).eventId.length > 0) made++
  return made
}

/** Lines of a batch of the tailer, nearly. */
const BATCH = 500

/** What the filter does with a line, without reading and writing. Gives how many outcomes, or successes, there were. */
function judgeAll(
  lines: readonly string[],
  scenarios: ScenarioSet,
  members: ReadonlyMap<string, Member>,
  counted: 'outcomes' | 'successes' = 'outcomes',
): number {
  const window = new DuplicateWindow({ windowMs: 86_400_000, maxIds: 4_000_000 })
  const hash = new Uint32Array(2)
  const plain = new PlainLines({ source: 'bench' })
  const space = Buffer.alloc(BATCH * 1024)
  let outcomes = 0
  let successes = 0
  let at = 0
  for (let i = 0; i < lines.length; i++) {
    if (i % BATCH === 0) {
      at = 0
      for (let j = i; j < Math.min(i + BATCH, lines.length); j++) at += space.write(lines[j] as string, at, 'latin1')
      plain.begin(space.subarray(0, at), isAscii(space.subarray(0, at)))
      at = 0
    }
    const line = lines[i] as string
    const event = plain.read(line, at, i)
    if (event === undefined) throw new Error(`a plain line expected: ${line}`)
    at += line.length
    const judges = scenarios.judgesOf(event)
    if (typeof judges === 'string') throw new Error(`${judges}: ${line}`)
    hashEventId(event.eventId, hash)
    if (window.seen(hash[0] as number, hash[1] as number, event.receivedAt)) continue
    const member = event.memberId === undefined ? undefined : members.get(event.memberId)
    for (const outcome of judge(event, member, judges)) {
      outcomes++
      successes += outcome.success
    }
  }
  return counted === 'outcomes' ? outcomes : successes
}
