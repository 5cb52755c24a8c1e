import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, type DuckDBPreparedStatement, StatementType } from '@duckdb/node-api'
import { ARCHIVE_COLUMNS, type ArchiveTable, type ArchiveType } from '@headwater/core'
import { beginReading } from './archive-lock.ts'
import { ArchiveQueryError, type ArchiveQueryOptions, type ArchiveReader, type QueryResult } from './archive-reader.ts'
import { chunksOf } from './duckdb-chunks.ts'
import { type QueryValue, queryValue } from './query-value.ts'

const SQL_TYPES: Readonly<Record<ArchiveType, string>> = {
  text: 'VARCHAR',
  int32: 'INTEGER',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
}
const MAX_SQL_CHARACTERS = 100_000
/** Statements that DuckDB counts among SELECT, by their first word. `PRAGMA` and `CALL` can be too, and may not be used. */
const READING = new Set(['SELECT', 'WITH', 'FROM', 'VALUES', 'DESCRIBE', 'DESC', 'SHOW', 'SUMMARIZE', 'TABLE'])

/** `openArchive`, with DuckDB loaded. */
export async function openWithDuckDb(options: ArchiveQueryOptions): Promise<ArchiveReader> {
  const archiveDir = resolve(options.archiveDir)
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads ?? 2),
    memory_limit: `${options.memoryLimitMb ?? 512}MiB`,
  })
  const connection = await instance.connect()
  try {
    for (const table of options.views === false ? [] : (['event_log', 'scenario_log'] as const)) {
      await connection.run(`CREATE VIEW ${table} AS ${await viewOf(archiveDir, table)}`)
    }
    for (const setting of [
      `TimeZone = 'UTC'`,
      // A file may be replaced under its name by one with fewer rows (see archive-lock.ts): nothing of the old one is kept.
      'enable_external_file_cache = false',
      `temp_directory = ''`,
      'autoinstall_known_extensions = false',
      'autoload_known_extensions = false',
      'allow_community_extensions = false',
      // A pattern is compared as it is written, the files it finds as they are named.
      `allowed_directories = [${quoted(`${archiveDir}/`)}, ${quoted(`${literal(archiveDir)}/`)}]`,
      'enable_external_access = false',
      'lock_configuration = true',
    ]) {
      await connection.run(`SET ${setting}`)
    }
  } catch (cause) {
    connection.closeSync()
    instance.closeSync()
    throw failed(cause)
  }
  return {
    query: sql => query(connection, archiveDir, sql, options.deadlineMs ?? 60_000),
    close(): void {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

async function viewOf(archiveDir: string, table: ArchiveTable): Promise<string> {
  const log = table.replace('_', '-')
  if (await hasFiles(join(archiveDir, table), `${log}+`)) {
    return (
      `SELECT * FROM read_parquet(${quoted(`${literal(archiveDir)}/${table}/day=*/hour=*/${log}+*.parquet`)}, ` +
      `hive_partitioning = true, hive_types = {'day': DATE, 'hour': INTEGER})`
    )
  }
  const columns = ARCHIVE_COLUMNS[table].map(({ name, type }) => `NULL::${SQL_TYPES[type]} AS "${name}"`)
  return `SELECT ${columns.join(', ')}, NULL::DATE AS "day", NULL::INTEGER AS "hour" WHERE false`
}

async function hasFiles(tableDir: string, prefix: string): Promise<boolean> {
  for (const day of await namesIn(tableDir, 'day=')) {
    for (const hour of await namesIn(join(tableDir, day), 'hour=')) {
      if ((await namesIn(join(tableDir, day, hour), prefix)).some(name => name.endsWith('.parquet'))) return true
    }
  }
  return false
}

async function namesIn(folder: string, prefix: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter(name => name.startsWith(prefix))
}

async function query(
  connection: DuckDBConnection,
  archiveDir: string,
  sql: string,
  deadlineMs: number,
): Promise<QueryResult> {
  // Before the statement is prepared: that opens files already.
  const endReading = await beginReading(archiveDir)
  let statement: DuckDBPreparedStatement
  try {
    statement = await prepare(connection, sql)
  } catch (cause) {
    await endReading()
    throw cause
  }
  let late = false
  const timer = setTimeout(() => {
    late = true
    connection.interrupt()
    void endReading() // also when nobody ever reads the rows
  }, deadlineMs).unref()
  const end = (): void => {
    clearTimeout(timer)
    statement.destroySync()
    void endReading()
  }
  const fault = (cause: unknown): ArchiveQueryError => {
    if (!late) return failed(cause)
    return new ArchiveQueryError(
      'QUERY_TIMEOUT',
      `a query must be done within ${deadlineMs} ms. Found: it was not.`,
      cause,
    )
  }
  try {
    const result = await statement.stream()
    const names = result.deduplicatedColumnNames()
    const columns = result.columnTypes().map((type, i) => ({ name: names[i] as string, type: type.toString() }))
    return {
      columns,
      rows: (async function* (): AsyncGenerator<QueryValue[][]> {
        try {
          for await (const chunk of chunksOf(result)) yield chunk.getRows().map(row => row.map(queryValue))
        } catch (cause) {
          throw cause instanceof ArchiveQueryError ? cause : fault(cause)
        } finally {
          end()
        }
      })(),
    }
  } catch (cause) {
    end()
    throw fault(cause)
  }
}

async function prepare(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const refused = (found: string): ArchiveQueryError =>
    new ArchiveQueryError('QUERY_REFUSED', `a query must be one statement that reads, as SELECT does. Found: ${found}.`)
  if (sql.length > MAX_SQL_CHARACTERS) throw refused(`${sql.length} characters, more than ${MAX_SQL_CHARACTERS}`)
  const word = firstWord(sql)
  if (!READING.has(word)) throw refused(word === '' ? 'no statement' : word)
  let statement: DuckDBPreparedStatement
  try {
    const statements = await connection.extractStatements(sql)
    if (statements.count !== 1) throw refused(`${statements.count} statements`)
    statement = await statements.prepare(0)
  } catch (cause) {
    throw cause instanceof ArchiveQueryError ? cause : failed(cause)
  }
  if (statement.statementType === StatementType.SELECT) return statement
  const type = StatementType[statement.statementType] ?? String(statement.statementType)
  statement.destroySync()
  throw refused(type)
}

/** The first word in capitals, behind white space, comments and opening parentheses. */
function firstWord(sql: string): string {
  let at = 0
  for (;;) {
    const char = sql[at]
    if (char === undefined) return ''
    if (char === '(' || char <= ' ') at++
    else if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at)
      at = end < 0 ? sql.length : end + 1
    } else if (sql.startsWith('/*', at)) {
      const end = sql.indexOf('*/', at + 2)
      at = end < 0 ? sql.length : end + 2
    } else return /^\w*/.exec(sql.slice(at, at + 40))?.[0].toUpperCase() || char
  }
}

function failed(cause: unknown): ArchiveQueryError {
  return new ArchiveQueryError('QUERY_FAILED', cause instanceof Error ? cause.message : String(cause), cause)
}

/** A path as a pattern that means this path only. */
function literal(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
