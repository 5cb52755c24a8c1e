import type { ByteString } from './byte-string.ts'
import type { LogFormat, LogRecord } from './log-record.ts'

/** The bytes NGINX would have written, without the newline. */
export function formatLogLine(_record: LogRecord, _format: LogFormat): ByteString {
  throw new Error('to come')
}
