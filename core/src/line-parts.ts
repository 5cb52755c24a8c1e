import type { ByteString } from './byte-string.ts'
import type { Rejection } from './event.ts'
import { parseTimeLocal, TIME_LOCAL_LENGTH } from './time-local.ts'

const SPACE = 0x20
const QUOTE = 0x22
const DOT = 0x2e
const DASH = 0x2d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

const BAD_LINE: Rejection = { rejected: 'bad_line' }
const BAD_TIME: Rejection = { rejected: 'bad_time' }

/**
 * Where the variables of an access line stand: `from` is the first character, `to` behind the last one, without quotes.
 * `$remote_addr` begins the line. What the line's format does not have is −1 at both ends.
 */
export interface LineParts {
  addrTo: number
  userFrom: number
  userTo: number
  /** `$time_local` as Unix ms. */
  timeLocal: number
  requestFrom: number
  requestTo: number
  status: number
  bodyBytesSent: number
  refererFrom: number
  refererTo: number
  agentFrom: number
  agentTo: number
  forwardedFrom: number
  forwardedTo: number
  requestIdFrom: number
  requestIdTo: number
  /** `$msec` as Unix ms. */
  msec: number | undefined
  bodyFrom: number
  bodyTo: number
}

/** Takes an access line apart without making any text of it; `parseLogLine` says what is read and what is rejected. */
export function lineParts(line: ByteString): LineParts | Rejection {
  const requestOpen = line.indexOf('"')
  if (requestOpen < 0) return BAD_LINE
  const time = requestOpen - TIME_LOCAL_LENGTH - 2
  const addrTo = line.indexOf(' - ')
  if (addrTo < 0 || addrTo > requestOpen) return BAD_LINE
  if (line.charCodeAt(requestOpen - 1) !== SPACE || line.charCodeAt(requestOpen - 2) !== CLOSE_BRACKET) return BAD_LINE
  if (line.charCodeAt(time - 1) !== OPEN_BRACKET) return BAD_TIME
  const userFrom = addrTo + 3
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

  let forwardedFrom = -1
  let forwardedTo = -1
  let requestIdFrom = -1
  let requestIdTo = -1
  let msec: number | undefined
  let bodyFrom = -1
  let bodyTo = -1
  if (agentClose + 1 < line.length) {
    if (line.charCodeAt(agentClose + 1) !== SPACE || line.charCodeAt(agentClose + 2) !== QUOTE) return BAD_LINE
    forwardedFrom = agentClose + 3
    forwardedTo = line.indexOf('"', forwardedFrom)
    if (forwardedTo < 0) return BAD_LINE
    if (forwardedTo + 1 < line.length) {
      if (line.charCodeAt(forwardedTo + 1) !== SPACE) return BAD_LINE
      requestIdFrom = forwardedTo + 2
      requestIdTo = line.indexOf(' ', requestIdFrom)
      if (requestIdTo < 0) return BAD_LINE
      const msecEnd = line.indexOf(' ', requestIdTo + 1)
      if (msecEnd < 0 || line.charCodeAt(msecEnd + 1) !== QUOTE) return BAD_LINE
      if (msecEnd !== requestIdTo + 2 || line.charCodeAt(requestIdTo + 1) !== DASH) {
        msec = unixMs(line, requestIdTo + 1, msecEnd)
        if (msec < 0) return BAD_TIME
      }
      // The body's closing quote must end the line: whatever follows it was glued on.
      bodyFrom = msecEnd + 2
      bodyTo = line.indexOf('"', bodyFrom)
      if (bodyTo !== line.length - 1) return BAD_LINE
    }
  }

  const timeLocal = parseTimeLocal(line, time)
  if (Number.isNaN(timeLocal)) return BAD_TIME
  return {
    addrTo,
    userFrom,
    userTo,
    timeLocal,
    requestFrom: requestOpen + 1,
    requestTo: requestClose,
    status,
    bodyBytesSent,
    refererFrom: bytesEnd + 2,
    refererTo: refererClose,
    agentFrom: refererClose + 3,
    agentTo: agentClose,
    forwardedFrom,
    forwardedTo,
    requestIdFrom,
    requestIdTo,
    msec,
    bodyFrom,
    bodyTo,
  }
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
