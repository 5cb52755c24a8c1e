import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api'
import type { ArchiveTable } from '@headwater/core'
import { beginReading } from '../archive-lock.ts'
import { chunksOf } from '../duckdb-chunks.ts'
import { ProcessorError } from '../errors.ts'
import type { ParquetColumn } from '../parquet/parquet-column.ts'
import { TextColumn } from '../parquet/text-column.ts'
import type { StoredFile } from '../ports.ts'
import { type ForgetSubject, quoted, subjectSql } from './forget-subject.ts'

/** One query reads this many files or bytes: few enough that progress shows. */
const FILES_A_QUERY = 64
const BYTES_A_QUERY = 64 * 1024 * 1024

/** How many rows of one file are the subject's. */
export interface FileHits {
  file: StoredFile
  rows: number
  /** Of them, received before the time asked for. */
  before: number
}

/**
 * Finds a subject's rows in archive files, by DuckDB, and reads the others. It remembers the ids of the subject's events that it has
 * seen in `event_log`: by them it knows outcomes that keep nothing of the subject. One call at a time.
 */
export class ArchiveScan {
  readonly #dir: string
  readonly #subject: string
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(dir: string, subject: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#dir = dir
    this.#subject = subject
    this.#instance = instance
    this.#connection = connection
  }

  /** `archiveDir`: absolute. Throws RangeError as `subjectSql` does. */
  static async open(archiveDir: string, subject: ForgetSubject): Promise<ArchiveScan> {
    const sql = subjectSql(subject)
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GiB' })
    const connection = await instance.connect()
    // Files change under their names here: nothing of an earlier reading may be taken for what is there now.
    await connection.run(`SET enable_external_file_cache = false`)
    await connection.run(`SET TimeZone = 'UTC'`)
    await connection.run('CREATE TABLE forgotten_event (event_id VARCHAR PRIMARY KEY)')
    return new ArchiveScan(archiveDir, sql, instance, connection)
  }

  /** The subject's rows by file; files without any are left out. */
  async hits(
    table: ArchiveTable,
    files: readonly StoredFile[],
    before: number,
    onDone?: (bytes: number) => void,
  ): Promise<FileHits[]> {
    const hits: FileHits[] = []
    for (let next = 0; next < files.length; ) {
      const some: StoredFile[] = []
      let bytes = 0
      for (; next < files.length && some.length < FILES_A_QUERY && bytes < BYTES_A_QUERY; next++) {
        const file = files[next] as StoredFile
        some.push(file)
        bytes += file.bytes
      }
      const source = this.#read(
        some.map(({ path }) => path),
        'filename = true',
      )
      const where = this.#where(table)
      if (table === 'event_log')
        await this.#run(`INSERT OR IGNORE INTO forgotten_event SELECT event_id FROM ${source} WHERE ${where}`)
      const answer = await this.#run(
        `SELECT filename, count(*), count(*) FILTER (WHERE epoch_ms(received_at) < ${before}) FROM ${source} ` +
          `WHERE ${where} GROUP BY filename`,
      )
      const byName = new Map(some.map(file => [this.#full(file.path), file]))
      for (const [name, rows, old] of answer) {
        const file = byName.get(String(name))
        if (file !== undefined) hits.push({ file, rows: Number(rows), before: Number(old) })
      }
      onDone?.(bytes)
    }
    return hits.sort((a, b) => (a.file.path < b.file.path ? -1 : 1))
  }

  /** Fills `columns` with the rows of a file that are not the subject's, in their order. */
  async readOthers(table: ArchiveTable, path: string, columns: readonly ParquetColumn[]): Promise<void> {
    const list = columns.map(({ name, type }) => (type === 'timestamp' ? `epoch_ms("${name}")` : `"${name}"`))
    const source = this.#read([path], 'file_row_number = true')
    const endReading = await beginReading(this.#dir)
    const sql = `SELECT file_row_number, ${list.join(', ')} FROM ${source} WHERE NOT (${this.#where(table)})`
    let last = -1
    try {
      const result = await this.#connection.stream(sql)
      for await (const chunk of chunksOf(result)) {
        const [numbers = [], ...values] = chunk.getColumns()
        for (const number of numbers) {
          // DuckDB keeps the order of insertion by default; rows that changed places would be no copy any more.
          if (Number(number) <= last) throw new Error(`row ${number} came behind row ${last}`)
          last = Number(number)
        }
        columns.forEach((column, at) => {
          addAll(column, values[at] ?? [])
        })
      }
    } catch (cause) {
      throw unreadable(cause)
    } finally {
      await endReading()
    }
  }

  /** Other ids under which the subject's rows are known: visitors of a member, members of a visitor; some of them. */
  async otherIds(column: 'visitor_id' | 'member_id', hits: readonly FileHits[], limit: number): Promise<string[]> {
    const ids = new Set<string>()
    for (const { file } of hits) {
      if (ids.size >= limit) break
      const answer = await this.#run(
        `SELECT DISTINCT ${column} FROM ${this.#read([file.path], 'filename = false')} ` +
          `WHERE ${this.#where('event_log')} AND ${column} IS NOT NULL ORDER BY 1 LIMIT ${limit}`,
      )
      for (const [id] of answer) if (ids.size < limit) ids.add(String(id))
    }
    return [...ids]
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  #where(table: ArchiveTable): string {
    if (table === 'event_log') return this.#subject
    return `(${this.#subject} OR event_id IN (SELECT event_id FROM forgotten_event))`
  }

  #full(path: string): string {
    return join(this.#dir, ...path.split('/'))
  }

  /** The files as a table. A path is a pattern there: its special characters mean themselves. */
  #read(paths: readonly string[], option: string): string {
    const list = paths.map(path => quoted(this.#full(path).replace(/[*?[]/g, '[$&]')))
    return `read_parquet([${list.join(', ')}], hive_partitioning = false, ${option})`
  }

  /** Runs a query to its end; its rows. */
  async #run(sql: string): Promise<DuckDBValue[][]> {
    const endReading = await beginReading(this.#dir)
    try {
      return await (await this.#connection.run(sql)).getRows()
    } catch (cause) {
      throw unreadable(cause)
    } finally {
      await endReading()
    }
  }
}

function addAll(column: ParquetColumn, values: readonly unknown[]): void {
  const { values: into } = column
  for (const value of values) {
    if (into instanceof TextColumn) {
      if (value === null) into.addNull()
      else {
        const bytes = Buffer.from(value as string, 'utf8')
        into.add(bytes, 0, bytes.length)
      }
    } else into.add(value === null ? Number.NaN : Number(value))
  }
}

function unreadable(cause: unknown): ProcessorError {
  const found = cause instanceof Error ? cause.message : String(cause)
  return new ProcessorError(
    'ARCHIVE_DAMAGED',
    'an archive file cannot be read; files that were not rewritten yet are as they were. Move the file out of the archive ' +
      `and begin again. Found: ${found}.`,
    { cause },
  )
}
