import type { Event } from '@headwater/core'

/** The parameters that have a column of their own, of the same name. */
const TRACKED_PARAMS = ['e_c', 'e_a', 'e_n', 'e_v', 'url', 'urlref', 'action_name', '_idn', 'cookie', 'res'] as const

/** The text columns of `event_log` that an event is made of. */
export const ARCHIVED_TEXTS = [
  'event_id',
  'visitor_id',
  'member_id',
  'ip',
  'user_agent',
  ...TRACKED_PARAMS,
  'params',
] as const

/** A row of `event_log`, as `archive.md` describes it: what an event is made of again. */
export interface ArchivedEvent {
  scenarioId: number | null
  siteId: number | null
  /** Unix ms. */
  date: number
  receivedAt: number
  /** Values of `ARCHIVED_TEXTS`, in their order. */
  texts: readonly (string | null)[]
}

const FIRST_TRACKED = ARCHIVED_TEXTS.indexOf('e_c')
const PARAMS = ARCHIVED_TEXTS.indexOf('params')

/**
 * The event that was archived as this row: every scenario judges it as it judged the event itself. What the archive does
 * not keep, and what stands here instead:
 *
 * - the order of the parameters: those with a column come first
 * - of a repeated name, all but the last value, which is the one that counts
 * - whether `memberId`, `idsite` and `hw_id` stood in the request when they would say what the column says: they are
 *   taken to have stood there, save an event id that only an edge makes, and a member that `uid` names. So only two
 *   things can differ: `event.memberId` where `uid` says the same, and `idsite` of an `/ingest` request without one.
 *
 * Throws a SyntaxError when `params` is not a JSON object of texts.
 */
export function eventOfRow({ scenarioId, siteId, date, receivedAt, texts }: ArchivedEvent): Event {
  const [eventId, visitorId, memberId, ip, userAgent] = texts as [string, string | null, string | null, string, string]
  const params: string[] = []
  for (let i = FIRST_TRACKED; i < PARAMS; i++) {
    const value = texts[i] as string | null
    if (value !== null) params.push(ARCHIVED_TEXTS[i] as string, value)
  }
  let own = 0
  let userId: string | undefined
  const json = texts[PARAMS] as string | null
  if (json !== null) {
    const from = params.length
    appendJsonTexts(params, json)
    for (let i = from; i < params.length; i += 2) {
      const name = params[i] as string
      if (name === '_id') own |= 1
      else if (name === 'memberId') own |= 2
      else if (name === 'idsite') own |= 4
      else if (name === 'hw_id') own |= 8
      else if (name === 'uid') userId = params[i + 1]
    }
  }
  if (visitorId !== null && (own & 1) === 0) params.push('_id', visitorId)
  if (memberId !== null && (own & 2) === 0 && userId !== memberId) params.push('memberId', memberId)
  if (siteId !== null && (own & 4) === 0) params.push('idsite', String(siteId))
  if ((own & 8) === 0 && !isMadeByEdge(eventId)) params.push('hw_id', eventId)
  return {
    eventId,
    scenarioId: scenarioId ?? undefined,
    siteId: siteId ?? undefined,
    receivedAt,
    date,
    visitorId: visitorId ?? undefined,
    memberId: memberId ?? undefined,
    ip,
    userAgent,
    params,
  }
}

/** `$request_id-<index>` or `p-<source>-<position>`, see `Event.eventId`. A hashed id (`h-`) leaves its `hw_id` in `params`. */
function isMadeByEdge(eventId: string): boolean {
  return eventId.startsWith('p-') || eventId.startsWith('h-') || /^[0-9a-f]{32}-\d{1,3}$/.test(eventId)
}

/**
 * Appends names and values of `{"name":"value",…}` as the archive writes it: without white space. Texts without a
 * backslash, nearly all, are cut out: measured twice as fast as JSON.parse and `Object.keys`. The rest goes to JSON.parse.
 */
function appendJsonTexts(params: string[], json: string): void {
  const length = params.length
  if (!json.includes('\\') && json.startsWith('{"')) {
    let at = 1
    while (json.charCodeAt(at) === QUOTE) {
      const nameEnd = json.indexOf('"', at + 1)
      if (json.charCodeAt(nameEnd + 1) !== COLON || json.charCodeAt(nameEnd + 2) !== QUOTE) break
      const valueEnd = json.indexOf('"', nameEnd + 3)
      if (valueEnd < 0) break
      params.push(json.slice(at + 1, nameEnd), json.slice(nameEnd + 3, valueEnd))
      if (valueEnd + 2 === json.length && json.charCodeAt(valueEnd + 1) === CLOSE_BRACE) return
      if (json.charCodeAt(valueEnd + 1) !== COMMA) break
      at = valueEnd + 2
    }
    params.length = length
  }
  const object: unknown = JSON.parse(json)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) throw new SyntaxError('no JSON object')
  for (const [name, value] of Object.entries(object)) {
    if (typeof value !== 'string') throw new SyntaxError(`a value that is no text: ${JSON.stringify(value)}`)
    params.push(name, value)
  }
}

const QUOTE = 0x22
const COLON = 0x3a
const COMMA = 0x2c
const CLOSE_BRACE = 0x7d
