import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createScenarioSet,
  type Event,
  eventsOf,
  getParam,
  judge,
  type Member,
  parseLogLine,
  parseScenario,
} from '@headwater/core'
import { describe, expect, it } from 'vitest'
import {
  accessLine,
  appendLines,
  benchScenarios,
  expectedCounts,
  type LineOptions,
  memberCsv,
} from '../src/access-lines.ts'

const options: LineOptions = { scenarios: 20, members: 300, startMs: Date.UTC(2026, 0, 5, 9), stepMs: 7 }

function eventOf(line: string): Event {
  const record = parseLogLine(line)
  if ('rejected' in record) throw new Error(record.rejected)
  const events = eventsOf(record, { source: 'test', position: 0, ingestSiteId: 1 })
  if ('rejected' in events) throw new Error(events.rejected)
  expect(events).toHaveLength(1)
  const event = events[0] as Event
  expect(event).not.toHaveProperty('rejected')
  return event
}

describe('lines of the benches', () => {
  it('are events of the scenario, the member and the time that their number says', () => {
    for (let i = 0; i < 100; i++) {
      const event = eventOf(accessLine(i, options))
      expect(event.scenarioId).toBe(1 + (i % 20))
      expect(event.memberId).toBe(String((i * 7919) % 300))
      expect(event.receivedAt).toBe(options.startMs + 7 * i)
      expect(event.params).toHaveLength(32)
    }
    expect(getParam(eventOf(accessLine(0, options)).params, 'e_n')).toBe('고면할당하기')
  })

  it('have an id of their own each', () => {
    const ids = Array.from({ length: 500 }, (_, i) => eventOf(accessLine(i, options)).eventId)
    expect(new Set(ids).size).toBe(500)
  })

  it('are judged as the expected counts say', () => {
    const scenarios = benchScenarios(20).map(raw => {
      const parsed = parseScenario(raw)
      if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
      return parsed.scenario
    })
    const set = createScenarioSet(scenarios, { memberColumns: new Set(['age', 'gender']), timezone: 'UTC' })
    const members = new Map<string, Member>()
    for (const row of memberCsv(300).trimEnd().split('\n').slice(1)) {
      const [id = '', age = '', gender = ''] = row.split(',')
      members.set(id, { age, gender })
    }
    const counts = new Map<number, { total: number; success: number }>()
    for (let i = 0; i < 3000; i++) {
      const event = eventOf(accessLine(i, options))
      const judges = set.judgesOf(event)
      if (typeof judges === 'string') throw new Error(judges)
      for (const { scenarioId, success } of judge(event, members.get(event.memberId ?? ''), judges)) {
        const count = counts.get(scenarioId) ?? { total: 0, success: 0 }
        counts.set(scenarioId, { total: count.total + 1, success: count.success + success })
      }
    }
    expect(counts).toEqual(expectedCounts(0, 3000, options))
    expect([...counts.values()].some(({ success }) => success > 0)).toBe(true)
  })

  it('are appended whole, each with its newline', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headwater-bench-'))
    try {
      const log = join(folder, 'access.log')
      await appendLines(log, 0, 1500, options)
      await appendLines(log, 1500, 1510, options)
      const text = await readFile(log, 'latin1')
      const lines = text.split('\n')
      expect(lines.pop()).toBe('')
      expect(lines).toHaveLength(1510)
      for (const [i, line] of lines.entries()) expect(eventOf(line).receivedAt).toBe(options.startMs + 7 * i)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
