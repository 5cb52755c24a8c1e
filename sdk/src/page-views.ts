import type { PageKeyOptions } from './page-key.ts'
import { pageKey } from './page-key.ts'
import type { Cancel, Ports, Stop } from './ports.ts'

/** Addresses that follow each other faster than this are one navigation: routers redirect in steps. */
const SETTLE_MS = 100

/** Tells page views from mere changes of the address. */
export interface PageViews {
  /** A page view took place, whoever counted it: the address is settled. Returns the previous address. */
  seen(): string
  /** Counts a change of the address that has not settled yet: there may be no later. */
  settle(): void
  /** Hears of no more changes; what has not settled does. */
  stop: Stop
}

/**
 * Calls `count` when the address has become another page, once for a burst of changes, with the last one's address:
 *
 *     pushState or replaceState to another page   1      replace(current), then push(/a)    1
 *     pushState or replaceState to the same       0      push /a, push /b within 50 ms      1 (/b)
 *     push /a, back                               2      ?page=2, #x                        by option, else 0
 */
export function watchPageViews(
  { clock, page, navigationPort }: Ports,
  spa: boolean | PageKeyOptions,
  count: () => void,
): PageViews {
  // A switch has none of the options, so it stands for their defaults.
  const keyNow = (): string => pageKey(page.url(), spa as PageKeyOptions)
  let key = keyNow()
  // Who is redirected before the first page view comes from where the page was entered from.
  let address = page.referrer
  let previous = address
  let timer: Cancel | undefined

  const settle = (): void => {
    if (!timer) return
    timer = timer()
    if (keyNow() !== key) count()
    else address = page.url()
  }
  return {
    seen() {
      const now = keyNow()
      if (now !== key) previous = address
      key = now
      address = page.url()
      return previous
    },
    settle,
    stop: spa
      ? navigationPort.subscribe(() => {
          timer?.()
          timer = clock.later(settle, SETTLE_MS)
        })
      : () => {},
  }
}
