import type { QueryValue } from './query-value.ts'

export interface ArchiveQueryOptions {
  /** The archive's folder; it need not exist yet. */
  archiveDir: string
  /** Memory DuckDB may use, MiB. Default 512. A query that needs more fails. */
  memoryLimitMb?: number
  /** Default 2. */
  threads?: number
  /** Longest time of one query, rows included, ms. Default 60 000. */
  deadlineMs?: number
}

export interface QueryColumn {
  name: string
  /** DuckDB's name of the type: `VARCHAR`, `BIGINT`, `TIMESTAMP WITH TIME ZONE` … */
  type: string
}

/** A query's answer. The rows are read as they are needed, once; leaving the loop early ends the query. */
export interface QueryResult {
  columns: readonly QueryColumn[]
  /** Some rows at a time. */
  rows: AsyncIterable<QueryValue[][]>
}

/** Why a query has no answer. */
export type ArchiveQueryErrorCode =
  /** Not one statement that only reads. */
  | 'QUERY_REFUSED'
  /** A fault in the SQL, or something the query may not use. */
  | 'QUERY_FAILED'
  | 'QUERY_TIMEOUT'

/** A query without an answer; the message is for the one who wrote it. Trying again gives the same. */
export class ArchiveQueryError extends Error {
  readonly code: ArchiveQueryErrorCode
  readonly retryable = false

  constructor(code: ArchiveQueryErrorCode, message: string, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = 'ArchiveQueryError'
    this.code = code
  }
}

/** An archive that can be asked. One query at a time. */
export interface ArchiveReader {
  /** Runs one statement that only reads. Rejects with `ArchiveQueryError`; so does reading the rows. */
  query(sql: string): Promise<QueryResult>
  close(): void
}

/**
 * Opens an archive folder for SQL, by DuckDB: the views `event_log` and `scenario_log` have the columns of
 * `docs/reference/archive.md` and `day`, `hour`, the folders' UTC hour of arrival: a condition on them spares the other
 * folders. A table without files is an empty view. Files that are published later are seen by the next query, the first
 * one of a table by the next `openArchive`. Files below `_tmp` and other folders beginning with `_` are never read.
 *
 * The SQL is a stranger's: it reads the archive and nothing else. No file outside, no network, no extension, no setting,
 * no statement but one that reads. (`allowed_directories` alone would let COPY write into the archive: measured.)
 */
export async function openArchive(options: ArchiveQueryOptions): Promise<ArchiveReader> {
  // DuckDB is 70 MB of native code: a process that never queries does not load it.
  const { openWithDuckDb } = await import('./duckdb-archive.ts')
  return openWithDuckDb(options)
}
