import type { Params } from './params.ts'

/** One thing a visitor did, parsed out of a beacon. */
export interface Event {
  /** `hw_id`, else `$request_id` + `-` + index in the bulk, else `p-` + source + position. At most 64 bytes. */
  eventId: string
  /** From the path `/{scenario_id}`: the only scenario that judges this event. */
  scenarioId: number | undefined
  /** `idsite`; every enabled scenario of this site judges the event when `scenarioId` is undefined. */
  siteId: number | undefined
  /** When the edge got it: `$msec`, else `$time_local`. Unix ms. */
  receivedAt: number
  /** When it happened: `receivedAt` − `cdo` seconds. Unix ms. */
  date: number
  /** `_id`: 16 hex digits. */
  visitorId: string | undefined
  /** `memberId`, else `uid`. */
  memberId: string | undefined
  /** `$remote_addr` as the edge logged it (anonymised there). */
  ip: string
  userAgent: string
  /** All parameters, own and unknown ones too. */
  params: Params
}

/** Why an input did not become an event. Each reason is a counter; those that carry data are dead letters too. */
export type RejectionReason =
  /** Complete, but no beacon: other path, method or status. Counted, never a dead letter. */
  | 'not_a_beacon'
  /** Does not follow any of the known line formats. */
  | 'bad_line'
  | 'bad_time'
  /** Longer than 1 MiB. */
  | 'line_too_long'
  /** `/ingest` with a body that is not a JSON object. */
  | 'not_json'
  /** A body that is neither a query string, a JSON object nor a bulk. */
  | 'bad_body'
  /** Neither a scenario in the path nor an `idsite`. */
  | 'no_target'
  | 'unknown_scenario'
  /** Input that retention had deleted before it was read: one dead letter for the whole range. */
  | 'lost_to_retention'

export interface Rejection {
  rejected: RejectionReason
}
