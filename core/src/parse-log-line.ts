import type { ByteString } from './byte-string.ts'
import type { Rejection } from './event.ts'
import type { LogRecord } from './log-record.ts'

export function parseLogLine(_line: ByteString): LogRecord | Rejection {
  throw new Error('to come')
}
