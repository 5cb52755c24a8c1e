import { ProcessorError } from '../errors.ts'
import type { Mariadb, MariadbSession } from './connect-mariadb.ts'
import { mariadbCode } from './mariadb-error.ts'
import { type Migration, readMigrations } from './migrations.ts'

/*
 * schema_migration: a row for each file of db/ that was run.
 */
const TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  number INT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  checksum CHAR(64) NOT NULL,
  applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`

interface AppliedMigration {
  number: number
  name: string
  checksum: string
}

/** What `migrate` did. */
export interface Migrated {
  /** Names of the files that were run now, in order. */
  applied: string[]
  /** How many had been run before. */
  before: number
}

/** An ALTER of a large table takes its time. */
const STATEMENT_TIMEOUT_MS = 600_000
const LOCK_WAIT_S = 60

/**
 * Brings the database's tables up to this version; does nothing when they are. Two at once wait for each other. Rejects with
 * SCHEMA_MISMATCH, and changes nothing, when the database is newer than this program or a file was changed after it was run.
 */
export async function migrate(db: Mariadb, migrations: readonly Migration[] = readMigrations()): Promise<Migrated> {
  // Names of locks are the whole server's.
  const lock = `headwater migrate ${db.database}`.slice(0, 64)
  return db.run(async session => {
    const [got] = await session.execute<{ locked: number | null }[]>('SELECT GET_LOCK(?, 0) AS locked', [lock])
    if (got?.locked !== 1) await waitForLock(session, lock, db.address)
    try {
      await session.query(TABLE)
      const applied = await appliedMigrations(session)
      const open = openMigrations(db.address, migrations, applied)
      for (const { number, name, checksum, statements } of open) {
        for (const statement of statements) await session.query(statement, STATEMENT_TIMEOUT_MS)
        const note = 'INSERT INTO schema_migration (number, name, checksum) VALUES (?, ?, ?)'
        await session.execute(note, [number, name, checksum])
      }
      return { applied: open.map(({ name }) => name), before: applied.length }
    } finally {
      await session.execute('SELECT RELEASE_LOCK(?)', [lock]).catch(() => {})
    }
  })
}

/**
 * Rejects with SCHEMA_MISMATCH unless the database has exactly this version's tables: retryable when `headwater db migrate`
 * has still to be run, not when the database is newer.
 */
export async function checkSchema(db: Mariadb, migrations: readonly Migration[] = readMigrations()): Promise<void> {
  const open = await db.run(async session => openMigrations(db.address, migrations, await appliedMigrations(session)))
  if (open.length === 0) return
  throw new ProcessorError(
    'SCHEMA_MISMATCH',
    `MariaDB at ${db.address} must have Headwater's tables: run \`headwater db migrate\`. ` +
      `Found: ${open.map(({ name }) => name).join(', ')} not applied.`,
    { retryable: true },
  )
}

async function waitForLock(session: MariadbSession, lock: string, address: string): Promise<void> {
  const sql = `SELECT GET_LOCK('${lock.replaceAll("'", "''")}', ${LOCK_WAIT_S}) AS locked`
  const [got] = await session.query<{ locked: number | null }[]>(sql, (LOCK_WAIT_S + 5) * 1000)
  if (got?.locked === 1) return
  throw new ProcessorError(
    'STORE_UNAVAILABLE',
    `MariaDB at ${address} is being migrated by somebody else. Found: no lock within ${LOCK_WAIT_S} s.`,
    { retryable: true },
  )
}

async function appliedMigrations(session: MariadbSession): Promise<AppliedMigration[]> {
  try {
    return await session.query<AppliedMigration[]>(
      'SELECT number, name, checksum FROM schema_migration ORDER BY number',
    )
  } catch (error) {
    if (mariadbCode(error) === 'ER_NO_SUCH_TABLE') return []
    throw error
  }
}

/** What has still to be run. Throws when the database is newer than `known`, or has another file under the same number. */
function openMigrations(
  address: string,
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const byNumber = new Map(known.map(migration => [migration.number, migration]))
  for (const { number, name, checksum } of applied) {
    const migration = byNumber.get(number)
    if (migration === undefined) {
      throw new ProcessorError(
        'SCHEMA_MISMATCH',
        `MariaDB at ${address} must not be newer than this Headwater: run the newer one. Found: ${name}.`,
      )
    }
    if (migration.checksum !== checksum) {
      throw new ProcessorError(
        'SCHEMA_MISMATCH',
        `db/${migration.name} must be as it was when it was run: a change of the tables is a new file. ` +
          `Found: another checksum than in schema_migration of ${address}.`,
      )
    }
  }
  const done = new Set(applied.map(({ number }) => number))
  return known.filter(({ number }) => !done.has(number))
}
