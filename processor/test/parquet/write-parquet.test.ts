import { mkdtemp, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { decompress } from 'fzstd'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PageScratch } from '../../src/parquet/column-chunk.ts'
import { type ArchiveCodec, pageCompressor } from '../../src/parquet/compression.ts'
import { NumberColumn } from '../../src/parquet/number-column.ts'
import { type ColumnType, ParquetColumn } from '../../src/parquet/parquet-column.ts'
import { readFooter } from '../../src/parquet/read-footer.ts'
import { writeParquet } from '../../src/parquet/write-parquet.ts'
import { localFileStore } from '../../src/stores/local-file-store.ts'

let root: string
let files = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'headwater-parquet-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const scratch = new PageScratch()

/** It has no types of its own. */
const parquetjs = createRequire(import.meta.url)('parquetjs-lite') as {
  ParquetReader: {
    openFile(path: string): Promise<{
      getCursor(): { next(): Promise<Record<string, string | number | bigint> | null> }
      close(): Promise<void>
    }>
  }
}

type Row = Record<string, string | number | null>
interface Spec {
  name: string
  type: ColumnType
  required: boolean
}

async function write(specs: readonly Spec[], rows: readonly Row[], codec: ArchiveCodec): Promise<string> {
  const columns = specs.map(({ name, type, required }) => new ParquetColumn(name, type, required))
  for (const row of rows) {
    for (const column of columns) {
      const value = row[column.name]
      if (column.values instanceof NumberColumn) column.values.add(typeof value === 'number' ? value : Number.NaN)
      else if (typeof value !== 'string') column.values.addNull()
      else {
        const bytes = Buffer.from(value)
        column.values.add(bytes, 0, bytes.length)
      }
    }
  }
  const name = `${files++}.parquet`
  await writeParquet(join(root, name), {
    columns,
    order: Uint32Array.from(rows.keys()),
    sortedBy: [0],
    metadata: { 'headwater.start': '7', empty: '', 한글: '값' },
    createdBy: 'headwater version 1',
    compressor: await pageCompressor(codec),
    scratch,
  })
  return name
}

async function byHyparquet(name: string): Promise<Row[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(join(root, name)),
    compressors: { ZSTD: input => decompress(input) },
  })
  return rows.map(row =>
    Object.fromEntries(
      Object.entries(row).map(([key, value]) => [
        key,
        value instanceof Date ? value.getTime() : typeof value === 'bigint' ? Number(value) : (value ?? null),
      ]),
    ),
  )
}

async function byDuckDb(name: string, specs: readonly Spec[]): Promise<Row[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const list = specs.map(({ name, type }) => (type === 'timestamp' ? `epoch_ms("${name}") AS "${name}"` : `"${name}"`))
  const result = await connection.runAndReadAll(`SELECT ${list.join(', ')} FROM '${join(root, name)}'`)
  const rows = result
    .getRowObjects()
    .map(row =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : (value as string)]),
      ),
    )
  connection.closeSync()
  instance.closeSync()
  return rows
}

const SPECS: Spec[] = [
  { name: 'id', type: 'text', required: true },
  { name: 'few', type: 'text', required: false },
  { name: 'any', type: 'text', required: false },
  { name: 'small', type: 'int32', required: true },
  { name: 'big', type: 'int64', required: false },
  { name: 'at', type: 'timestamp', required: true },
]

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const row = fc.record({
  id: text,
  few: fc.option(fc.constantFrom('', 'a', '고면할당하기', 'x\0y'), { nil: null }),
  any: fc.option(
    fc.oneof(
      text,
      fc.string({ unit: 'binary', maxLength: 10 }).map(s => Buffer.from(s).toString()),
    ),
    { nil: null },
  ),
  small: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  big: fc.option(fc.maxSafeInteger(), { nil: null }),
  at: fc.integer({ min: 0, max: 253_402_300_799_999 }),
})

