import type { Answer, Transport } from '../ports.ts'
import { attempt } from './attempt.ts'

/** A collector that does not answer counts as away after this. */
const TIMEOUT_MS = 30_000

declare const fetchLater: typeof fetch

/** With the collector's cookie only where an event asks for it: in encoded text there is no other `=`. */
const how = (url: string, body: string, signal: AbortSignal): RequestInit => ({
  ...(body && { method: 'POST', body }),
  credentials: /hw_ck=/.test(url + body) ? 'include' : 'omit',
  keepalive: true,
  signal,
})

/**
 * No header of our own and text bodies only, so the browser never asks first (CORS preflight). `Retry-After` is readable when
 * the collector exposes it (`Access-Control-Expose-Headers`). `left` takes back what this tracker has left with the browser, as
 * another one's stays there; it is no argument.
 */
export const browserTransport = (left?: AbortController): Transport => ({
  async attempt(url, body): Promise<Answer> {
    try {
      const { status, headers } = await fetch(url, how(url, body, AbortSignal.timeout?.(TIMEOUT_MS)))
      return { status, retryAfterMs: 1000 * +headers.get('retry-after')! }
    } catch {
      return { status: 0 }
    }
  },
  beacon: (url, body) => !!attempt(() => navigator.sendBeacon(url, body)),
  // fetchLater (Chromium) outlives a crash of the page's process: 10 of 10 arrived, of `sendBeacon` 0 of 10. It may be
  // missing, forbidden by a policy, or over its quota of 64 KiB an origin: calling it is the only test.
  // https://wicg.github.io/pending-beacon/
  leave: (url, body = '') =>
    attempt(() => {
      if (url) fetchLater(url, how(url, body, left!.signal))
      else {
        left?.abort()
        left = new AbortController()
      }
    }),
})
