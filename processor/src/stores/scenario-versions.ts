import { judgesOtherwise, type Scenario, type ScenarioParse } from '@headwater/core'
import type { ScenarioFault } from '../ports.ts'

/**
 * What is remembered of a scenario id, for ever.
 *
 *   present ──gone from the file──▶ absent ──back in the file──▶ present      (people comment things out and in)
 *   present, absent ──remove()──▶ removed                                     (never used again)
 */
export interface KnownScenario {
  /** The last valid definition, with the versions that the store gave it. */
  scenario: Scenario
  presence: 'present' | 'absent' | 'removed'
}

export type KnownScenarios = ReadonlyMap<number, KnownScenario>

/** One element of the file's list. */
export interface ScenarioEntry {
  /** File, line and column. */
  where: string
  /** As far as it can be read. */
  scenarioId: number | undefined
  parsed: ScenarioParse
}

/**
 * What is in force after the file was read: `known` with the file's valid definitions put over it, versions raised where
 * they changed. A definition that is invalid, stands twice or has a removed id is a fault and leaves the version before in
 * force. While some element's id cannot be read nothing becomes absent: it may be that very element.
 */
export function reconcileScenarios(
  known: KnownScenarios,
  entries: readonly ScenarioEntry[],
): { known: Map<number, KnownScenario>; faults: ScenarioFault[] } {
  const after = new Map(known)
  const faults: ScenarioFault[] = []
  const byId = new Map<number, ScenarioEntry[]>()
  let unreadable = false
  for (const entry of entries) {
    if (entry.scenarioId === undefined) {
      unreadable = true
      faults.push(...faultsOf(entry))
    } else byId.set(entry.scenarioId, [...(byId.get(entry.scenarioId) ?? []), entry])
  }

  for (const [id, same] of byId) {
    const entry = same[0] as ScenarioEntry
    const before = known.get(id)
    if (same.length > 1) {
      faults.push({
        where: `scenario ${id}`,
        message: `scenario_id must stand once. Found: ${id} at ${same.map(each => each.where).join(' and ')}.`,
      })
    } else if (before?.presence === 'removed') {
      faults.push({
        where: `scenario ${id} (${entry.where})`,
        message: `scenario_id must be new: an id is never used again after its scenario was deleted. Found: ${id}.`,
      })
    } else if (!entry.parsed.ok) {
      faults.push(...faultsOf(entry))
    } else {
      after.set(id, { scenario: withVersions(before?.scenario, entry.parsed.scenario), presence: 'present' })
    }
  }

  if (!unreadable) {
    for (const [id, { scenario, presence }] of known) {
      if (presence === 'present' && !byId.has(id)) after.set(id, { scenario, presence: 'absent' })
    }
  }
  return { known: after, faults }
}

/**
 * A definition with the versions it gets after `before`: `version` rises when anything differs, `judging_version` when
 * something that is judged differs. A `version` that its author raised further is taken over; without a `before` both are.
 */
export function withVersions(before: Scenario | undefined, scenario: Scenario): Scenario {
  if (before === undefined) {
    return {
      ...scenario,
      version: Math.max(1, scenario.version),
      judging_version: Math.max(1, scenario.judging_version),
    }
  }
  if (sameDefinition(before, scenario)) {
    return { ...scenario, version: Math.max(before.version, scenario.version), judging_version: before.judging_version }
  }
  return {
    ...scenario,
    version: Math.max(before.version + 1, scenario.version),
    judging_version: before.judging_version + (judgesOtherwise(before, scenario) ? 1 : 0),
  }
}

/** Whether two definitions are equal, versions left aside and whatever the order of names. */
export function sameDefinition(a: Scenario, b: Scenario): boolean {
  const plain = { version: 0, judging_version: 0 }
  return canonical({ ...a, ...plain }) === canonical({ ...b, ...plain })
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

function faultsOf({ scenarioId, where, parsed }: ScenarioEntry): ScenarioFault[] {
  if (parsed.ok) return []
  const place = scenarioId === undefined ? where : `scenario ${scenarioId} (${where})`
  return parsed.faults.map(message => ({ where: place, message }))
}
