import { scrollDepth } from '../browser/scroll-depth.ts'
import type { Plugin } from '../plugin.ts'
import { watchScroll } from './watch-scroll.ts'

export interface ScrollOptions {
  /** Per cent of the page's height. Default 25, 50, 75, 100. */
  thresholds?: readonly number[]
  /** How far down the page is, in per cent. */
  depth?: () => number
}

/**
 * Reports `scroll / depth` with the threshold as name and value, each threshold once a page view and only when the visitor
 * has scrolled.
 */
export function scroll({ thresholds = [25, 50, 75, 100], depth = scrollDepth }: ScrollOptions = {}): Plugin {
  return (tracker, host) => {
    let left = thresholds
    const settle = watchScroll(host, () => {
      const now = depth()
      for (const threshold of left)
        if (threshold <= now) tracker.event('scroll', 'depth', `${threshold}`, { value: threshold })
      left = left.filter(threshold => threshold > now)
    })
    return moment => {
      if (moment === 'hide') settle()
      if (moment === 'view') left = thresholds
    }
  }
}
