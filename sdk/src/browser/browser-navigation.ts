import type { Navigation } from '../ports.ts'
import { listen } from './listen.ts'

/**
 * The Navigation API where there is one: it sees every change and needs nothing patched. Else `pushState` and
 * `replaceState` are wrapped: the original first, its result and its exceptions untouched.
 */
export const browserNavigation: Navigation = {
  subscribe(listener) {
    const { navigation } = window as { navigation?: EventTarget }
    if (navigation) return listen(navigation, 'currententrychange', listener)
    let changed = listener
    for (const method of ['pushState', 'replaceState'] as const) {
      const original = history[method]
      history[method] = function (this: History, ...args) {
        const result = original.apply(this, args)
        changed()
        return result
      }
    }
    listen(window, 'popstate', () => changed())
    // Others may have wrapped ours since, so it stays, asleep.
    return () => {
      changed = () => {}
    }
  },
}
