import type { QueryValue } from './query-value.ts'

export interface ArchiveQueryOptions {
  /** The archive's folder; it need not exist yet. */
  archiveDir: string
  /**
   * Without the views `event_log` and `scenario_log`, which cannot even be made when one of their files is damaged: files
   * are named by `read_parquet` then. Default true.
   */
  views?: boolean
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
