import { parseScenario, type Scenario } from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { Mariadb, MariadbSession } from '../mariadb/connect-mariadb.ts'
import {
  changeMark,
  faultOf,
  lastValidVersion,
  raiseChange,
  type ScenarioRow,
  scenarioOf,
  selectScenario,
  selectScenarios,
  writeScenario,
} from '../mariadb/scenario-rows.ts'
import type { ScenarioFault, ScenarioStore } from '../ports.ts'
import { withVersions } from './scenario-versions.ts'

export interface MariadbScenarioStoreOptions {
  db: Mariadb
  /** How often `watch` looks for changes, ms. Default 1 000. */
  pollMs?: number
  log: Logger
}

/**
 * Scenarios in MariaDB (tables: `db/0001-scenario.sql`). Saves of all processes come one after the other, and each leaves its
 * version in `scenario_version`. A definition that cannot be read, because a newer version of Headwater or somebody's SQL
 * wrote it, is a fault: the last version that can be read stays in force. `version` and `judging_version` are this store's.
 */
export function mariadbScenarioStore(options: MariadbScenarioStoreOptions): ScenarioStore {
  const { db, pollMs = 1_000, log } = options
  let faults: readonly ScenarioFault[] = []

  async function inForce(session: MariadbSession, row: ScenarioRow, found: ScenarioFault[]): Promise<Scenario[]> {
    const read = scenarioOf(row)
    if ('scenario' in read) return [read.scenario]
    found.push(faultOf(row, read.fault))
    const before = await lastValidVersion(session, row)
    return before === undefined ? [] : [before]
  }

  function tell(found: readonly ScenarioFault[]): void {
    const text = (fault: ScenarioFault): string => `${fault.where} ${fault.message}`
    const told = new Set(faults.map(text))
    for (const fault of found) {
      if (told.has(text(fault))) continue
      const { where, message } = fault
      log.warn({ where, fault: message }, 'A scenario has a fault: its last valid version stays in force')
    }
    if (found.length === 0 && faults.length > 0) log.info('The scenarios have no fault any more')
    faults = found
  }

  return {
    async list(): Promise<readonly Scenario[]> {
      const found: ScenarioFault[] = []
      const scenarios = await db.run(async session => {
        const list: Scenario[] = []
        for (const row of await selectScenarios(session)) {
          if (row.removed === 0) list.push(...(await inForce(session, row, found)))
        }
        return list
      })
      tell(found)
      return scenarios
    },

    async get(scenarioId: number): Promise<Scenario | undefined> {
      return db.run(async session => {
        const row = await selectScenario(session, scenarioId)
        if (row === undefined || row.removed === 1) return undefined
        return (await inForce(session, row, []))[0]
      })
    },

    async save(scenario: Scenario): Promise<Scenario> {
      const parsed = parseScenario(scenario)
      if (!parsed.ok) throw new ProcessorError('SCENARIO_INVALID', parsed.faults.join(' '))
      return db.transaction(async session => {
        await raiseChange(session)
        const row = await selectScenario(session, parsed.scenario.scenario_id)
        if (row?.removed === 1) {
          throw new ProcessorError(
            'SCENARIO_ID_USED',
            `scenario_id must be new: an id is never used again. Found: ${row.scenario_id}.`,
          )
        }
        const version = row?.version ?? 0
        if (scenario.version !== version) {
          throw new ProcessorError(
            'VERSION_OUTDATED',
            `version must be ${version}, that of the scenario as stored (0: none). Found: ${scenario.version}.`,
          )
        }
        const stored = nextVersion(row, parsed.scenario)
        await writeScenario(session, stored)
        return stored
      })
    },

    async remove(scenarioId: number): Promise<void> {
      await db.transaction(async session => {
        await raiseChange(session)
        await session.execute(
          'UPDATE scenario SET removed_at = CURRENT_TIMESTAMP(3) WHERE scenario_id = ? AND removed_at IS NULL',
          [scenarioId],
        )
      })
    },

    faults: () => faults,

    async removedIds(): Promise<ReadonlySet<number>> {
      const rows = await db.run(session =>
        session.execute<{ scenario_id: number }[]>('SELECT scenario_id FROM scenario WHERE removed_at IS NOT NULL'),
      )
      return new Set(rows.map(row => row.scenario_id))
    },

    watch(changed: () => void, stop: AbortSignal): void {
      let seen: string | undefined
      let failed = false
      const poll = async (): Promise<void> => {
        if (stop.aborted) return
        try {
          const mark = await db.run(changeMark)
          failed = false
          // What happened before the first look may have been after the caller's last one.
          if (mark !== seen && !stop.aborted) changed()
          seen = mark
        } catch (error) {
          if (!failed) log.warn({ err: error }, 'Scenarios cannot be looked at')
          failed = true
        }
        if (!stop.aborted) timer = setTimeout(poll, pollMs).unref()
      }
      let timer = setTimeout(poll, 0).unref()
      stop.addEventListener('abort', () => clearTimeout(timer), { once: true })
    },
  }
}

/** `scenario` with the versions it gets after what the row holds: judged alike only when that can be read. */
function nextVersion(row: ScenarioRow | undefined, scenario: Scenario): Scenario {
  const version = (row?.version ?? 0) + 1
  if (row === undefined) return { ...scenario, version, judging_version: 1 }
  const before = scenarioOf(row)
  if ('fault' in before) return { ...scenario, version, judging_version: row.judging_version + 1 }
  return withVersions(before.scenario, { ...scenario, version, judging_version: 0 })
}
