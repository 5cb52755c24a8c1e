/**
 * A record of a log that is not what its writer would have written: not JSON, or a field is missing or of another type.
 * Reading it again gives the same, so it is never retryable.
 */
export class RecordError extends Error {
  readonly code = 'BAD_RECORD'
  readonly retryable = false

  /** `expected` says what should stand there, `found` is the record, shown by its first 200 characters. */
  constructor(expected: string, found: string) {
    super(`BAD_RECORD: ${expected}. Found: ${found.slice(0, 200)}`)
    this.name = 'RecordError'
  }
}

/** The object that a record's JSON holds. Throws `RecordError` when it holds none. */
export function parseRecord(json: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new RecordError('a record is one JSON object', json)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RecordError('a record is one JSON object', json)
  }
  return value as Record<string, unknown>
}
