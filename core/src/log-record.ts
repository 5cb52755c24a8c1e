import type { ByteString } from './byte-string.ts'

/**
 * One access-log line taken apart; the fields hold raw bytes, NGINX's `\xXX` already undone.
 * Field names follow NGINX's variables (`$remote_addr` …). `undefined` is a variable NGINX prints as `-`.
 */
export interface LogRecord {
  remoteAddr: ByteString
  remoteUser: ByteString | undefined
  /** `$time_local` as Unix ms (whole seconds). */
  timeLocal: number
  /** `$request`: `METHOD target HTTP/x`, as the client sent it; may be empty or garbage. */
  request: ByteString
  status: number
  bodyBytesSent: number
  referer: ByteString | undefined
  userAgent: ByteString | undefined
  /** Absent in format `combined`. */
  forwardedFor: ByteString | undefined
  /** 32 hex digits; only in format `headwater`. */
  requestId: string | undefined
  /** `$msec` as Unix ms; only in format `headwater`. */
  msec: number | undefined
  /** `$request_body`; only in format `headwater`. */
  requestBody: ByteString | undefined
}

/** `combined` is NGINX's own; `combined_xff` adds the quoted X-Forwarded-For; `headwater` adds id, msec and body too. */
export type LogFormat = 'combined' | 'combined_xff' | 'headwater'
