import type { ReaderHealth } from '@headwater/processor'

/** A store that is away makes us not ready only when it stays away. */
const PAUSE_ALARM_MS = 60_000

/** Why `/readyz` is false on account of this reader; `undefined` while it reads, or has paused for less than a minute. */
export function pausedSentence(name: string, { pausedSince }: ReaderHealth): string | undefined {
  if (pausedSince === undefined || Date.now() - pausedSince < PAUSE_ALARM_MS) return undefined
  return `${name} has been paused for ${Math.round((Date.now() - pausedSince) / 1000)} s: a store is away.`
}
