import { DuckDBInstance } from '@duckdb/node-api'

/** How two archives differ in one table. */
export interface ArchiveDifference {
  table: string
  rows: [number, number]
  /** Rows of the first that the second has not, and the other way round, each counted as often as it stands there. */
  onlyIn: [number, number]
  /** A few of them, for the eye. */
  examples: unknown[]
}

const TABLES = ['event_log', 'scenario_log'] as const

/**
 * Compares the rows of two archives (local folders) in all columns but `source_*`, which say where a row came from. An id
 * that was made from a position says that too, so of those only that they are such ids is compared.
 */
export async function compareArchives(first: string, second: string): Promise<ArchiveDifference[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const rowsOf = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson()
  const count = async (sql: string) => Number((await rowsOf(`SELECT count(*) AS n FROM (${sql})`))[0]?.n)
  try {
    return await Promise.all(
      TABLES.map(async table => {
        const files = (folder: string) => `read_parquet('${folder}/${table}/**/*.parquet', hive_partitioning = false)`
        const columns = (await rowsOf(`DESCRIBE SELECT * FROM ${files(first)}`))
          .map(row => String(row.column_name))
          .filter(name => !name.startsWith('source_') && name !== 'event_id')
        const select = (folder: string) =>
          `SELECT CASE WHEN event_id LIKE 'p-%' THEN 'p-…' ELSE event_id END AS event_id, ` +
          `${columns.map(name => `"${name}"`).join(', ')} FROM ${files(folder)}`
        const [a, b] = [select(first), select(second)]
        const only = [`${a} EXCEPT ALL ${b}`, `${b} EXCEPT ALL ${a}`] as const
        return {
          table,
          rows: [await count(a), await count(b)],
          onlyIn: [await count(only[0]), await count(only[1])],
          examples: [...(await rowsOf(`${only[0]} LIMIT 2`)), ...(await rowsOf(`${only[1]} LIMIT 2`))],
        } satisfies ArchiveDifference
      }),
    )
  } finally {
    connection.closeSync()
  }
}
