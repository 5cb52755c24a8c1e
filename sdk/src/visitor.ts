import type { TrackedParams } from './build-query.ts'
import type { TrackerOptions } from './options.ts'
import type { Ports } from './ports.ts'

/** 13 months from creation; browsers cap cookies at 400 days anyway. */
const LIFETIME_SECONDS = 393 * 86_400

export interface Visitor {
  /**
   * The visitor id, 16 hex digits, which becomes the event's `_id`; its `_idn` becomes 1 the first time, when nothing was
   * stored of this visitor. Reads and writes the cookie at the first call: not to be called before consent.
   */
  identify(params: TrackedParams): string
  /** Erases the cookie, the collector's too where there is one, and forgets the id. */
  forget(): void
}

/** Ours, or Matomo's `_pk_id.<site>.<hash>=<16 hex>.<created, Unix s>.…`: an id that is known is kept. */
const KNOWN = /\b_(?:hw|pk)_id[^=;]*=([0-9a-f]{16})\.(\d+)/

/**
 * Who this is, by a first-party cookie: `_hw_id=<16 hex>.<created, Unix s>`. Written with each page load, for Safari
 * forgets script-written cookies 7 days after the last writing; the 13 months count from creation all the same.
 * `mayStore` false: nothing is read or written, the id lasts as long as the page.
 */
export function createVisitor(
  { cookies, clock, page, randomBytes, transport }: Ports,
  mayStore: () => boolean,
  options: TrackerOptions,
): Visitor {
  let id = ''
  const write = (value: string, seconds: number): void =>
    cookies.write(
      `_hw_id=${value};max-age=${seconds};path=/;SameSite=Lax${/^https:/.test(page.url()) ? ';Secure' : ''}${
        options.cookieDomain ? `;domain=${options.cookieDomain}` : ''
      }`,
    )

  const find = (params: TrackedParams): string => {
    const now = Math.floor(clock.now() / 1000)
    const [, found, created = now] = (mayStore() && KNOWN.exec(cookies.read())) || []
    // As Matomo's.
    const known = found || [...randomBytes(16)].map(byte => (byte & 15).toString(16)).join('')
    params._idn = found ? 0 : 1
    if (mayStore()) write(`${known}.${created}`, +created + LIFETIME_SECONDS - now)
    return known
  }

  return {
    identify: params => (params._id = id ||= find(params)),
    forget() {
      id = ''
      write('', 0)
      // No script can erase it. Beacons bring cookies along.
      if (options.serverCookie) transport.beacon(`${options.endpoint}/forget`, '')
    },
  }
}
