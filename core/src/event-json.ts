import type { Event } from './event.ts'
import { parseIsoDate } from './iso-date.ts'
import { JsonBytes } from './json-bytes.ts'
import { PlainEvent } from './plain-event.ts'
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

/** Appends the record of `event-log`, see above, in UTF-8. */
export function appendEvent(out: JsonBytes, event: Event): void {
  out.ascii('{"event_id":')
  out.text(event.eventId)
  if (event.scenarioId !== undefined) {
    out.ascii(',"scenario_id":')
    out.ascii(String(event.scenarioId))
  }
  if (event.siteId !== undefined) {
    out.ascii(',"site_id":')
    out.ascii(String(event.siteId))
  }
  out.ascii(',"date":')
  out.date(event.date)
  out.ascii(',"received_at":')
  out.date(event.receivedAt)
  if (event.visitorId !== undefined) {
    out.ascii(',"visitor_id":')
    out.text(event.visitorId)
  }
  if (event.memberId !== undefined) {
    out.ascii(',"member_id":')
    out.text(event.memberId)
  }
  out.ascii(',"ip":')
  out.text(event.ip)
  out.ascii(',"user_agent":')
  if (event instanceof PlainEvent) {
    event.appendAgent(out)
    out.ascii(',"params":[')
    event.appendParams(out)
  } else {
    out.text(event.userAgent)
    out.ascii(',"params":[')
    const { params } = event
    for (let i = 0; i < params.length; i++) {
      if (i > 0) out.ascii(',')
      out.text(params[i] as string)
    }
  }
  out.ascii(']}')
}

const scratch = new JsonBytes(4096)

/** The record of `event-log` as text; `decodeEvent` gives the event back. */
export function encodeEvent(event: Event): string {
  scratch.length = 0
  appendEvent(scratch, event)
  return scratch.toString()
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
