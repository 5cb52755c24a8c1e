/** What can go wrong in the processor, by code. `docs/reference/errors.md` lists the same codes (a test compares). */
export type ProcessorErrorCode =
  /** Another owner has written, or the store went back: read the position again and seek there. */
  | 'POSITION_MISMATCH'
  /** The scenario was saved by somebody else meanwhile: load it again. */
  | 'VERSION_OUTDATED'
  | 'SCENARIO_INVALID'
  | 'SCENARIO_ID_USED'
  | 'MEMBERS_INVALID'
  /** A file of ours carries a format number that this version does not know. */
  | 'FORMAT_UNKNOWN'
  /** A file of ours is damaged. */
  | 'STATE_DAMAGED'
  | 'STORE_UNAVAILABLE'
  /** A store answers, but is set up so that it could lose what it is given. */
  | 'STORE_MISCONFIGURED'
  /** The database's tables are not those that this version needs. */
  | 'SCHEMA_MISMATCH'
  | 'ARCHIVE_DAMAGED'
  /** No broker answers, or not as it should: an election, a restart, a network fault. */
  | 'KAFKA_UNAVAILABLE'
  | 'KAFKA_LOGIN_REFUSED'
  | 'KAFKA_TLS_REFUSED'
  /** An ACL is missing or denies. */
  | 'KAFKA_DENIED'
  /** Compressed with a codec that is not built in. */
  | 'KAFKA_UNREADABLE'
  | 'TOPIC_MISSING'
  /** A topic is not as the stages need it. */
  | 'TOPIC_UNFIT'
  /** A stored position lies behind the end of its log: the topic was made anew. */
  | 'POSITION_BEYOND_END'

/** An error with a code, whether trying again may help, and a sentence that ends with the value found. */
export class ProcessorError extends Error {
  readonly code: ProcessorErrorCode
  readonly retryable: boolean

  constructor(code: ProcessorErrorCode, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(`${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ProcessorError'
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
