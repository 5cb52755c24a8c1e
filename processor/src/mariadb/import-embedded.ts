import type { Member, Scenario } from '@headwater/core'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { RedisConnection } from '../redis/connect-redis.ts'
import { invalidateMembers } from '../stores/cached-member-store.ts'
import { jsonScenarioStore } from '../stores/json-scenario-store.ts'
import { mariadbMemberStore } from '../stores/mariadb-member-store.ts'
import { type Members, readMembers } from '../stores/read-members.ts'
import { sameDefinition } from '../stores/scenario-versions.ts'
import type { Mariadb, MariadbSession } from './connect-mariadb.ts'
import { ID_COLUMN, isSecretColumn, quoted, readMemberColumns } from './member-columns.ts'
import { raiseChange, scenarioOf, selectScenario, writeScenario } from './scenario-rows.ts'

export interface ImportEmbeddedOptions {
  db: Mariadb
  /** The scenario file and its `state/scenario-versions.json`. Without them: no scenarios. */
  scenarios?: { file: string; stateFile: string }
  /** CSV or NDJSON. Without it: no members. */
  members?: { file: string }
  /** Counts what would be done, and does nothing. */
  dryRun?: boolean
  /** Caches that must forget what is changed. */
  redis?: RedisConnection
  keyPrefix?: string
  log: Logger
}

/** What an import did, or would do. */
export interface Imported {
  scenarios: { added: number; changed: number; unchanged: number; removed: number }
  /** One sentence for each scenario that was left as the database has it. */
  conflicts: string[]
  members: { added: number; changed: number; unchanged: number }
  /** Attributes for which the member table gets a column. */
  addedColumns: string[]
  /** Attributes that look like passwords: left out, as the member store never reads them. */
  skippedColumns: string[]
}

/** Members of one statement. */
const CHUNK = 500

/**
 * Embedded files into a migrated MariaDB. Scenarios keep their versions, deleted ids stay deleted; a scenario of the database
 * that is newer, or differs under the same version, stays and is named in `conflicts`. Members are added or changed, never
 * removed, and an attribute that the file does not have becomes NULL. Once more does nothing more; an import that was
 * interrupted is done again. Nothing is written while a file has a fault.
 */
export async function importEmbedded(options: ImportEmbeddedOptions): Promise<Imported> {
  const { db, dryRun = false, redis, keyPrefix, log } = options
  const imported: Imported = {
    scenarios: { added: 0, changed: 0, unchanged: 0, removed: 0 },
    conflicts: [],
    members: { added: 0, changed: 0, unchanged: 0 },
    addedColumns: [],
    skippedColumns: [],
  }
  // Both files first: one that cannot be read must not leave half an import.
  const members = options.members && (await readMembers(options.members.file))
  const scenarios = options.scenarios && (await readScenarios(options.scenarios, dryRun, log))
  if (scenarios !== undefined) {
    await db.transaction(async session => {
      await raiseChange(session)
      for (const scenario of scenarios.list) await importScenario(session, scenario, dryRun, imported)
      for (const id of scenarios.removed) await importRemoved(session, id, dryRun, imported)
    })
    if (!dryRun && redis !== undefined) {
      await redis.run(async client => {
        const ids = [...scenarios.list.map(({ scenario_id }) => scenario_id), ...scenarios.removed]
        const keys = ids.map(id => `${keyPrefix ?? ''}scenario:${id}:data`)
        if (keys.length > 0) await client.del(...keys)
        await client.publish(`${keyPrefix ?? ''}hw:changed:scenarios`, '*')
      })
    }
  }
  if (members !== undefined) {
    const changed = await importMembers(db, members, dryRun, imported)
    if (!dryRun && redis !== undefined) await invalidateMembers(redis, changed, keyPrefix)
  }
  return imported
}

async function readScenarios(
  { file, stateFile }: { file: string; stateFile: string },
  dryRun: boolean,
  log: Logger,
): Promise<{ list: readonly Scenario[]; removed: ReadonlySet<number> }> {
  const store = jsonScenarioStore({ file, stateFile, readOnly: dryRun, log })
  const list = await store.list()
  const faults = store.faults()
  if (faults.length > 0) {
    throw new ProcessorError(
      'SCENARIO_INVALID',
      `The scenario file must have no fault to be imported. Found: ${faults.map(({ where, message }) => `${where}: ${message}`).join(' ')}`,
    )
  }
  return { list, removed: await store.removedIds() }
}

