import type { Visitors } from './visitors.ts'

/** What one round saw. All lists empty means: the promises held. */
export interface RoundResult {
  seed: number
  kills: number
  acknowledged: number
  retries: number
  archived: number
  outcomes: number
  scenarioEdits: number
  /** Acknowledged ids that are not in the archive. */
  lost: string[]
  /** Ids that stand in a table more often than once (for outcomes: per scenario). */
  twice: string[]
  /** Archived ids that nobody sent. */
  invented: string[]
  /** Counters that differ from `count(*)`, one sentence each. */
  wrongCounters: string[]
}

export interface RoundEvidence {
  seed: number
  kills: number
  visitors: Visitors
  scenarioEdits: number
  /** SQL over the archive of the round. */
  query(sql: string): Promise<unknown[]>
  /** What `headwater stats --json --all-versions` says in the end. */
  counters: readonly CounterRow[]
}

export interface CounterRow {
  scenario_id: number
  judging_version: number
  total_count: number
  success_count: number
}

/** Compares what the visitors know with the archive, and the archive with the counters. */
export async function judgeRound(evidence: RoundEvidence): Promise<RoundResult> {
  const { seed, kills, visitors, scenarioEdits, counters } = evidence
  const query = async <T>(sql: string) => (await evidence.query(sql)) as T[]
  const events = await query<{ id: string; n: number }>(
    'SELECT event_id AS id, count(*)::INT AS n FROM event_log GROUP BY 1',
  )
  const doubled = await query<{ id: string }>(
    'SELECT event_id AS id FROM scenario_log GROUP BY event_id, scenario_id HAVING count(*) > 1',
  )
  const counted = await query<CounterRow>(
    'SELECT scenario_id::INT AS scenario_id, judging_version::INT AS judging_version, count(*)::INT AS total_count, ' +
      'sum(success)::INT AS success_count FROM scenario_log GROUP BY 1, 2 ORDER BY 1, 2',
  )
  const archived = new Set(events.map(event => event.id))
  return {
    seed,
    kills,
    acknowledged: visitors.acknowledged.size,
    retries: visitors.retries,
    archived: archived.size,
    outcomes: counted.reduce((sum, row) => sum + row.total_count, 0),
    scenarioEdits,
    lost: [...visitors.acknowledged].filter(id => !archived.has(id)),
    twice: [...events.filter(event => event.n > 1), ...doubled].map(row => row.id),
    invented: [...archived].filter(id => !visitors.sent.has(id)),
    wrongCounters: differences(counters, counted),
  }
}

/** Whether every promise held in a round that did something. */
export function isClean(result: RoundResult): boolean {
  const { lost, twice, invented, wrongCounters } = result
  return result.acknowledged > 0 && lost.length + twice.length + invented.length + wrongCounters.length === 0
}

function differences(counters: readonly CounterRow[], archive: readonly CounterRow[]): string[] {
  const text = (row: CounterRow) => `${row.total_count} events, ${row.success_count} successes`
  const key = (row: CounterRow) => `scenario ${row.scenario_id} judging version ${row.judging_version}`
  const inArchive = new Map(archive.map(row => [key(row), text(row)]))
  const inCounters = new Map(counters.filter(row => row.total_count > 0).map(row => [key(row), text(row)]))
  return [...new Set([...inArchive.keys(), ...inCounters.keys()])]
    .filter(name => inArchive.get(name) !== inCounters.get(name))
    .map(
      name =>
        `${name}: counters say ${inCounters.get(name) ?? 'nothing'}, the archive ${inArchive.get(name) ?? 'nothing'}`,
    )
}
