import { type ByteString, unescapeNginx } from './byte-string.ts'
import type { Rejection } from './event.ts'
import { parseFluentdRecord } from './fluentd-record.ts'
import { MAX_LINE_BYTES } from './limits.ts'
import { lineParts } from './line-parts.ts'
import type { LogRecord } from './log-record.ts'

const DASH = 0x2d
const OPEN_BRACE = 0x7b

const LINE_TOO_LONG: Rejection = { rejected: 'line_too_long' }

/** Minutes east of UTC of a Fluentd `date` without a zone: the seeds' configuration writes Korean time. */
const SEEDS_ZONE_OFFSET_MINUTES = 540

export interface ParseLogLineOptions {
  /** The zone of Fluentd times that name none, in minutes east of UTC. Default 540, the seeds'. */
  zoneOffsetMinutes?: number
}

/**
 * One line of an access log, without its newline, or one Fluentd record (first byte `{`), taken apart. Never throws, and
 * takes time in proportion to the length.
 *
 *     $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
 *
 * and after it nothing (`combined`), ` "$http_x_forwarded_for"` (`combined_xff`), or
 * ` "$http_x_forwarded_for" $request_id $msec "$request_body"` (`headwater`). NGINX escapes every `"` inside a variable, so
 * the first raw one opens `$request`, and the time is what stands right before it; `$remote_user` is whatever the client
 * sent and may hold spaces, brackets and ` - `.
 *
 * Rejections: `line_too_long` (over 1 MiB), `bad_time` (in place of the time stands something else), `bad_line` (all
 * else: cut or glued lines, other formats).
 */
export function parseLogLine(line: ByteString, options?: ParseLogLineOptions): LogRecord | Rejection {
  if (line.length > MAX_LINE_BYTES) return LINE_TOO_LONG
  if (line.charCodeAt(0) !== OPEN_BRACE) return parseAccessLine(line)
  const record = parseFluentdRecord(line, options?.zoneOffsetMinutes ?? SEEDS_ZONE_OFFSET_MINUTES)
  return 'line' in record ? parseAccessLine(record.line) : record
}

function parseAccessLine(line: ByteString): LogRecord | Rejection {
  const parts = lineParts(line)
  if ('rejected' in parts) return parts
  const { timeLocal, status, bodyBytesSent, msec } = parts
  return {
    remoteAddr: unescapeNginx(line.slice(0, parts.addrTo)),
    remoteUser: variable(line, parts.userFrom, parts.userTo),
    timeLocal,
    request: unescapeNginx(line.slice(parts.requestFrom, parts.requestTo)),
    status,
    bodyBytesSent,
    referer: variable(line, parts.refererFrom, parts.refererTo),
    userAgent: variable(line, parts.agentFrom, parts.agentTo),
    forwardedFor: variable(line, parts.forwardedFrom, parts.forwardedTo),
    requestId: variable(line, parts.requestIdFrom, parts.requestIdTo),
    msec,
    requestBody: variable(line, parts.bodyFrom, parts.bodyTo),
  }
}

/** A printed variable as raw bytes; `-` is a missing one. */
function variable(line: ByteString, from: number, to: number): ByteString | undefined {
  if (from < 0 || (to === from + 1 && line.charCodeAt(from) === DASH)) return undefined
  return unescapeNginx(line.slice(from, to))
}
