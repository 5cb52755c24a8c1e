import type { ArchiveQueryOptions, ArchiveReader } from './archive-reader.ts'

export * from './archive-reader.ts'

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
