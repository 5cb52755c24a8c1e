import type { Event } from './event.ts'
import { isoDate, parseIsoDate } from './iso-date.ts'
import { parseRecord, RecordError } from './record-error.ts'

/*
 * The record of `event-log`, one JSON text without newlines:
 *
 *   {"event_id":"…","scenario_id":5,"site_id":1,"date":"2025-06-18T03:50:10.123Z","received_at":"…","visitor_id":"…",
 *    "member_id":"…","ip":"…","user_agent":"…","params":["e_c","buttonClick","e_a","Clicked", …]}
 *
 * `scenario_id`, `site_id`, `visitor_id` and `member_id` are left out when the event has none. `params` is the flat list
 * of names and values, not an object: repeated names, their order and names such as `__proto__` or `1` stay as they came.
 */

/** The record of `event-log`: one JSON text, see above. `decodeEvent` gives the event back. */
export function encodeEvent(event: Event): string {
  let json = `{"event_id":${JSON.stringify(event.eventId)}`
  if (event.scenarioId !== undefined) json += `,"scenario_id":${event.scenarioId}`
  if (event.siteId !== undefined) json += `,"site_id":${event.siteId}`
  json += `,"date":"${isoDate(event.date)}","received_at":"${isoDate(event.receivedAt)}"`
  if (event.visitorId !== undefined) json += `,"visitor_id":${JSON.stringify(event.visitorId)}`
  if (event.memberId !== undefined) json += `,"member_id":${JSON.stringify(event.memberId)}`
  return `${json},"ip":${JSON.stringify(event.ip)},"user_agent":${JSON.stringify(event.userAgent)},"params":${JSON.stringify(event.params)}}`
}

/** The event of an `event-log` record. Throws `RecordError` (BAD_RECORD) when it is none. */
export function decodeEvent(json: string): Event {
  const record = parseRecord(json)
  const { event_id, scenario_id, site_id, visitor_id, member_id, ip, user_agent, params } = record
  const date = typeof record.date === 'string' ? parseIsoDate(record.date) : Number.NaN
  const receivedAt = typeof record.received_at === 'string' ? parseIsoDate(record.received_at) : Number.NaN
  if (
    typeof event_id !== 'string' ||
    !isOptional(scenario_id, 'number') ||
    !isOptional(site_id, 'number') ||
    Number.isNaN(date) ||
    Number.isNaN(receivedAt) ||
    !isOptional(visitor_id, 'string') ||
    !isOptional(member_id, 'string') ||
    typeof ip !== 'string' ||
    typeof user_agent !== 'string' ||
    !isParams(params)
  ) {
    throw new RecordError(
      'an event-log record has event_id, date, received_at, ip, user_agent and params (an even list of texts)',
      json,
    )
  }
  return {
    eventId: event_id,
    scenarioId: scenario_id as number | undefined,
    siteId: site_id as number | undefined,
    receivedAt,
    date,
    visitorId: visitor_id as string | undefined,
    memberId: member_id as string | undefined,
    ip,
    userAgent: user_agent,
    params,
  }
}

function isOptional(value: unknown, type: 'number' | 'string'): boolean {
  return value === undefined || typeof value === type
}

function isParams(value: unknown): value is string[] {
  if (!Array.isArray(value) || value.length % 2 !== 0) return false
  for (let i = 0; i < value.length; i++) if (typeof value[i] !== 'string') return false
  return true
}
