import { allPlugins } from './all-plugins.ts'
import { browserPorts } from './browser/browser-ports.ts'
import type { TrackerOptions } from './options.ts'
import { startTracker, type Tracker } from './tracker.ts'

/** What there is where no page is (a server render), or where the page refuses: takes every call and does nothing. */
const silent: Tracker = {
  pageview() {},
  event() {},
  track() {},
  setMember() {},
  consent() {},
  flush: () => Promise.resolve(),
  destroy() {},
}

/**
 * Starts a tracker in this page. Several may run side by side, for other collectors or sites.
 *
 *     const tracker = createTracker({ endpoint: 'https://collect.example.com', siteId: 1 })
 *     tracker.event('buttonClick', 'Clicked', 'buy', { value: 3, scenarioId: 5 })
 */
export function createTracker(options: TrackerOptions): Tracker {
  try {
    if (typeof document !== 'undefined')
      return startTracker({ ...options }, browserPorts(), allPlugins(options.plugins ?? []))
  } catch (error) {
    if (options?.debug) console.warn('headwater:', error)
  }
  return silent
}
