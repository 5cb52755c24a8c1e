import type { Scenario, ScenarioCount, ScenarioTotals } from '@headwater/core'
import type { ScenarioFault } from '@headwater/processor'

/** One scenario under one judging version, as `headwater stats` and `/stats` show it. */
export interface ScenarioStatsRow {
  scenario_id: number
  /** `null` when the scenario is no longer there. */
  title: string | null
  judging_version: number
  total_count: number
  success_count: number
  /** Rounded to four places; 0 when nothing was counted. */
  success_ratio: number
  /** ISO 8601 UTC. */
  last_event_at: string | null
  /** Events in the last 60 seconds. */
  last_minute_count: number
  /** Whether this judging version is in force now. */
  present: boolean
}

export interface ScenarioStats {
  rows: ScenarioStatsRow[]
  /** Scenarios that could not be loaded as they stand in the file. */
  faults: readonly ScenarioFault[]
}

/**
 * Counters and scenarios put together: a row for every scenario in force (counted or not), and one for every other judging
 * version that was counted, ordered by scenario and version.
 */
export function scenarioStats(
  scenarios: readonly Scenario[],
  totals: readonly ScenarioTotals[],
  lastMinute: readonly ScenarioCount[],
  faults: readonly ScenarioFault[],
): ScenarioStats {
  const key = (row: { scenario_id: number; judging_version: number }) => `${row.scenario_id} ${row.judging_version}`
  const counted = new Map(totals.map(row => [key(row), row]))
  for (const { scenario_id, judging_version } of scenarios) {
    const none = { scenario_id, judging_version, total_count: 0, success_count: 0, last_event_at: null }
    if (!counted.has(key(none))) counted.set(key(none), none)
  }
  const byId = new Map(scenarios.map(scenario => [scenario.scenario_id, scenario]))
  const recent = new Map(lastMinute.map(row => [key(row), row.total_count]))
  const rows = [...counted.values()]
    .sort((a, b) => a.scenario_id - b.scenario_id || a.judging_version - b.judging_version)
    .map(row => ({
      scenario_id: row.scenario_id,
      title: byId.get(row.scenario_id)?.title ?? null,
      judging_version: row.judging_version,
      total_count: row.total_count,
      success_count: row.success_count,
      success_ratio: row.total_count === 0 ? 0 : Math.round((row.success_count / row.total_count) * 10_000) / 10_000,
      last_event_at: row.last_event_at,
      last_minute_count: recent.get(key(row)) ?? 0,
      present: byId.get(row.scenario_id)?.judging_version === row.judging_version,
    }))
  return { rows, faults }
}
