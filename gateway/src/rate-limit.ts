/** How many clients are remembered in each of the two halves: 32 MB at most. */
const MAX_CLIENTS = 100_000

interface Bucket {
  tokens: number
  /** Unix ms of the last refill. */
  at: number
}

/**
 * A token bucket for each client address, with bursts of twice the rate. Memory is bounded: when the newer half of the
 * table is full, the older half is forgotten, which at worst gives a client a full bucket again.
 */
export class RateLimit {
  readonly #perSecond: number
  #young = new Map<string, Bucket>()
  #old = new Map<string, Bucket>()

  constructor(requestsPerSecond: number) {
    this.#perSecond = requestsPerSecond
  }

  /** Clients remembered. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Whether one more request of `client` is within the rate. `now`: Unix ms. */
  allows(client: string, now: number): boolean {
    const burst = Math.max(1, this.#perSecond * 2)
    let bucket = this.#young.get(client)
    if (bucket === undefined) {
      bucket = this.#old.get(client) ?? { tokens: burst, at: now }
      if (this.#young.size >= MAX_CLIENTS) {
        this.#old = this.#young
        this.#young = new Map()
      }
      this.#young.set(client, bucket)
    }
    // A clock that was set back refills nothing.
    const passed = Math.max(0, now - bucket.at)
    bucket.tokens = Math.min(burst, bucket.tokens + (passed * this.#perSecond) / 1000)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}
