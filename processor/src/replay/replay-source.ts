import type { Event } from '@headwater/core'

/** Which events are judged. An event that is outside is read, and counts for nothing but the duplicate window. */
export interface ReplayRange {
  /** Unix ms; the first `date` inside. */
  from?: number | undefined
  /** Unix ms; the first `date` behind. */
  until?: number | undefined
  /** Only events of this `idsite`. */
  siteId?: number | undefined
}

/** Some events of the past, in their order. */
export interface ReplayBatch {
  events: readonly Event[]
  /** When the log got them, Unix ms, as far as that is known: bounds `date` as in the live counters. By index of `events`. */
  arrivedAt: readonly number[]
  /** Inputs that are no event, by reason. */
  rejected: ReadonlyMap<string, number>
  /** How much of all there is has been read, batch included: 0 … 1. */
  share: number
}

/** Events of the past, to be judged again. */
export interface ReplaySource {
  /** Whether every event comes once, as in the archive. Otherwise the rule for duplicates is applied. */
  readonly unique: boolean
  /**
   * The events, once. What lies outside `range` may be left out where the source is `unique`. Ends early, with the
   * signal's reason, when `signal` aborts; leaving the loop closes what is open.
   */
  batches(range: ReplayRange, signal?: AbortSignal): AsyncIterable<ReplayBatch>
}

/** Whether an event is inside. */
export function inRange(range: ReplayRange, { date, siteId }: Event): boolean {
  return (
    (range.from === undefined || date >= range.from) &&
    (range.until === undefined || date < range.until) &&
    (range.siteId === undefined || siteId === range.siteId)
  )
}
