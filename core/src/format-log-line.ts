import { type ByteString, escapeNginx } from './byte-string.ts'
import type { LogFormat, LogRecord } from './log-record.ts'
import { formatTimeLocal } from './time-local.ts'

/**
 * The bytes NGINX would have written on a server whose zone is UTC, without the newline. `parseLogLine` gives the record
 * back, as far as the format has its fields. NGINX itself cannot tell a missing variable from one whose value is `-`.
 */
export function formatLogLine(record: LogRecord, format: LogFormat): ByteString {
  // NGINX pads the status: a request that ended without an answer is logged as 000, of HTTP/0.9 as 009.
  const status = String(record.status).padStart(3, '0')
  const combined = `${escapeNginx(record.remoteAddr)} - ${variable(record.remoteUser)} [${formatTimeLocal(record.timeLocal)}] "${escapeNginx(record.request)}" ${status} ${record.bodyBytesSent} "${variable(record.referer)}" "${variable(record.userAgent)}"`
  if (format === 'combined') return combined
  const forwarded = `${combined} "${variable(record.forwardedFor)}"`
  if (format === 'combined_xff') return forwarded
  return `${forwarded} ${variable(record.requestId)} ${formatMsec(record.msec)} "${variable(record.requestBody)}"`
}

function variable(value: ByteString | undefined): string {
  return value === undefined ? '-' : escapeNginx(value)
}

/** `$msec`: seconds with three decimals. */
function formatMsec(unixMs: number | undefined): string {
  if (unixMs === undefined) return '-'
  const whole = Math.floor(unixMs)
  const seconds = Math.floor(whole / 1000)
  return `${seconds}.${String(whole - seconds * 1000).padStart(3, '0')}`
}
