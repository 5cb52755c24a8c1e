import type { Ports } from '../ports.ts'
import { browserClock } from './browser-clock.ts'
import { browserLifecycle } from './browser-lifecycle.ts'
import { browserNavigation } from './browser-navigation.ts'
import { browserPage } from './browser-page.ts'
import { browserCookies, browserStorage } from './browser-storage.ts'
import { browserTransport } from './browser-transport.ts'

/** The ports of the page that this script runs in. */
export function browserPorts(): Ports {
  return {
    clock: browserClock,
    page: browserPage(),
    lifecycle: browserLifecycle,
    navigationPort: browserNavigation,
    cookies: browserCookies,
    storage: browserStorage,
    transport: browserTransport(),
    randomBytes: count => crypto.getRandomValues(new Uint8Array(count)),
    exclusively(task) {
      // Without Web Locks (Safari before 15.4, plain http) two tabs may send the same: repeats fall to `hw_id`.
      const { locks } = navigator
      if (!locks) task()
      else locks.request('_hw_q', { ifAvailable: true }, lock => lock && task()).catch(() => {})
    },
  }
}
