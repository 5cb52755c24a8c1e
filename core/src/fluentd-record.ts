import { type ByteString, decodeUtf8, encodeUtf8, unescapeNginx } from './byte-string.ts'
import type { Rejection } from './event.ts'
import type { LogRecord } from './log-record.ts'
import { parseTimeLocal } from './time-local.ts'
import { parseZonedTime } from './zoned-time.ts'

/**
 * What Fluentd makes of a line, as one JSON object:
 *
 *     {"message":"<raw line>"}                                                         @type none, format json
 *     {"unmatched_line":"<raw line>"}                                                  a line that @type nginx does not know
 *     {"remote":"192.0.2.1","host":"-","user":"-","method":"GET","path":"/5?e_c=…","code":"204","size":"0",
 *      "referer":"-","agent":"…","http_x_forwarded_for":"-"}                            @type nginx
 *     {"path":"/5?e_c=…","date":"2025-06-18T12:50:10"}                                  the seeds' filter of it
 *
 * Other keys (`hostname`, `tag` …) are passed over. Fluentd leaves NGINX's `\xXX` as it is, so it is undone here.
 * A field that is missing is read as what the seeds' NGINX always wrote: method GET, code 204.
 * The time is `time` (kept by `keep_time_key`, or injected: `$time_local`, ISO 8601, or seconds or ms since 1970), else
 * `date`, else `timeLocal` is NaN: the record does not say.
 *
 * Gives the raw line of the first two shapes, for the caller to parse, or the record of the others.
 */
export function parseFluentdRecord(
  json: ByteString,
  zoneOffsetMinutes: number,
): { line: ByteString } | LogRecord | Rejection {
  let value: unknown
  try {
    value = JSON.parse(decodeUtf8(json))
  } catch {
    return { rejected: 'bad_line' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { rejected: 'bad_line' }
  const fields = value as Record<string, unknown>
  const message = ownText(fields, 'message') ?? ownText(fields, 'unmatched_line')
  if (message !== undefined) return { line: encodeUtf8(message) }

  const path = variable(fields, 'path')
  const method = variable(fields, 'method')
  if (path === undefined && method === undefined) return { rejected: 'bad_line' }
  const status = wholeNumber(fields, 'code', 204)
  const bodyBytesSent = wholeNumber(fields, 'size', 0)
  if (status === undefined || bodyBytesSent === undefined) return { rejected: 'bad_line' }
  const time = recordTime(fields, zoneOffsetMinutes)
  if (time === undefined) return { rejected: 'bad_time' }
  return {
    remoteAddr: variable(fields, 'remote') ?? '',
    remoteUser: variable(fields, 'user'),
    timeLocal: Number.isNaN(time) ? time : Math.floor(time / 1000) * 1000,
    // @type nginx drops the protocol. A request line that was garbage has a method and no path.
    request: path === undefined ? (method as string) : `${method ?? 'GET'} ${path}`,
    status,
    bodyBytesSent,
    referer: variable(fields, 'referer'),
    userAgent: variable(fields, 'agent'),
    forwardedFor: variable(fields, 'http_x_forwarded_for'),
    requestId: undefined,
    // A time finer than a second is the best there is.
    msec: Number.isNaN(time) || time % 1000 === 0 ? undefined : time,
    requestBody: undefined,
  }
}

/** Unix ms, NaN when the record has no time, `undefined` when it has one that nobody can read. */
function recordTime(fields: Record<string, unknown>, zoneOffsetMinutes: number): number | undefined {
  for (const key of ['time', 'date']) {
    const value = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (value === undefined || value === null) continue
    const ms =
      typeof value === 'number'
        ? numericTime(value)
        : typeof value === 'string'
          ? textTime(value, zoneOffsetMinutes)
          : Number.NaN
    return Number.isNaN(ms) ? undefined : ms
  }
  return Number.NaN
}

function textTime(text: string, zoneOffsetMinutes: number): number {
  const local = text.length === 26 ? parseTimeLocal(text, 0) : Number.NaN
  if (!Number.isNaN(local)) return local
  const zoned = parseZonedTime(text, zoneOffsetMinutes)
  if (!Number.isNaN(zoned)) return zoned
  return text.trim() === '' ? Number.NaN : numericTime(Number(text))
}

/** Seconds or milliseconds since 1970: no second of the years 1970–5138 looks like a millisecond after March 1973. */
function numericTime(value: number): number {
  if (!(value > 0 && value < 1e14)) return Number.NaN
  return Math.round(value < 1e11 ? value * 1000 : value)
}

function ownText(fields: Record<string, unknown>, key: string): string | undefined {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  return typeof value === 'string' ? value : undefined
}

/** A field as raw bytes; `undefined` when it is missing, or `-` as NGINX prints a missing variable. */
function variable(fields: Record<string, unknown>, key: string): ByteString | undefined {
  const text = ownText(fields, key)
  return text === undefined || text === '-' ? undefined : unescapeNginx(encodeUtf8(text))
}

function wholeNumber(fields: Record<string, unknown>, key: string, missing: number): number | undefined {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  if (value === undefined || value === null) return missing
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
