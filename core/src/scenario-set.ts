import { type CompiledScenario, compileScenario } from './compile-scenario.ts'
import type { Event } from './event.ts'
import { EventFields } from './event-fields.ts'
import type { Scenario } from './scenario.ts'

export interface ScenarioSetOptions {
  memberColumns: ReadonlySet<string>
  /** Zone of scenarios and sites that name none. */
  timezone: string
  /** The zone of the site a scenario belongs to (`site_id`); a scenario without a site takes `timezone`. */
  siteTimezone?: (siteId: number) => string | undefined
  /** Ids that once were in use and are deleted: their events are archived, not dead letters. */
  removedIds?: ReadonlySet<number>
}

/**
 * Why nobody judges an event: its scenario never was (a dead letter); is disabled or deleted; or its site, or an event
 * without scenario and site, has no enabled scenario.
 */
export type NoScenario = 'unknown_scenario' | 'disabled_scenario' | 'site_without_scenario'

/** All scenarios in force, compiled. Immutable: a change makes a new set. */
export interface ScenarioSet {
  /** Enabled and disabled ones, ordered by id. */
  readonly scenarios: readonly CompiledScenario[]
  /** Who judges the event, ordered by scenario id, or why nobody does. */
  judgesOf(event: Event): readonly CompiledScenario[] | NoScenario
}

/** Compiles all scenarios; of two with the same id the later one counts. Throws as `compileScenario` does. */
export function createScenarioSet(scenarios: readonly Scenario[], options: ScenarioSetOptions): ScenarioSet {
  const { memberColumns, timezone, siteTimezone, removedIds } = options
  const fields = new EventFields()
  const latest = new Map(scenarios.map(scenario => [scenario.scenario_id, scenario]))
  const ordered = [...latest.values()].sort((a, b) => a.scenario_id - b.scenario_id)
  const compiled = ordered.map(scenario => {
    const siteZone = scenario.site_id === null ? undefined : siteTimezone?.(scenario.site_id)
    return compileScenario(scenario, { memberColumns, timezone: siteZone ?? timezone, fields })
  })

  const byId = new Map<number, readonly CompiledScenario[] | NoScenario>()
  const bySite = new Map<number, CompiledScenario[]>()
  for (const id of removedIds ?? []) byId.set(id, 'disabled_scenario')
  for (const judge of compiled) {
    const { scenario_id, site_id, enabled } = judge.scenario
    byId.set(scenario_id, enabled ? [judge] : 'disabled_scenario')
    if (!enabled || site_id === null) continue
    const judges = bySite.get(site_id)
    if (judges === undefined) bySite.set(site_id, [judge])
    else judges.push(judge)
  }

  return {
    scenarios: compiled,
    judgesOf({ scenarioId, siteId }) {
      if (scenarioId !== undefined) return byId.get(scenarioId) ?? 'unknown_scenario'
      return (siteId === undefined ? undefined : bySite.get(siteId)) ?? 'site_without_scenario'
    },
  }
}