async function importScenario(
  session: MariadbSession,
  scenario: Scenario,
  dryRun: boolean,
  { scenarios, conflicts }: Imported,
): Promise<void> {
  const { scenario_id, version } = scenario
  const row = await selectScenario(session, scenario_id)
  if (row === undefined) {
    scenarios.added++
    if (!dryRun) await writeScenario(session, scenario)
    return
  }
  const stored = scenarioOf(row)
  if (row.removed === 1) {
    conflicts.push(`Scenario ${scenario_id} was deleted in the database: it stays deleted.`)
  } else if ('scenario' in stored && sameDefinition(stored.scenario, scenario) && version <= row.version) {
    scenarios.unchanged++
  } else if (version > row.version) {
    scenarios.changed++
    const judging_version = Math.max(scenario.judging_version, row.judging_version)
    if (!dryRun) await writeScenario(session, { ...scenario, judging_version })
  } else {
    conflicts.push(
      `Scenario ${scenario_id} stays as it is in the database: version ${row.version} there, ${version} in the file, and they differ.`,
    )
  }
}

/** Only its id matters: it is never used again. */
async function importRemoved(
  session: MariadbSession,
  scenarioId: number,
  dryRun: boolean,
  { scenarios, conflicts }: Imported,
): Promise<void> {
  const row = await selectScenario(session, scenarioId)
  if (row !== undefined) {
    if (row.removed === 0) {
      conflicts.push(`Scenario ${scenarioId} is deleted in the file and not in the database: it stays.`)
    }
    return
  }
  scenarios.removed++
  if (dryRun) return
  await session.execute(
    `INSERT INTO scenario (scenario_id, version, judging_version, definition, removed_at)
     VALUES (?, 1, 1, '{}', CURRENT_TIMESTAMP(3))`,
    [scenarioId],
  )
}

/** Resolves with the ids that were added or changed. */
async function importMembers(
  db: Mariadb,
  { byId, columns: all }: Members,
  dryRun: boolean,
  imported: Imported,
): Promise<string[]> {
  const there = await db.run(session => readMemberColumns(session, db, 'member'))
  const columns = new Set([...all].filter(name => !isSecretColumn(name)))
  imported.skippedColumns = [...all].filter(isSecretColumn)
  const names = new Set(there.map(({ name }) => name.toLowerCase()))
  imported.addedColumns = [...columns].filter(name => !names.has(name.toLowerCase()))
  if (!dryRun) await addColumns(db, imported.addedColumns)
  const store = mariadbMemberStore({ db })
  const written: string[] = []
  const ids = [...byId.keys()]
  for (let from = 0; from < ids.length; from += CHUNK) {
    const some = ids.slice(from, from + CHUNK)
    const stored = await store.get(some)
    const changed = some.filter(id => {
      const [before, after] = [stored.get(id), byId.get(id) as Member]
      const same = before !== undefined && [...columns].every(name => before[name] === after[name])
      if (before === undefined) imported.members.added++
      else if (same) imported.members.unchanged++
      else imported.members.changed++
      return !same
    })
    if (!dryRun && changed.length > 0) await writeMembers(db, changed, byId, [...columns])
    written.push(...changed)
  }
  return written
}

async function addColumns(db: Mariadb, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const longest = names.find(name => name.length > 64 || /\s$/.test(name))
  if (longest !== undefined) {
    throw new ProcessorError(
      'MEMBERS_INVALID',
      `A column of MariaDB has at most 64 characters and no space at its end. Found: ${JSON.stringify(longest)}.`,
    )
  }
  const added = names.map(name => `ADD COLUMN IF NOT EXISTS ${quoted(name)} TEXT NULL`)
  await db.run(session => session.query(`ALTER TABLE member ${added.join(', ')}`, 600_000))
}

async function writeMembers(
  db: Mariadb,
  ids: readonly string[],
  byId: ReadonlyMap<string, Member>,
  columns: readonly string[],
): Promise<void> {
  const all = [ID_COLUMN, ...columns].map(quoted)
  const row = `(${all.map(() => '?').join(', ')})`
  // Nothing to update is no statement: the id then stands for itself.
  const updates = all.slice(columns.length > 0 ? 1 : 0).map(column => `${column} = VALUES(${column})`)
  // A prepared statement has at most 65 535 places.
  const rows = Math.max(1, Math.min(ids.length, Math.floor(60_000 / all.length)))
  for (let from = 0; from < ids.length; from += rows) {
    const some = ids.slice(from, from + rows)
    await db.run(session =>
      session.execute(
        `INSERT INTO member (${all.join(', ')}) VALUES ${some.map(() => row).join(', ')}
         ON DUPLICATE KEY UPDATE ${updates.join(', ')}`,
        some.flatMap(id => [id, ...columns.map(name => byId.get(id)?.[name] ?? null)]),
      ),
    )
  }
}
