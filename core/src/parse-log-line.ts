import { type ByteString, unescapeNginx } from './byte-string.ts'
import type { Rejection } from './event.ts'
import { parseFluentdRecord } from './fluentd-record.ts'
import { MAX_LINE_BYTES } from './limits.ts'
import type { LogRecord } from './log-record.ts'
import { parseTimeLocal, TIME_LOCAL_LENGTH } from './time-local.ts'

const SPACE = 0x20
const QUOTE = 0x22
const DOT = 0x2e
const DASH = 0x2d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b

const BAD_LINE: Rejection = { rejected: 'bad_line' }
const BAD_TIME: Rejection = { rejected: 'bad_time' }
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
  const requestOpen = line.indexOf('"')
  if (requestOpen < 0) return BAD_LINE
  const time = requestOpen - TIME_LOCAL_LENGTH - 2
  const addrEnd = line.indexOf(' - ')
  if (addrEnd < 0 || addrEnd > requestOpen) return BAD_LINE
  if (line.charCodeAt(requestOpen - 1) !== SPACE || line.charCodeAt(requestOpen - 2) !== CLOSE_BRACKET) return BAD_LINE
  if (line.charCodeAt(time - 1) !== OPEN_BRACKET) return BAD_TIME
  const userFrom = addrEnd + 3
  const userTo = time - 2
  if (userTo < userFrom || line.charCodeAt(userTo) !== SPACE) return BAD_LINE

  const requestClose = line.indexOf('"', requestOpen + 1)
  if (requestClose < 0 || line.charCodeAt(requestClose + 1) !== SPACE) return BAD_LINE
  const statusEnd = line.indexOf(' ', requestClose + 2)
  if (statusEnd < 0) return BAD_LINE
  const status = digits(line, requestClose + 2, statusEnd, 3)
  const bytesEnd = line.indexOf(' ', statusEnd + 1)
  if (bytesEnd < 0) return BAD_LINE
  const bodyBytesSent = digits(line, statusEnd + 1, bytesEnd, 15)
  if (status < 0 || bodyBytesSent < 0) return BAD_LINE

  if (line.charCodeAt(bytesEnd + 1) !== QUOTE) return BAD_LINE
  const refererClose = line.indexOf('"', bytesEnd + 2)
  if (refererClose < 0 || line.charCodeAt(refererClose + 1) !== SPACE || line.charCodeAt(refererClose + 2) !== QUOTE)
    return BAD_LINE
  const agentClose = line.indexOf('"', refererClose + 3)
  if (agentClose < 0) return BAD_LINE

  let forwardedFor: ByteString | undefined
  let requestId: string | undefined
  let msec: number | undefined
  let requestBody: ByteString | undefined
  if (agentClose + 1 < line.length) {
    if (line.charCodeAt(agentClose + 1) !== SPACE || line.charCodeAt(agentClose + 2) !== QUOTE) return BAD_LINE
    const forwardedClose = line.indexOf('"', agentClose + 3)
    if (forwardedClose < 0) return BAD_LINE
    forwardedFor = variable(line, agentClose + 3, forwardedClose)
    if (forwardedClose + 1 < line.length) {
      if (line.charCodeAt(forwardedClose + 1) !== SPACE) return BAD_LINE
      const idEnd = line.indexOf(' ', forwardedClose + 2)
      if (idEnd < 0) return BAD_LINE
      requestId = variable(line, forwardedClose + 2, idEnd)
      const msecEnd = line.indexOf(' ', idEnd + 1)
      if (msecEnd < 0 || line.charCodeAt(msecEnd + 1) !== QUOTE) return BAD_LINE
      if (msecEnd !== idEnd + 2 || line.charCodeAt(idEnd + 1) !== DASH) {
        msec = unixMs(line, idEnd + 1, msecEnd)
        if (msec < 0) return BAD_TIME
      }
      // The body's closing quote must end the line: whatever follows it was glued on.
      const bodyClose = line.indexOf('"', msecEnd + 2)
      if (bodyClose !== line.length - 1) return BAD_LINE
      requestBody = variable(line, msecEnd + 2, bodyClose)
    }
  }

  const timeLocal = parseTimeLocal(line, time)
  if (Number.isNaN(timeLocal)) return BAD_TIME
  return {
    remoteAddr: unescapeNginx(line.slice(0, addrEnd)),
    remoteUser: variable(line, userFrom, userTo),
    timeLocal,
    request: unescapeNginx(line.slice(requestOpen + 1, requestClose)),
    status,
    bodyBytesSent,
    referer: variable(line, bytesEnd + 2, refererClose),
    userAgent: variable(line, refererClose + 3, agentClose),
    forwardedFor,
    requestId,
    msec,
    requestBody,
  }
}

/** A printed variable as raw bytes; `-` is a missing one. */
function variable(line: ByteString, from: number, to: number): ByteString | undefined {
  if (to === from + 1 && line.charCodeAt(from) === DASH) return undefined
  return unescapeNginx(line.slice(from, to))
}

/** The number that the digits from `from` to `to` mean, or −1 when they are not 1 to `atMost` digits. */
function digits(line: ByteString, from: number, to: number, atMost: number): number {
  if (to <= from || to - from > atMost) return -1
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = line.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** `$msec` (`1763806920.123`) as Unix ms, or −1. */
function unixMs(line: ByteString, from: number, to: number): number {
  if (line.charCodeAt(to - 4) !== DOT) return -1
  const seconds = digits(line, from, to - 4, 12)
  const millis = digits(line, to - 3, to, 3)
  return seconds < 0 || millis < 0 ? -1 : seconds * 1000 + millis
}
