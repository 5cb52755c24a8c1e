import type { Member } from '@headwater/core'
import type { Mariadb, MariadbSession } from '../mariadb/connect-mariadb.ts'
import { mariadbCode } from '../mariadb/mariadb-error.ts'
import { ID_COLUMN, type MemberColumn, quoted, readMemberColumns } from '../mariadb/member-columns.ts'
import type { MemberStore } from '../ports.ts'

export interface MariadbMemberStoreOptions {
  db: Mariadb
  /** Default `member`. */
  table?: string
  /** How long the table's columns are believed, ms. Default 30 000. */
  columnsTtlMs?: number
  /** By default `performance.now`. */
  clock?: () => number
}

/** The sizes of prepared look-ups; the last id is repeated to fill one up. A handful of statements is prepared, not thousands. */
const CHUNKS = [1, 8, 64, 512] as const
/** Characters of a member's id at most, as in member files. */
const MAX_ID_LENGTH = 200

/**
 * Members in a MariaDB table with `member_id` and a column for each attribute. Values are text; NULL is no attribute; DATETIME
 * is ISO 8601 UTC. All members of one `get` are of one state of the table (one statement, or one snapshot for several).
 * Ids are compared as text exactly, whatever the column's type and collation are.
 * `columns` resolves with the same set as long as the columns are the same; once known, they stay while MariaDB is away.
 */
export function mariadbMemberStore(options: MariadbMemberStoreOptions): MemberStore {
  const { db, table = 'member', columnsTtlMs = 30_000, clock = () => performance.now() } = options
  let known: { columns: readonly MemberColumn[]; names: ReadonlySet<string>; text: string; until: number } | undefined

  async function readColumns(session: MariadbSession): Promise<void> {
    const columns = await readMemberColumns(session, db, table)
    const text = JSON.stringify(columns)
    const names = known?.text === text ? known.names : new Set(columns.map(({ name }) => name))
    known = { columns, names, text, until: clock() + columnsTtlMs }
  }

  async function currentColumns(session: MariadbSession): Promise<readonly MemberColumn[]> {
    if (known === undefined || clock() >= known.until) await readColumns(session)
    return known?.columns as readonly MemberColumn[]
  }

  async function select(ids: readonly string[]): Promise<Map<string, Member>> {
    const chunks = chunksOf(ids)
    const read = async (session: MariadbSession): Promise<Map<string, Member>> => {
      const columns = await currentColumns(session)
      const list = [quoted(ID_COLUMN), ...columns.map(column => column.expression)]
      const found = new Map<string, Member>()
      for (const chunk of chunks) {
        // Names such as `__proto__` may be columns: results go by their place.
        const names = list.map((expression, i) => `${i === 0 ? `CAST(${expression} AS CHAR)` : expression} AS c${i}`)
        const places = chunk.map(() => '?').join(', ')
        const rows = await session.execute<Record<string, string | null>[]>(
          `SELECT ${names.join(', ')} FROM ${quoted(table)} WHERE ${quoted(ID_COLUMN)} IN (${places})`,
          chunk,
        )
        for (const row of rows) found.set(row.c0 as string, memberOf(columns, row))
      }
      return found
    }
    if (chunks.length === 1) return db.run(read)
    return db.transaction(read, 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
  }

  return {
    async get(memberIds: readonly string[]): Promise<ReadonlyMap<string, Member>> {
      const ids = [...new Set(memberIds)].filter(isPossibleId)
      if (ids.length === 0) return new Map()
      let members: Map<string, Member>
      try {
        members = await select(ids)
      } catch (error) {
        // A column is gone since they were looked at.
        if (known === undefined || mariadbCode((error as Error).cause) !== 'ER_BAD_FIELD_ERROR') throw error
        known.until = Number.NEGATIVE_INFINITY
        members = await select(ids)
      }
      // A number column finds 7 for `007`, another collation finds `a` for `A`: only what was asked for is an answer.
      return new Map(ids.flatMap(id => (members.has(id) ? [[id, members.get(id) as Member]] : [])))
    },

    async columns(): Promise<ReadonlySet<string>> {
      if (known !== undefined && clock() < known.until) return known.names
      try {
        await db.run(readColumns)
      } catch (error) {
        if (known === undefined) throw error
        known.until = clock() + 1_000
      }
      return known?.names as ReadonlySet<string>
    },
  }
}

/** Whether a table may have such an id: no lone surrogates, which are sent as another character. */
export function isPossibleId(id: string): boolean {
  return id !== '' && id.length <= MAX_ID_LENGTH && !/\p{Surrogate}/u.test(id)
}

function chunksOf(ids: readonly string[]): string[][] {
  const chunks: string[][] = []
  for (let from = 0; from < ids.length; ) {
    const left = ids.length - from
    const size = CHUNKS.find(chunk => chunk >= left) ?? (CHUNKS.at(-1) as number)
    const chunk = ids.slice(from, from + size)
    from += chunk.length
    while (chunk.length < size) chunk.push(chunk.at(-1) as string)
    chunks.push(chunk)
  }
  return chunks
}

/** Inherits nothing, so that an attribute `constructor` is what the table says, or nothing. */
function memberOf(columns: readonly MemberColumn[], row: Record<string, string | null>): Member {
  const member = Object.create(null) as Record<string, string>
  columns.forEach(({ name }, i) => {
    const value = row[`c${i + 1}`]
    if (value !== null && value !== undefined) member[name] = value
  })
  return member
}
