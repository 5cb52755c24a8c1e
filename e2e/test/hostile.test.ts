import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { filterResults, sumOf } from '../src/filter-results.ts'
import { type HeadwaterProcess, runHeadwater, type Settings, startHeadwater } from '../src/headwater-process.ts'
import { HOSTILE_LINES } from '../src/hostile-lines.ts'
import { type Fate, HOSTILE_REQUESTS } from '../src/hostile-requests.ts'
import { metricsOf } from '../src/metrics-of.ts'
import { rawRequest } from '../src/raw-request.ts'
import { until } from '../src/until.ts'

const SCENARIOS =
  '[{"scenario_id":6,"title":"all","manager":"t","log_format":{"e_n":1},"filters":[],"logical_operator":"AND"}]'
const ACCEPTED = ['judged', 'disabled_scenario', 'site_without_scenario']
const DROPPED = ['duplicate', 'not_a_beacon']

let dir: string | undefined
let server: HeadwaterProcess | undefined
afterEach(async () => {
  await server?.kill()
  server = undefined
  if (dir !== undefined) await rm(dir, { recursive: true, force: true })
})

/** A system under attack, and the books that are kept of it. */
async function setUp(more: Settings) {
  dir = await mkdtemp(join(tmpdir(), 'headwater-hostile-'))
  const data = join(dir, 'data')
  const settings: Settings = {
    HEADWATER_SCENARIOS_FILE: join(dir, 'scenarios.json'),
    HEADWATER_LOG_LEVEL: 'warn',
    ...more,
  }
  await writeFile(join(dir, 'scenarios.json'), SCENARIOS)
  const running = () => server as HeadwaterProcess
  server = await startHeadwater(data, settings)

  /** What must have been counted since the first start, and what was, by processes that are gone. */
  const owed: Record<string, number> = {}
  const past: Record<string, number> = {}
  const owe = (fate: Fate) => add(owed, fate)
  const normal: string[] = []
  return {
    data,
    settings,
    owed,
    normal,
    owe,
    accessLog: join(data, 'log', 'access.log'),
    async sendNormal(count: number) {
      for (let n = 0; n < count; n++) {
        const id = `normal-${normal.length}`
        const answer = await fetch(
          `http://127.0.0.1:${running().ports.gateway}/6?_id=0123456789abcdef&e_n=%EA%B5%AC%EB%A7%A4&hw_id=${id}`,
        )
        expect(answer.status).toBe(204)
        normal.push(id)
        owe({ judged: 1 })
      }
    },
    /** Waits until as much is counted as is owed, then compares result by result. */
    async settle(after: string) {
      await until(
        `the counters after ${after}`,
        async () => (sumOf(await counted()) >= sumOf(owed) ? true : undefined),
        10_000,
      ).catch(async error => {
        expect(await counted(), `${error}`).toEqual(owed)
      })
      expect(await counted(), after).toEqual(owed)
    },
    /** kill -9, `meanwhile`, and a new start. Only after `settle`, for a process takes its counters with it. */
    async crash(meanwhile: () => Promise<void>) {
      // An event is counted as judged a moment before it is stored; one that has reached the statistics is.
      await until('the events to be stored', async () => {
        const { rows } = await (await fetch(`http://127.0.0.1:${running().ports.metrics}/stats`)).json()
        return rows[0].total_count === owed.judged ? true : undefined
      })
      add(past, await filterResults(running().ports.metrics))
      await running().kill()
      await meanwhile()
      server = await startHeadwater(data, settings)
    },
  }

  async function counted(): Promise<Record<string, number>> {
    const sum = { ...past }
    add(sum, await filterResults(running().ports.metrics))
    return sum
  }
}
type Attack = Awaited<ReturnType<typeof setUp>>

function add(sum: Record<string, number>, more: Fate): void {
  for (const [result, count] of Object.entries(more)) sum[result] = (sum[result] ?? 0) + count
}

const REFUSALS = [404, 405, 413, 414]
/** The refusals that the gateway counted, a status each. */
async function answered(): Promise<number[]> {
  const samples = await metricsOf(server?.ports.metrics as number)
  return REFUSALS.flatMap(status => {
    const count = samples.get(`headwater_gateway_requests_total{status="${status}"}`) ?? 0
    return Array<number>(count).fill(status)
  })
}

interface DeadLetter {
  reason: string
  raw?: string
  raw_base64?: string
}

async function deadLetters(data: string): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for (const name of (await readdir(join(data, 'dead-letter'))).sort()) {
    const text = await readFile(join(data, 'dead-letter', name), 'utf8')
    expect(text.endsWith('\n')).toBe(true)
    for (const line of text.trimEnd().split('\n')) letters.push(JSON.parse(line) as DeadLetter)
  }
  return letters
}

