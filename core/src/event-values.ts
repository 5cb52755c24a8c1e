import { HEX_VALUE } from './byte-string.ts'
import { hashEventId } from './event-id.ts'
import { MAX_EVENT_ID_BYTES } from './limits.ts'
import { cutToUtf8Bytes } from './utf8.ts'

/*
 * What an event takes from the values of its own parameters.
 */

/** Seconds; the browser's queue keeps nothing longer. */
const MAX_CLIENT_DELAY = 86_400
const VISITOR_ID_LENGTH = 16

/**
 * `hw_id`; else `$request_id-<index in the bulk>`; else `p-<source>-<position>`, in a bulk `-<index>` behind it from the
 * second event on. An id of more than 64 bytes is `h-` and its hash. `ownId` is '' when the event brings none.
 */
export function eventIdOf(
  ownId: string,
  index: number,
  requestId: string | undefined,
  source: string,
  position: number,
): string {
  if (ownId !== '') {
    // A page may not take the ids of lines to come: theirs can be foreseen.
    const foreseeable = ownId.charCodeAt(0) === 0x70 && ownId.startsWith(`p-${source}-`)
    return foreseeable ? hashedId(ownId) : withinLimit(ownId)
  }
  if (requestId !== undefined && requestId !== '') return withinLimit(`${requestId}-${index}`)
  return withinLimit(`p-${source}-${position}${index === 0 ? '' : `-${index}`}`)
}

function withinLimit(id: string): string {
  if (id.length * 3 <= MAX_EVENT_ID_BYTES || cutToUtf8Bytes(id, MAX_EVENT_ID_BYTES) === id) return id
  return hashedId(id)
}

const hash = new Uint32Array(2)

/** `h-` and 128 bits, so that ids which differ stay apart. */
function hashedId(id: string): string {
  hashEventId(id, hash)
  const first = hexHash()
  hashEventId(`+${id}`, hash)
  return `h-${first}${hexHash()}`
}

function hexHash(): string {
  return (hash[0] as number).toString(16).padStart(8, '0') + (hash[1] as number).toString(16).padStart(8, '0')
}

/** The visitor of `_id`: 16 hex digits, in lower case; anything else is no visitor. */
export function visitorIdOf(value: string): string | undefined {
  if (value.length !== VISITOR_ID_LENGTH) return undefined
  let upper = false
  for (let i = 0; i < VISITOR_ID_LENGTH; i++) {
    const code = value.charCodeAt(i)
    if ((HEX_VALUE[code] ?? -1) < 0) return undefined
    if (code >= 0x41 && code <= 0x46) upper = true
  }
  return upper ? value.toLowerCase() : value
}

/** The site of `idsite`: a whole number of at most 9 digits. */
export function siteIdOf(value: string): number | undefined {
  return value.length <= 9 && isDigits(value) ? Number(value) : undefined
}

/** `cdo` in milliseconds; 0 when it is no number of seconds between 0 and a day, as no honest client sends that. */
export function clientDelayMs(value: string): number {
  if (value.length > 12) return 0
  const dot = value.indexOf('.')
  const decimal = dot < 0 ? isDigits(value) : isDigits(value.slice(0, dot)) && isDigits(value.slice(dot + 1))
  const seconds = decimal ? Number(value) : 0
  return seconds <= MAX_CLIENT_DELAY ? Math.round(seconds * 1000) : 0
}

/** Whether `text` is one or more digits. */
function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x30 || code > 0x39) return false
  }
  return text.length > 0
}
