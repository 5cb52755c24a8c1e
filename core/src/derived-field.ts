import type { Event } from './event.ts'
import { MEMBER_ID } from './names.ts'
import { eventParam } from './plain-event.ts'
import { decodePercent, queryValue, urlParts } from './url-parts.ts'
import { recognizeUserAgent } from './user-agent.ts'
import type { ZoneClock } from './zone-clock.ts'

/** How a derived value is found. `key` tells two of them apart: `h` of Seoul is not `h` of Berlin. */
export interface DerivedField {
  key: string
  of(event: Event): string | undefined
}

/** The names of derived values; `query.<name>` is one too. They win over event parameters of the same name. */
export const DERIVED_NAMES: readonly string[] = [
  'h',
  'weekday',
  'host',
  'path',
  'ref_host',
  'browser',
  'os',
  'device',
  'bot',
  MEMBER_ID,
]

const QUERY_PREFIX = 'query.'
const NUMBERS = Array.from({ length: 24 }, (_, n) => String(n))

/**
 * The derived value of a name, or `undefined` when the name is none. All are text:
 *
 * - `h` 0–23: the parameter `h` when it is a whole number 0–23, else the hour of `date` in the zone
 * - `weekday` 1 (Monday) – 7, of `date` in the zone
 * - `host` of `url` and `ref_host` of `urlref`, lower case, without port; `path` of `url`, percent-decoded
 * - `query.<name>`: a parameter of the page address `url`, decoded
 * - `browser`, `os`, `device` as `UserAgent` has them, and `bot`: `true` or `false`
 * - `memberId`: the parameter, else `uid`
 */
export function derivedField(name: string, clock: ZoneClock): DerivedField | undefined {
  switch (name) {
    case 'h':
      return { key: `h ${clock.timezone}`, of: event => hour(event, clock) }
    case 'weekday':
      return { key: `weekday ${clock.timezone}`, of: event => NUMBERS[clock.weekday(event.date)] }
    case 'host':
      return { key: name, of: event => hostOf(event, 'url') }
    case 'ref_host':
      return { key: name, of: event => hostOf(event, 'urlref') }
    case 'path':
      return { key: name, of: pathOf }
    case 'browser':
      return { key: name, of: event => recognizeUserAgent(event.userAgent).browser }
    case 'os':
      return { key: name, of: event => recognizeUserAgent(event.userAgent).os }
    case 'device':
      return { key: name, of: event => recognizeUserAgent(event.userAgent).device }
    case 'bot':
      return { key: name, of: event => String(recognizeUserAgent(event.userAgent).bot) }
    case MEMBER_ID:
      return { key: name, of: event => event.memberId ?? eventParam(event, MEMBER_ID) }
  }
  if (!name.startsWith(QUERY_PREFIX) || name.length === QUERY_PREFIX.length) return undefined
  const wanted = name.slice(QUERY_PREFIX.length)
  return {
    key: name,
    of(event) {
      const url = eventParam(event, 'url')
      return url === undefined ? undefined : queryValue(urlParts(url).query, wanted)
    },
  }
}

function hour(event: Event, clock: ZoneClock): string | undefined {
  const param = eventParam(event, 'h')
  return (param === undefined ? undefined : hourText(param)) ?? NUMBERS[clock.hour(event.date)]
}

/** `4`, `04` and `23` are hours; Matomo sends them without the zero. The hour without a leading zero. */
function hourText(text: string): string | undefined {
  if (text.length < 1 || text.length > 2) return undefined
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x30 || code > 0x39) return undefined
  }
  return NUMBERS[Number(text)]
}

function hostOf(event: Event, name: string): string | undefined {
  const url = eventParam(event, name)
  return url === undefined ? undefined : urlParts(url).host
}

function pathOf(event: Event): string | undefined {
  const url = eventParam(event, 'url')
  const path = url === undefined ? undefined : urlParts(url).path
  return path === undefined ? undefined : decodePercent(path)
}
