/** An event on its way: built once, sent as often as it takes. Short names, because it is stored as JSON. */
export interface QueuedEvent {
  /** `hw_id`. */
  id: string
  /** Where it goes: endpoint, path and `_id`, as `https://collect.example.com/5?_id=0123456789abcdef`. */
  target: string
  /** All parameters but those that differ from attempt to attempt. */
  query: string
  /** When it happened, Unix ms by the visitor's clock. */
  at: number
  /** Attempts that have failed or whose end is unknown. */
  tries: number
  /** A ping: the first to go when there is no room. */
  minor?: boolean | undefined
  /** A copy is in localStorage and must go when the event has arrived. */
  stored?: boolean
}

/** Sorts what is kept to the front: real events before pings, then the newest. */
export const byWorth = (a: QueuedEvent, b: QueuedEvent): number => +!b.minor - +!a.minor || b.at - a.at
