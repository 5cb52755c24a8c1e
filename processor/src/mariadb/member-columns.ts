import { ProcessorError } from '../errors.ts'
import type { Mariadb, MariadbSession } from './connect-mariadb.ts'

/** One attribute: a column of the member table, and the SQL that reads it as text. */
export interface MemberColumn {
  name: string
  expression: string
}

export const ID_COLUMN = 'member_id'

const SECRET = /passw|passwd|pwd|secret|token|salt/i
const TIMES: ReadonlySet<string> = new Set(['datetime', 'timestamp'])
/** No text to compare with. */
const BINARY = /blob|binary|^bit$|geometry|point|linestring|polygon/

/**
 * The attributes of the member table, in order of name. Columns that look like passwords and binary ones are none. Rejects with
 * SCHEMA_MISMATCH when there is no such table, or it has no `member_id`.
 */
export async function readMemberColumns(
  session: MariadbSession,
  db: Pick<Mariadb, 'address' | 'database'>,
  table: string,
): Promise<MemberColumn[]> {
  const rows = await session.execute<{ name: string; type: string }[]>(
    `SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY COLUMN_NAME`,
    [db.database, table],
  )
  if (!rows.some(({ name }) => name === ID_COLUMN)) {
    throw new ProcessorError(
      'SCHEMA_MISMATCH',
      `MariaDB at ${db.address} must have a table ${table} with a column ${ID_COLUMN}: run \`headwater db migrate\`. ` +
        `Found: ${rows.length === 0 ? 'no such table' : rows.map(({ name }) => name).join(', ')}.`,
      { retryable: true },
    )
  }
  return rows
    .filter(({ name, type }) => name !== ID_COLUMN && !isSecretColumn(name) && !BINARY.test(type))
    .map(({ name, type }) => ({ name, expression: textOf(quoted(name), type) }))
}

/** Whether nobody should filter by a column and no cache hold it, whatever table was taken over. */
export function isSecretColumn(name: string): boolean {
  return SECRET.test(name)
}

/** An identifier in backticks. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** The server makes the text: numbers of any size as they are, times as ISO 8601 UTC with milliseconds. */
function textOf(column: string, type: string): string {
  if (!TIMES.has(type)) return `CAST(${column} AS CHAR)`
  return `CONCAT(DATE_FORMAT(${column}, '%Y-%m-%dT%H:%i:%s.'), ` + `LPAD(MICROSECOND(${column}) DIV 1000, 3, '0'), 'Z')`
}