describe('Parquet files', () => {
  it('hold what was written, for hyparquet and for DuckDB, in every codec', async () => {
    const codec = fc.constantFrom<ArchiveCodec>('zstd', 'snappy', 'none')
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 60 }), codec, async (rows, name) => {
        const file = await write(SPECS, rows, name)
        expect(await byHyparquet(file)).toEqual(rows)
        expect(await byDuckDb(file, SPECS)).toEqual(rows)
      }),
      { numRuns: 25 },
    )
  }, 60_000)

  it('hold columns of many pages, with dictionaries and without', async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => ({
      id: `row ${i} ${'x'.repeat(i % 90)}`,
      few: i % 3 === 0 ? null : `value ${i % 7}`,
      any: i % 1000 < 900 ? null : `sparse ${i}`,
      small: i % 5,
      big: i % 2 === 0 ? i * 1_000_003 : null,
      at: 1_750_218_610_123 + i,
    }))
    const file = await write(SPECS, rows, 'zstd')
    expect(await byDuckDb(file, SPECS)).toEqual(rows)
    expect(await byHyparquet(file)).toEqual(rows)
  }, 60_000)

  it('hold values that collide in every hash, without looking for long', async () => {
    // Same length and letters in another order: a weak hash puts them all into one slot.
    const rows = Array.from({ length: 30_000 }, (_, i) => ({
      id: String(i),
      few: null,
      any: [...String(i).padStart(6, '0')].sort().join('') + String(i % 10),
      small: 0,
      big: null,
      at: 0,
    }))
    const file = await write(SPECS, rows, 'none')
    expect(await byDuckDb(file, SPECS)).toEqual(rows)
  })

  it('say their rows and metadata in the footer, read from the tail alone', async () => {
    const name = await write(SPECS, [{ id: 'a', few: null, any: null, small: 1, big: null, at: 0 }], 'zstd')
    const store = localFileStore(root)
    const reads: number[] = []
    const footer = await readFooter(
      {
        ...store,
        read: (path, from, to) => {
          reads.push(to - from)
          return store.read(path, from, to)
        },
      },
      name,
    )
    expect(footer?.rows).toBe(1)
    expect(footer?.metadata).toEqual({ 'headwater.start': '7', empty: '', 한글: '값' })
    expect(footer?.file.created_by).toBe('headwater version 1')
    expect(reads).toHaveLength(1)
    expect(await readFooter(store, 'nothing.parquet')).toBeUndefined()
  })

  it('are refused when they are cut or are something else', async () => {
    const name = await write(SPECS, [{ id: 'a', few: null, any: null, small: 1, big: null, at: 0 }], 'zstd')
    const store = localFileStore(root)
    const whole = await store.read(name, 0, 1_000_000)
    for (const length of [0, 5, 11, 100, whole.length - 1]) {
      await store.write('cut.parquet', whole.subarray(0, length))
      await expect(readFooter(store, 'cut.parquet')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    }
    const garbage = Buffer.from(whole)
    garbage.fill(0xff, whole.length - 200, whole.length - 8)
    await store.write('cut.parquet', garbage)
    await expect(readFooter(store, 'cut.parquet')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
  })

  it('show the types that Spark expects', async () => {
    const name = await write(SPECS, [{ id: 'a', few: null, any: null, small: 1, big: null, at: 0 }], 'snappy')
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    const result = await connection.runAndReadAll(
      `SELECT name, type, repetition_type, converted_type, logical_type FROM parquet_schema('${join(root, name)}') OFFSET 1`,
    )
    const utc = 'TimestampType(isAdjustedToUTC=1, unit=TimeUnit(MILLIS=MilliSeconds(), MICROS=<null>, NANOS=<null>))'
    expect(result.getRows()).toEqual([
      ['id', 'BYTE_ARRAY', 'REQUIRED', 'UTF8', 'StringType()'],
      ['few', 'BYTE_ARRAY', 'OPTIONAL', 'UTF8', 'StringType()'],
      ['any', 'BYTE_ARRAY', 'OPTIONAL', 'UTF8', 'StringType()'],
      ['small', 'INT32', 'REQUIRED', null, null],
      ['big', 'INT64', 'OPTIONAL', null, null],
      ['at', 'INT64', 'REQUIRED', 'TIMESTAMP_MILLIS', utc],
    ])
    connection.closeSync()
    instance.closeSync()
  })

  it('are read by parquetjs-lite when they have snappy pages and no timestamp', async () => {
    const specs = SPECS.filter(({ type }) => type !== 'timestamp')
    const rows = Array.from({ length: 100 }, (_, i) => ({
      id: `id ${i}`,
      few: i % 2 === 0 ? '고면할당하기' : null,
      any: i % 3 === 0 ? `${i}` : null,
      small: i,
      big: i * 1_000_000_007,
    }))
    const name = await write(specs, rows, 'snappy')
    const reader = await parquetjs.ParquetReader.openFile(join(root, name))
    const cursor = reader.getCursor()
    const read: Row[] = []
    for (let record = await cursor.next(); record !== null; record = await cursor.next()) {
      read.push(
        Object.fromEntries(
          specs.map(({ name, type }) => [
            name,
            type === 'text' ? ((record[name] as string | undefined) ?? null) : Number(record[name]),
          ]),
        ),
      )
    }
    await reader.close()
    expect(read).toEqual(rows)
  })
})

it('reads the footer of the file that is there when another one takes its place meanwhile', async () => {
  const spec: Spec[] = [{ name: 'n', type: 'text', required: true }]
  const long = await write(
    spec,
    Array.from({ length: 500 }, (_, i) => ({ n: `row ${i}` })),
    'zstd',
  )
  const short = await write(spec, [{ n: 'the only row' }], 'zstd')
  const store = localFileStore(root)
  let isReplaced = false
  const footer = await readFooter(
    {
      ...store,
      async read(path, from, to) {
        if (!isReplaced) await rename(join(root, short), join(root, long))
        isReplaced = true
        return store.read(path, from, to)
      },
    },
    long,
  )
  expect(footer?.rows).toBe(1)
})
