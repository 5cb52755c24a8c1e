import type { Answer, Transport } from '../ports.ts'

/** A collector that does not answer counts as away after this. */
const TIMEOUT_MS = 30_000

/**
 * No header of our own and text bodies only, so the browser never asks first (CORS preflight). No cookies of the
 * collector's domain. `Retry-After` is readable when the collector exposes it (`Access-Control-Expose-Headers`).
 */
export const browserTransport: Transport = {
  async request(url, body): Promise<Answer> {
    try {
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        body: body || undefined,
        keepalive: true,
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.timeout?.(TIMEOUT_MS),
      })
      return { status: response.status, retryAfterMs: 1000 * +response.headers.get('retry-after')! || 0 }
    } catch {
      return { status: 0, retryAfterMs: 0 }
    }
  },
  beacon(url, body) {
    try {
      return navigator.sendBeacon(url, body || undefined)
    } catch {
      return false
    }
  },
}