/** The end of the account: what was counted is what lies in the archive, the counters and the dead-letter files. */
async function closeTheBooks({ data, settings, owed, normal }: Attack): Promise<DeadLetter[]> {
  expect(await server?.stop(), server?.output()).toBe(0)
  server = undefined
  const query = async (sql: string) => JSON.parse(await runHeadwater(data, settings, ['query', '--json', sql]))
  const events = (await query('SELECT event_id, e_n FROM event_log')) as { event_id: string; e_n: string | null }[]
  const ids = events.map(event => event.event_id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBe(ACCEPTED.reduce((sum, result) => sum + (owed[result] ?? 0), 0))
  const found = events.filter(event => event.event_id.startsWith('normal-') && event.e_n === '구매')
  expect(found.map(event => event.event_id).sort()).toEqual([...normal].sort())

  const [row] = JSON.parse(await runHeadwater(data, settings, ['stats', '--json']))
  expect(row).toMatchObject({ scenario_id: 6, total_count: owed.judged, success_count: owed.judged })
  const letters = await deadLetters(data)
  const byReason: Record<string, number> = {}
  for (const { reason } of letters) add(byReason, { [reason]: 1 })
  expect(byReason).toEqual(
    Object.fromEntries(Object.entries(owed).filter(([result]) => ![...ACCEPTED, ...DROPPED].includes(result))),
  )
  return letters
}

describe.each(['auto', 'node'] as const)('hostile requests to the public port (gateway.front %s)', front => {
  it('are each an event, a dead letter or a refusal that leaves no trace, and normal events pass between them', async () => {
    const attack = await setUp({ HEADWATER_GATEWAY_FRONT: front })
    const refused: number[] = []
    await attack.sendNormal(3)
    for (const { what, bytes, fates, ...options } of HOSTILE_REQUESTS) {
      const statuses = await rawRequest(server?.ports.gateway ?? 0, bytes, options)
      refused.push(...statuses)
      const fate = fates[statuses[0] ?? 'none']
      expect(fate, `${what} was answered with ${statuses.join(', ') || 'nothing'}`).toBeDefined()
      attack.owe(fate as Fate)
      if (sumOf(fate as Fate) > 0) await attack.settle(what)
      await attack.sendNormal(1)
    }
    await attack.settle('all requests')
    // All of them at once, from as many connections, twice.
    const again = [...HOSTILE_REQUESTS, ...HOSTILE_REQUESTS]
    const answers = await Promise.all(
      again.map(({ bytes, ...options }) => rawRequest(server?.ports.gateway ?? 0, bytes, options)),
    )
    refused.push(...answers.flat())
    again.forEach(({ what, fates, bytes }, i) => {
      const fate = fates[answers[i]?.[0] ?? 'none']
      expect(fate, `${what} was answered with ${answers[i]?.join(', ') || 'nothing'}`).toBeDefined()
      // The one with an id of its own is a repeat by now.
      attack.owe(bytes.includes('hw_id=') ? { duplicate: 1 } : (fate as Fate))
    })
    await attack.settle('all requests at once')
    await attack.sendNormal(3)
    await attack.settle('the end')
    // A refusal that leaves no line is counted by its status. (What is no HTTP at all never gets as far on uWebSockets.js.)
    const seen = refused.filter(status => REFUSALS.includes(status)).sort()
    expect(await answered()).toEqual(seen)
    await closeTheBooks(attack)
  }, 60_000)
})

describe('hostile lines in the access log', () => {
  it('are each an event, a counted drop or a dead letter, and normal events between them are all there', async () => {
    const attack = await setUp({})
    for (const { what, line, fate } of HOSTILE_LINES) {
      await appendFile(attack.accessLog, `${line}\n`, 'latin1')
      attack.owe(fate)
      await attack.sendNormal(1)
      await attack.settle(what)
    }
    const letters = await closeTheBooks(attack)
    const tooLong = letters.filter(letter => letter.reason === 'line_too_long')
    expect(
      tooLong.map(({ raw, raw_base64 }) => Buffer.from(raw ?? raw_base64 ?? '', raw ? 'latin1' : 'base64').length),
    ).toEqual([8192, 8192])
    expect(tooLong[1]?.raw_base64).toBeDefined()
  }, 60_000)

  it('half a line at a crash is a dead letter, glued to nothing', async () => {
    const attack = await setUp({})
    const half = '127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /6?_id=0123456789abcdef&e_n=hal'
    await attack.sendNormal(5)
    await attack.settle('the first events')
    await attack.crash(() => appendFile(attack.accessLog, half))
    attack.owe({ bad_line: 1 })
    await attack.sendNormal(5)
    await attack.settle('half a line')
    // The same in the middle of 2 MiB.
    await attack.crash(() => appendFile(attack.accessLog, Buffer.alloc(2 * 1024 * 1024, 0xff)))
    attack.owe({ line_too_long: 1 })
    await attack.sendNormal(5)
    await attack.settle('half of a very long line')
    await attack.crash(async () => {})
    await attack.sendNormal(1)
    await attack.settle('another crash')
    const letters = await closeTheBooks(attack)
    expect(letters[0]).toMatchObject({ reason: 'bad_line', raw: half })
  }, 60_000)
})
