import type { Event, Rejection } from './event.ts'
import type { LogRecord } from './log-record.ts'

export interface EventOrigin {
  /** Names the source in position-made ids. */
  source: string
  position: number
  /** The site of `/ingest` requests without `idsite`. */
  ingestSiteId: number
}

export function eventsOf(_record: LogRecord, _origin: EventOrigin): Event[] | Rejection {
  throw new Error('to come')
}
