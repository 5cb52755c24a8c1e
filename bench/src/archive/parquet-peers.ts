import { createRequire } from 'node:module'
import { type DuckDBAppender, DuckDBInstance, TIMESTAMPTZ, timestampTZValue } from '@duckdb/node-api'
import { type ArchiveColumn, type ArchiveType, type ArchiveValue, OUTCOME_COLUMNS } from '@headwater/core'
import { pageCompressor } from '@headwater/processor'
import { type BasicType, parquetWriteFile } from 'hyparquet-writer'

/** Writes finished rows of `OUTCOME_COLUMNS` to a new file. */
export type ParquetPeer = (file: string, rows: readonly ArchiveValue[][]) => Promise<void>

/** The part of parquetjs-lite that is used here; it brings no types. */
interface ParquetJs {
  ParquetSchema: new (fields: Record<string, object>) => object
  ParquetWriter: {
    openFile(schema: object, file: string): Promise<{ appendRow(row: object): Promise<void>; close(): Promise<void> }>
  }
}

const PARQUET_JS_TYPES: Readonly<Record<ArchiveType, string>> = {
  text: 'UTF8',
  int32: 'INT32',
  int64: 'INT64',
  timestamp: 'TIMESTAMP_MILLIS',
}

/** parquetjs-lite: row by row, each awaited, as overlapping calls corrupt its files. */
export const parquetJsPeer: ParquetPeer = async (file, rows) => {
  const { ParquetSchema, ParquetWriter } = createRequire(import.meta.url)('parquetjs-lite') as ParquetJs
  const fields = OUTCOME_COLUMNS.map(({ name, type, required }): [string, object] => [
    name,
    { type: PARQUET_JS_TYPES[type], compression: 'SNAPPY', optional: !required },
  ])
  const writer = await ParquetWriter.openFile(new ParquetSchema(Object.fromEntries(fields)), file)
  for (const values of rows) {
    const row: Record<string, unknown> = {}
    OUTCOME_COLUMNS.forEach(({ name, type }, i) => {
      const value = values[i]
      if (value !== null && value !== undefined) row[name] = type === 'timestamp' ? new Date(value) : value
    })
    await writer.appendRow(row)
  }
  await writer.close()
}

const HYPARQUET_TYPES: Readonly<Record<ArchiveType, BasicType>> = {
  text: 'STRING',
  int32: 'INT32',
  int64: 'INT64',
  timestamp: 'TIMESTAMP',
}

/** hyparquet-writer with whole columns, which it does faster than rows; the same zstd as ours. */
export const hyparquetPeer: ParquetPeer = async (file, rows) => {
  const { compress } = await pageCompressor('zstd')
  await parquetWriteFile({
    filename: file,
    codec: 'ZSTD',
    compressors: { ZSTD: compress },
    columnData: OUTCOME_COLUMNS.map(({ name, type, required }, i) => ({
      name,
      type: HYPARQUET_TYPES[type],
      nullable: !required,
      data: rows.map(row => hyparquetValue(type, row[i] as ArchiveValue)),
    })),
  })
}

function hyparquetValue(type: ArchiveType, value: ArchiveValue): unknown {
  if (value === null) return null
  if (type === 'timestamp') return new Date(value)
  return type === 'int64' ? BigInt(value) : value
}

const SQL_TYPES: Readonly<Record<ArchiveType, string>> = {
  text: 'VARCHAR',
  int32: 'INTEGER',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMPTZ',
}

/** DuckDB as a library: typed appends to a table in memory, then COPY, sorted as ours. */
export function duckDbPeer(codec: 'zstd' | 'snappy'): ParquetPeer {
  return async (file, rows) => {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    const columns = OUTCOME_COLUMNS.map(({ name, type }) => `"${name}" ${SQL_TYPES[type]}`)
    await connection.run(`CREATE TABLE rows (${columns.join(', ')})`)
    const appender = await connection.createAppender('rows')
    const appends = OUTCOME_COLUMNS.map(appendOf)
    for (const row of rows) {
      for (let i = 0; i < appends.length; i++) {
        const value = row[i] as ArchiveValue
        if (value === null) appender.appendNull()
        else appends[i]?.(appender, value)
      }
      appender.endRow()
    }
    appender.closeSync()
    await connection.run(`COPY (FROM rows ORDER BY scenario_id) TO '${file}' (FORMAT parquet, COMPRESSION ${codec})`)
    connection.closeSync()
    instance.closeSync()
  }
}

function appendOf({ type }: ArchiveColumn): (appender: DuckDBAppender, value: string | number) => void {
  switch (type) {
    case 'text':
      return (appender, value) => appender.appendVarchar(value as string)
    case 'int32':
      return (appender, value) => appender.appendInteger(value as number)
    case 'int64':
      return (appender, value) => appender.appendBigInt(BigInt(value))
    case 'timestamp':
      return (appender, value) => appender.appendValue(timestampTZValue(BigInt(value) * 1000n), TIMESTAMPTZ)
  }
}
