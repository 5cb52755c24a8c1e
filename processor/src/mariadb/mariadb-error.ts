import { ProcessorError } from '../errors.ts'

/** MariaDB's and mysql2's error codes, and what the operator should do about each. */
const REMEDIES: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR: 'check mariadb.user and mariadb.password',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'check mariadb.user and mariadb.password',
  ER_DBACCESS_DENIED_ERROR: 'GRANT this user its rights on the database',
  ER_TABLEACCESS_DENIED_ERROR: 'GRANT this user its rights on the table',
  ER_HOST_NOT_PRIVILEGED: 'create the user for this host, too',
  ER_BAD_DB_ERROR: 'check mariadb.database, or CREATE DATABASE',
  ER_CON_COUNT_ERROR: 'raise its max_connections, or lower mariadb.connections',
  ER_TOO_MANY_USER_CONNECTIONS: 'raise this user’s max_user_connections, or lower mariadb.connections',
  ER_DISK_FULL: 'free disk space on its machine',
  ER_RECORD_FILE_FULL: 'free disk space on its machine',
  ER_DATA_TOO_LONG: 'give the column more room (ALTER TABLE … MODIFY)',
  ER_OPTION_PREVENTS_STATEMENT: 'mariadb.host must be the primary, not a replica (read_only)',
}

/** What a statement over missing tables or columns is answered with. */
const SCHEMA_CODES: ReadonlySet<string> = new Set(['ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR'])

/**
 * What mysql2 rejected with, as an error of ours. Nearly all of it may pass without a restart of this process, so it is
 * retryable; so are missing tables, as `headwater db migrate` may be run meanwhile. No message of theirs has a password.
 */
export function mariadbError(address: string, cause: unknown): ProcessorError {
  if (cause instanceof ProcessorError) return cause
  const code = mariadbCode(cause) ?? ''
  const found = `${code} ${cause instanceof Error ? cause.message : String(cause)}`.trim().replace(/\.$/, '')
  if (SCHEMA_CODES.has(code)) {
    return new ProcessorError(
      'SCHEMA_MISMATCH',
      `MariaDB at ${address} must have Headwater's tables: run \`headwater db migrate\`. Found: ${found}.`,
      { retryable: true, cause },
    )
  }
  const remedy = REMEDIES[code] ?? 'check mariadb.host, mariadb.port, the network and its log'
  return new ProcessorError('STORE_UNAVAILABLE', `MariaDB at ${address} must answer: ${remedy}. Found: ${found}.`, {
    retryable: true,
    cause,
  })
}

/** `ER_DUP_ENTRY`, `ECONNREFUSED`, … */
export function mariadbCode(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}
