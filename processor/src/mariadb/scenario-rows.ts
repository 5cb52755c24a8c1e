import { parseScenario, type Scenario } from '@headwater/core'
import type { ScenarioFault } from '../ports.ts'
import { sameDefinition } from '../stores/scenario-versions.ts'
import type { MariadbSession } from './connect-mariadb.ts'

/*
 * A scenario's row has its definition as JSON without id and versions, which are columns (db/0001-scenario.sql):
 *
 *   {"title":"…","manager":"…","log_format":{…},"filters":[…],"logical_operator":"AND","enabled":true,"site_id":null,"timezone":null}
 */

/** A row of `scenario`, with the definition that was saved as this version. */
export interface ScenarioRow {
  scenario_id: number
  version: number
  judging_version: number
  /** mysql2 parses JSON columns of MariaDB, as far as the server says that they are. */
  definition: unknown
  saved: unknown
  removed: 0 | 1
}

const SELECT = `SELECT s.scenario_id, s.version, s.judging_version, s.definition, v.definition AS saved,
  s.removed_at IS NOT NULL AS removed
FROM scenario s LEFT JOIN scenario_version v ON v.scenario_id = s.scenario_id AND v.version = s.version`

/** All scenarios, removed ones too, ordered by id. */
export function selectScenarios(session: MariadbSession): Promise<ScenarioRow[]> {
  return session.execute<ScenarioRow[]>(`${SELECT} ORDER BY s.scenario_id`)
}

export async function selectScenario(session: MariadbSession, scenarioId: number): Promise<ScenarioRow | undefined> {
  const [row] = await session.execute<ScenarioRow[]>(`${SELECT} WHERE s.scenario_id = ?`, [scenarioId])
  return row
}

/** What a row holds, when this version of Headwater can read it and it is what was saved; else why it is not in force. */
export function scenarioOf(row: ScenarioRow): { scenario: Scenario } | { fault: string } {
  const parsed = parseRow(row, row.definition)
  if (!parsed.ok) return { fault: parsed.faults.join(' ') }
  const saved = row.saved === null ? undefined : parseRow(row, row.saved)
  if (saved?.ok === true && !sameDefinition(saved.scenario, parsed.scenario)) {
    return {
      fault:
        'The definition must be changed through Headwater, which gives it a new version. ' +
        `Found: another one than was saved as version ${row.version}.`,
    }
  }
  return { scenario: parsed.scenario }
}

/** The last saved version of a faulty row that can be read. */
export async function lastValidVersion(session: MariadbSession, row: ScenarioRow): Promise<Scenario | undefined> {
  const versions = await session.execute<Omit<ScenarioRow, 'saved' | 'removed'>[]>(
    `SELECT scenario_id, version, judging_version, definition FROM scenario_version
     WHERE scenario_id = ? AND version <= ? ORDER BY version DESC LIMIT 20`,
    [row.scenario_id, row.version],
  )
  for (const each of versions) {
    const parsed = parseRow(each, each.definition)
    if (parsed.ok) return parsed.scenario
  }
  return undefined
}

/** Writes a new or changed scenario and its version. Within a transaction that has raised `scenario_change`. */
export async function writeScenario(session: MariadbSession, scenario: Scenario): Promise<void> {
  const { scenario_id, version, judging_version, ...rest } = scenario
  const definition = JSON.stringify(rest)
  await session.execute(
    `INSERT INTO scenario (scenario_id, version, judging_version, definition) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE version = VALUES(version), judging_version = VALUES(judging_version),
       definition = VALUES(definition)`,
    [scenario_id, version, judging_version, definition],
  )
  await session.execute(
    `INSERT INTO scenario_version (scenario_id, version, judging_version, definition) VALUES (?, ?, ?, ?)`,
    [scenario_id, version, judging_version, definition],
  )
}

/** The first statement of every transaction that changes scenarios: the others wait here. */
export async function raiseChange(session: MariadbSession): Promise<void> {
  await session.execute('UPDATE scenario_change SET number = number + 1 WHERE id = 1')
}

/** Differs whenever something has changed, by us or by hand. */
export async function changeMark(session: MariadbSession): Promise<string> {
  const [row] = await session.execute<{ number: number; last: unknown; rows: number }[]>(
    `SELECT (SELECT number FROM scenario_change WHERE id = 1) AS number,
       DATE_FORMAT(MAX(updated_at), '%Y%m%d%H%i%s%f') AS last, COUNT(*) AS \`rows\` FROM scenario`,
  )
  return JSON.stringify(row)
}

/** What is wrong with a row, for `faults()`. */
export function faultOf(row: ScenarioRow, message: string): ScenarioFault {
  return { where: `scenario ${row.scenario_id}`, message }
}

function parseRow(
  row: Pick<ScenarioRow, 'scenario_id' | 'version' | 'judging_version'>,
  definition: unknown,
): ReturnType<typeof parseScenario> {
  const value: unknown = typeof definition === 'string' ? JSON.parse(definition) : definition
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return parseScenario(value)
  const { scenario_id, version, judging_version } = row
  return parseScenario({ ...value, scenario_id, version, judging_version })
}
