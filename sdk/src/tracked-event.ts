/** What may be said beside an event's category, action and name. */
export interface EventOptions {
  value?: number | string | undefined
  /** Sends it to one scenario; else the site's scenarios judge it. */
  scenarioId?: number | string | undefined
  /** For this event only, see `setMember`. */
  memberId?: string | undefined
}

/** How a set of parameters travels. */
export interface TrackOptions {
  scenarioId?: number | string | undefined
  memberId?: string | undefined
  /** Send now instead of waiting for company. */
  urgent?: boolean
  /** A ping: the first to go when a queue is full. */
  minor?: boolean
}
