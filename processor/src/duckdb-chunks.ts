import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api'

/**
 * The chunks of a streamed result, to its end. Throws when the query failed behind its first rows: a damaged page, a value that
 * cannot be converted, an interrupt.
 *
 * DuckDB's C API ends a stream in the same way when it is done and when it has failed (`duckdb_fetch_chunk`), and its Node
 * binding does not hand out the reason; only the type of the result turns invalid (`duckdb_result_return_type`).
 */
export async function* chunksOf(result: DuckDBResult): AsyncGenerator<DuckDBDataChunk> {
  const good = result.returnType
  for (;;) {
    const chunk = await result.fetchChunk()
    if (chunk === null || chunk.rowCount === 0) break
    yield chunk
  }
  if (result.returnType !== good)
    throw new Error(
      'the query failed behind its first rows, which DuckDB gives no reason for: a damaged file, a value that cannot be ' +
        'converted, or too little memory.',
    )
}
