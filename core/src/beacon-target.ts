import type { ByteString } from './byte-string.ts'

/** What a request path means. */
export type BeaconTarget = { kind: 'scenario'; scenarioId: number } | { kind: 'matomo' } | { kind: 'ingest' }

/** The meaning of a path (no query), or `undefined` when it is no beacon path. */
export function beaconTarget(_path: ByteString): BeaconTarget | undefined {
  throw new Error('to come')
}
