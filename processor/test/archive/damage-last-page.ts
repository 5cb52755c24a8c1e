import { readFile, writeFile } from 'node:fs/promises'
import { parquetMetadata } from 'hyparquet'

/** Overwrites the end of a column's last page, as a bad disk would: the footer and the rows before are good. */
export async function damageLastPage(file: string, column: string): Promise<void> {
  const bytes = await readFile(file)
  const { row_groups } = parquetMetadata(new Uint8Array(bytes).buffer, { geoparquet: false })
  const chunk = row_groups.at(-1)?.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === column)?.meta_data
  if (chunk === undefined) throw new Error(`There is no column ${column} in ${file}.`)
  const end = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset) + Number(chunk.total_compressed_size)
  await writeFile(file, bytes.fill(0xff, end - 2000, end))
}
