import type { SchemaElement } from 'hyparquet'
import { ProcessorError } from '../errors.ts'
import { type ColumnType, ParquetColumn } from '../parquet/parquet-column.ts'
import type { ParquetFooter } from '../parquet/read-footer.ts'

/**
 * Empty columns as the file has them, whatever version of Headwater wrote it. Throws ARCHIVE_DAMAGED for a schema that none of
 * ours has.
 */
export function footerColumns(path: string, footer: ParquetFooter): ParquetColumn[] {
  return footer.file.schema.slice(1).map(element => {
    const type = typeOf(element)
    if (type === undefined || element.repetition_type === 'REPEATED')
      throw new ProcessorError(
        'ARCHIVE_DAMAGED',
        `${path} has a column that no archive file has. Found: ${element.name}, ${element.type ?? 'a group'}.`,
      )
    return new ParquetColumn(element.name, type, element.repetition_type === 'REQUIRED')
  })
}

/** The columns that the file's rows are sorted by, as indexes. */
export function footerSortedBy(footer: ParquetFooter): number[] {
  return (footer.file.row_groups[0]?.sorting_columns ?? []).map(({ column_idx }) => column_idx)
}

function typeOf({ type, converted_type }: SchemaElement): ColumnType | undefined {
  if (type === 'BYTE_ARRAY' && converted_type === 'UTF8') return 'text'
  if (type === 'INT32' && converted_type === undefined) return 'int32'
  if (type !== 'INT64') return undefined
  if (converted_type === 'TIMESTAMP_MILLIS') return 'timestamp'
  return converted_type === undefined ? 'int64' : undefined
}
