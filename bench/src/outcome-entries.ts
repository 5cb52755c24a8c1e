import {
  createScenarioSet,
  type Event,
  encodeEvent,
  encodeOutcome,
  eventsOf,
  judge,
  parseLogLine,
  parseScenario,
  type Scenario,
} from '@headwater/core'
import type { EntryBatch, LogEntry } from '@headwater/processor'
import { accessLine, benchScenarios, type LineOptions } from './access-lines.ts'

/** The records that lines `0` … `count − 1` leave in both logs: what the sinks of a running system are handed. */
export function recordsOfLines(count: number, options: LineOptions): { events: LogEntry[]; outcomes: LogEntry[] } {
  const scenarios = benchScenarios(options.scenarios).map((raw): Scenario => {
    const parsed = parseScenario(raw)
    if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
    return parsed.scenario
  })
  const set = createScenarioSet(scenarios, { memberColumns: new Set(['age', 'gender']), timezone: 'UTC' })
  const events: LogEntry[] = []
  const outcomes: LogEntry[] = []
  for (let i = 0; i < count; i++) {
    const event = eventOf(accessLine(i, options), i)
    const judges = set.judgesOf(event)
    if (typeof judges === 'string') throw new Error(`line ${i} must be judged. Found: ${judges}.`)
    const member = (i * 7919) % options.members
    const attributes = { age: String(15 + (member % 60)), gender: member % 2 === 0 ? 'MALE' : 'FEMALE' }
    const entry = (scenarioId: number, json: string): LogEntry => ({
      offset: i,
      order: { generation: 0, position: i, index: 0, scenarioId },
      arrivedAt: options.startMs + i * options.stepMs,
      value: Buffer.from(json),
    })
    events.push(entry(0, encodeEvent(event)))
    for (const outcome of judge(event, attributes, judges))
      outcomes.push(entry(outcome.scenarioId, encodeOutcome(outcome)))
  }
  return { events, outcomes }
}

/** Entries in batches as a reader hands them over. */
export function batchesOf(entries: readonly LogEntry[], size = 2000): EntryBatch[] {
  const batches: EntryBatch[] = []
  for (let from = 0; from < entries.length; from += size) {
    const to = Math.min(entries.length, from + size)
    batches.push({ partition: 0, from, to, entries: entries.slice(from, to) })
  }
  return batches
}

function eventOf(line: string, position: number): Event {
  const record = parseLogLine(line)
  if ('rejected' in record) throw new Error(`${record.rejected}: ${line}`)
  const events = eventsOf(record, { source: 'bench', position, ingestSiteId: 1 })
  const event = 'rejected' in events ? events : events[0]
  if (event === undefined || 'rejected' in event) throw new Error(`an event expected of ${line}`)
  return event
}
