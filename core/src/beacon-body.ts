import type { ByteString } from './byte-string.ts'
import type { BeaconTarget } from './beacon-target.ts'
import type { Rejection } from './event.ts'

/**
 * The parameters of each event that a request carries: its query and its body together, one array an event. The gateway
 * writes one line for each; `eventsOf` makes an `Event` of each. `host`: origin for a relative `path` of `/ingest`.
 */
export function beaconParams(
  _target: BeaconTarget,
  _query: ByteString,
  _body: ByteString,
  _pageOrigin: string | undefined,
): { events: string[][]; invalid: number } | Rejection {
  throw new Error('to come')
}
