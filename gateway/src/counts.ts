/** What the gateway counts, as plain numbers: one addition a request. metrics.ts shows them to Prometheus. */
export interface GatewayCounts {
  /** Answers by status: `answers[204]`. */
  answers: Float64Array
  /** Lines handed to the log. */
  lines: number
  /** Lines for bodies, or items of a bulk, that are no event. */
  invalid: number
  /** Events of a POST or bulk that were cut to the limits. */
  cut: number
  /** Clients that had gone when their answer was ready. */
  gone: number
  /** Requests over the rate of their address. */
  overAddressRate: number
  /** Requests over the rate of their site. */
  overSiteRate: number
  /** Connections closed at once: there were as many as there may be. */
  refusedConnections: number
  /** Events of a site whose page has a host that the site does not list … */
  hostNotAllowed: number
  /** … or that do not say what page they come from. */
  hostMissing: number
}

export function newCounts(): GatewayCounts {
  return {
    answers: new Float64Array(600),
    lines: 0,
    invalid: 0,
    cut: 0,
    gone: 0,
    overAddressRate: 0,
    overSiteRate: 0,
    refusedConnections: 0,
    hostNotAllowed: 0,
    hostMissing: 0,
  }
}

export function countAnswer(counts: GatewayCounts, status: number): void {
  counts.answers[status] = (counts.answers[status] ?? 0) + 1
}
