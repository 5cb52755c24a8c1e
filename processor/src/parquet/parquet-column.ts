import type { ParquetType, SchemaElement } from 'hyparquet'
import { NumberColumn } from './number-column.ts'
import { TextColumn } from './text-column.ts'

/** Types a column can have: UTF-8 text, whole numbers, and Unix ms in UTC. */
export type ColumnType = 'text' | 'int32' | 'int64' | 'timestamp'

/** One column of a file: its schema, and its values until they are written. */
export class ParquetColumn {
  readonly name: string
  readonly type: ColumnType
  /** A required column has no nulls. */
  readonly required: boolean
  readonly values: TextColumn | NumberColumn

  constructor(name: string, type: ColumnType, required: boolean) {
    this.name = name
    this.type = type
    this.required = required
    this.values = type === 'text' ? new TextColumn() : new NumberColumn()
  }

  get physicalType(): ParquetType {
    if (this.type === 'text') return 'BYTE_ARRAY'
    return this.type === 'int32' ? 'INT32' : 'INT64'
  }

  /** The column in the file's schema, with the old annotation and the new one: Spark 2 reads only the old. */
  get schemaElement(): SchemaElement {
    const element: SchemaElement = {
      name: this.name,
      type: this.physicalType,
      repetition_type: this.required ? 'REQUIRED' : 'OPTIONAL',
    }
    if (this.type === 'text') return { ...element, converted_type: 'UTF8', logical_type: { type: 'STRING' } }
    if (this.type !== 'timestamp') return element
    return {
      ...element,
      converted_type: 'TIMESTAMP_MILLIS',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
    }
  }
}
