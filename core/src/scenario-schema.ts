import type { Scenario } from './scenario.ts'

export type ScenarioParse = { ok: true; scenario: Scenario } | { ok: false; faults: string[] }

/** Checks a definition as it stands in a file or request (seeds' JSON, optional fields defaulted). All faults together. */
export function parseScenario(_value: unknown): ScenarioParse {
  throw new Error('to come')
}
/** Whether `judging_version` must rise: what is judged differs (filters, operator, target, zone). */
export function judgesOtherwise(_before: Scenario, _after: Scenario): boolean {
  throw new Error('to come')
}
