import type { ByteString } from './byte-string.ts'

/** What a request path means. */
export type BeaconTarget = { kind: 'scenario'; scenarioId: number } | { kind: 'matomo' } | { kind: 'ingest' }

const MATOMO: BeaconTarget = { kind: 'matomo' }
const INGEST: BeaconTarget = { kind: 'ingest' }

/** More digits would not be exact as a number. */
const MAX_ID_DIGITS = 15

/**
 * The meaning of a path (no query), or `undefined` when it is no beacon path. Paths are compared as they stand:
 * `/5` is scenario 5, `/5/`, `//5` and `/%35` are nothing.
 */
export function beaconTarget(path: ByteString): BeaconTarget | undefined {
  if (path.length >= 2 && path.length <= 1 + MAX_ID_DIGITS && path.charCodeAt(0) === 0x2f) {
    let scenarioId = 0
    let i = 1
    for (; i < path.length; i++) {
      const digit = path.charCodeAt(i) - 0x30
      if (digit < 0 || digit > 9) break
      scenarioId = scenarioId * 10 + digit
    }
    if (i === path.length) return { kind: 'scenario', scenarioId }
  }
  if (path === '/matomo.php' || path === '/piwik.php') return MATOMO
  if (path === '/ingest') return INGEST
  return undefined
}
