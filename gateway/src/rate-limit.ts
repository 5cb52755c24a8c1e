import { isIP } from 'node:net'
import { ipv6Groups } from './client-address.ts'

/** How many clients are remembered in each of the two halves: 32 MB at most. */
const MAX_CLIENTS = 100_000

interface Bucket {
  tokens: number
  /** Unix ms of the last refill. */
  at: number
}

/**
 * Whom a rate counts for one client: an IPv4 address, but of IPv6 the /64, as every customer of a provider has at least
 * that many addresses and may take a new one for each request (RFC 6177).
 */
export function rateKey(address: string): string {
  if (!address.includes(':') || isIP(address) !== 6) return address
  return ipv6Groups(address).slice(0, 4).join(':')
}

/**
 * A token bucket for each client or site. Memory is bounded: when the newer half of the
 * table is full, the older half is forgotten, which at worst gives a client a full bucket again.
 */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  #young = new Map<string, Bucket>()
  #old = new Map<string, Bucket>()

  /** `burstSeconds`: how many seconds' worth of requests may come at once. */
  constructor(requestsPerSecond: number, burstSeconds: number) {
    this.#perSecond = requestsPerSecond
    this.#burst = Math.max(1, requestsPerSecond * burstSeconds)
  }

  /** Clients remembered. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Whether one more request of `client` is within the rate. `now`: Unix ms. */
  allows(client: string, now: number): boolean {
    const burst = this.#burst
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
