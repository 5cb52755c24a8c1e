import { once } from 'node:events'
import { openArchive, type QueryColumn, type QueryValue } from '@headwater/processor'
import Table from 'cli-table3'
import { copyArchive } from '../copy-archive.ts'
import { dataFolder } from '../data-folder.ts'
import type { LoadedConfig } from '../load-config.ts'

export interface QueryOptions {
  json?: boolean
  csv?: boolean
  /** Seconds. */
  timeout: number
}

/** A table on a terminal is for eyes: what is more goes to --csv or --json. */
const MAX_TABLE_ROWS = 1000
const MAX_CELL_CHARACTERS = 60

/** `headwater query`: SQL over the published Parquet files, whether the server runs or not. */
export async function query({ config }: LoadedConfig, sql: string, options: QueryOptions): Promise<void> {
  const folder = dataFolder(config.dataDir)
  await copyArchive(config, folder)
  const archive = await openArchive({
    archiveDir: folder.archive,
    deadlineMs: options.timeout * 1000,
  })
  try {
    const { columns, rows } = await archive.query(sql)
    if (options.json === true) await printJson(columns, rows)
    else if (options.csv === true) await printCsv(columns, rows)
    else await printTable(columns, rows)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error // `| head` has enough
  } finally {
    archive.close()
  }
}

type Rows = AsyncIterable<QueryValue[][]>

/** An array of row objects, written as the rows come. */
async function printJson(columns: readonly QueryColumn[], rows: Rows): Promise<void> {
  let separator = '['
  for await (const chunk of rows)
    for (const row of chunk) {
      await print(`${separator}${JSON.stringify(Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])))}`)
      separator = ',\n'
    }
  await print(separator === '[' ? '[]\n' : ']\n')
}

/** RFC 4180. Text that a spreadsheet would take for a formula gets an apostrophe before it: events are anybody's text. */
async function printCsv(columns: readonly QueryColumn[], rows: Rows): Promise<void> {
  await print(`${columns.map(({ name }) => csvCell(name)).join(',')}\r\n`)
  for await (const chunk of rows) await print(chunk.map(row => `${row.map(csvCell).join(',')}\r\n`).join(''))
}

export function csvCell(value: QueryValue): string {
  if (value === null) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

async function printTable(columns: readonly QueryColumn[], rows: Rows): Promise<void> {
  const numeric = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UBIGINT|DOUBLE|FLOAT|DECIMAL)/
  const grid = new Table({
    head: columns.map(({ name }) => name),
    colAligns: columns.map(({ type }) => (numeric.test(type) ? 'right' : 'left')),
    style: { head: [], border: [] },
  })
  let count = 0
  let more = false
  for await (const chunk of rows) {
    for (const row of chunk) {
      if (count === MAX_TABLE_ROWS) {
        more = true
        break
      }
      grid.push(row.map(tableCell))
      count++
    }
    if (more) break
  }
  await print(`${grid.toString()}\n`)
  if (more) await print(`Only the first ${MAX_TABLE_ROWS} rows: --csv and --json print all.\n`)
}

function tableCell(value: QueryValue): string {
  if (value === null) return '–'
  const text = (typeof value === 'object' ? JSON.stringify(value) : String(value)).replace(/\p{Cc}/gu, '�')
  return text.length > MAX_CELL_CHARACTERS ? `${text.slice(0, MAX_CELL_CHARACTERS - 1)}…` : text
}

/** Waits for a slow reader of the pipe, so that a large answer does not pile up in memory. */
async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}
