import { beaconParams } from './beacon-body.ts'
import { beaconTarget } from './beacon-target.ts'
import { decodeUtf8 } from './byte-string.ts'
import type { Event, Rejection } from './event.ts'
import { clientDelayMs, eventIdOf, siteIdOf, visitorIdOf } from './event-values.ts'
import type { LogRecord } from './log-record.ts'
import { BAD_BODY as BAD_BODY_PARAM, CLIENT_DELAY, EVENT_ID, MEMBER_ID, SITE_ID, USER_ID, VISITOR_ID } from './names.ts'
import { pageOrigin } from './page-origin.ts'
import type { Params } from './params.ts'

/** Where a line comes from, and what it does not say itself. */
export interface EventOrigin {
  /** Names the source in position-made ids. */
  source: string
  position: number
  /** The site of `/ingest` requests without `idsite`. */
  ingestSiteId: number
  /** When the line came, Unix ms: the time of a Fluentd record that has none. Without it such a record is `bad_time`. */
  arrivedAt?: number
}

const NOT_A_BEACON: Rejection = { rejected: 'not_a_beacon' }
const BAD_TIME: Rejection = { rejected: 'bad_time' }
const BAD_BODY: Rejection = { rejected: 'bad_body' }
const NOT_JSON: Rejection = { rejected: 'not_json' }
const NO_TARGET: Rejection = { rejected: 'no_target' }

/**
 * The events of one request, in their order, or why there are none. An item of a bulk that is no event stands in the list
 * as a rejection: `no_target` in its place, items that cannot be read behind all events.
 *
 * Events are GET and POST on beacon paths (`/ingest`: POST) with status 2xx or 304, and 499: the request was complete, the client
 * gone before the answer, as it is when a page is left. All else is `not_a_beacon`.
 */
export function eventsOf(record: LogRecord, origin: EventOrigin): (Event | Rejection)[] | Rejection {
  const { request, status } = record
  if ((status < 200 || status > 299) && status !== 304 && status !== 499) return NOT_A_BEACON
  const post = request.startsWith('POST ')
  if (!post && !request.startsWith('GET ')) return NOT_A_BEACON
  // `METHOD target HTTP/x`; the record of Fluentd has no protocol, and what an old NGINX takes may have spaces in it.
  let from = post ? 5 : 4
  let end = request.lastIndexOf(' ')
  if (end < from || !request.startsWith('HTTP/', end + 1)) end = request.length
  if (request.charCodeAt(from) !== 0x2f) from = pathOfAbsoluteForm(request, from, end)
  let pathEnd = request.indexOf('?', from)
  if (pathEnd < 0 || pathEnd > end) pathEnd = end
  const target = beaconTarget(request.slice(from, pathEnd))
  if (target === undefined || (target.kind === 'ingest' && !post)) return NOT_A_BEACON

  const receivedAt = record.msec ?? (Number.isNaN(record.timeLocal) ? origin.arrivedAt : record.timeLocal)
  if (receivedAt === undefined) return BAD_TIME

  const query = pathEnd < end ? request.slice(pathEnd + 1, end) : ''
  const body = post ? (record.requestBody ?? '') : ''
  const page = target.kind === 'ingest' ? pageOrigin(undefined, record.referer) : undefined
  const beacon = beaconParams(target, query, body, page)
  if ('rejected' in beacon) return beacon
  // A bulk of more events than any edge of ours takes.
  if (beacon.events.length + beacon.invalidItems.length === 0) return BAD_BODY

  const common: Surroundings = {
    record,
    origin,
    badBody: target.kind === 'ingest' ? NOT_JSON : BAD_BODY,
    scenarioId: target.kind === 'scenario' ? target.scenarioId : undefined,
    siteId: target.kind === 'ingest' ? origin.ingestSiteId : undefined,
    receivedAt,
    ip: decodeUtf8(record.remoteAddr),
    userAgent: record.userAgent === undefined ? '' : decodeUtf8(record.userAgent),
  }
  const events: (Event | Rejection)[] = []
  for (const params of beacon.events) events.push(eventOf(params, events.length, common))
  for (let i = 0; i < beacon.invalidItems.length; i++) events.push(BAD_BODY)
  const only = events[0] as Event | Rejection
  return events.length === 1 && 'rejected' in only ? only : events
}

/** What all events of a request have in common. */
interface Surroundings {
  record: LogRecord
  origin: EventOrigin
  badBody: Rejection
  scenarioId: number | undefined
  siteId: number | undefined
  receivedAt: number
  ip: string
  userAgent: string
}

function eventOf(params: Params, index: number, common: Surroundings): Event | Rejection {
  let ownId = ''
  let visitorId: string | undefined
  let memberId = ''
  let userId = ''
  let siteId: number | undefined
  let delay = 0
  // One pass: the last of a repeated name counts.
  for (let i = 0; i + 1 < params.length; i += 2) {
    const name = params[i] as string
    switch (name.charCodeAt(0)) {
      case 0x5f: // _
        if (name === VISITOR_ID) visitorId = visitorIdOf(params[i + 1] as string)
        break
      case 0x63: // c
        if (name === CLIENT_DELAY) delay = clientDelayMs(params[i + 1] as string)
        break
      case 0x68: // h
        if (name === EVENT_ID) ownId = params[i + 1] as string
        else if (name === BAD_BODY_PARAM) return common.badBody
        break
      case 0x69: // i
        if (name === SITE_ID) siteId = siteIdOf(params[i + 1] as string)
        break
      case 0x6d: // m
        if (name === MEMBER_ID) memberId = params[i + 1] as string
        break
      case 0x75: // u
        if (name === USER_ID) userId = params[i + 1] as string
        break
    }
  }
  siteId ??= common.siteId
  if (siteId === undefined && common.scenarioId === undefined) return NO_TARGET
  const member = memberId === '' ? userId : memberId
  return {
    eventId: eventIdOf(ownId, index, common.record.requestId, common.origin.source, common.origin.position),
    scenarioId: common.scenarioId,
    siteId,
    receivedAt: common.receivedAt,
    date: common.receivedAt - delay,
    visitorId,
    memberId: member === '' ? undefined : member,
    ip: common.ip,
    userAgent: common.userAgent,
    params,
  }
}

/** Where the path begins in `http://host/path`; `end` when there is none. */
function pathOfAbsoluteForm(request: string, from: number, end: number): number {
  const scheme = request.indexOf('://', from)
  if (scheme < 0 || scheme > end) return end
  const slash = request.indexOf('/', scheme + 3)
  return slash < 0 || slash > end ? end : slash
}
