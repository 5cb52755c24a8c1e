import {
  DuckDBArrayValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  type DuckDBValue,
} from '@duckdb/node-api'

/** A value of a query's answer as JSON can hold it. */
export type QueryValue = string | number | boolean | null | QueryValue[] | { [name: string]: QueryValue }

/**
 * DuckDB's value as JSON: times as ISO 8601 in UTC (`2025-06-18T03:50:10.123Z`), whole numbers and decimals as numbers
 * while a double holds them exactly and as texts beyond, NaN and infinities as texts, lists and structs as they are, all
 * else as DuckDB writes it.
 */
export function queryValue(value: DuckDBValue): QueryValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return wholeNumber(value)
    default:
      return value === null || value === undefined ? null : objectValue(value)
  }
}

function objectValue(value: object & DuckDBValue): QueryValue {
  if (value instanceof DuckDBTimestampTZValue) return isoTime(value)
  if (value instanceof DuckDBDecimalValue) {
    const text = value.toString()
    return text.replace(/[-.]/g, '').length <= 15 ? Number(text) : text
  }
  if (value instanceof DuckDBDateValue) return value.toString()
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(queryValue)
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, item]) => [name, queryValue(item)]))
  }
  if (value instanceof DuckDBMapValue) {
    return value.entries.map(entry => ({ key: queryValue(entry.key), value: queryValue(entry.value) }))
  }
  return String(value)
}

function wholeNumber(value: bigint): number | string {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value)
}

/** Years beyond what `Date` knows, and DuckDB's infinities, stay as DuckDB writes them. */
function isoTime(value: DuckDBTimestampTZValue): string {
  const ms = value.micros / 1000n
  const micros = Number(value.micros % 1000n)
  if (micros < 0 || ms > 8_640_000_000_000_000n || ms < -8_640_000_000_000_000n) return value.toString()
  const iso = new Date(Number(ms)).toISOString()
  return micros === 0 ? iso : `${iso.slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}
