import type { CompiledScenario } from './compile-scenario.ts'
import type { Event } from './event.ts'
import type { Scenario } from './scenario.ts'

export interface ScenarioSetOptions {
  memberColumns: ReadonlySet<string>
  /** Zone of scenarios and sites that name none. */
  timezone: string
  siteTimezone?: (siteId: number) => string | undefined
  /** Ids that once were in use and are deleted: their events are archived, not dead letters. */
  removedIds?: ReadonlySet<number>
}

/** Why nobody judges an event. */
export type NoScenario = 'unknown_scenario' | 'disabled_scenario' | 'site_without_scenario'

/** All scenarios in force, compiled. Immutable: a change makes a new set. */
export interface ScenarioSet {
  readonly scenarios: readonly CompiledScenario[]
  /** Who judges the event, ordered by scenario id, or why nobody does. */
  judgesOf(event: Event): readonly CompiledScenario[] | NoScenario
}

export function createScenarioSet(_scenarios: readonly Scenario[], _options: ScenarioSetOptions): ScenarioSet {
  throw new Error('to come')
}
