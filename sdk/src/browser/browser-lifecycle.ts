import type { Lifecycle } from '../ports.ts'
import { listen } from './listen.ts'

const visible = (): boolean => !document.hidden

/**
 * Never `unload` or `beforeunload`: they keep a page out of the back/forward cache. `pagehide` and `pageshow` are
 * window's, `visibilitychange` is document's; `freeze` only comes to pages that are hidden, from which every event leaves at
 * once. A prerendered page is hidden until its activation, which
 * `prerenderingchange` tells (https://developer.chrome.com/docs/web-platform/prerender-pages).
 */
export const browserLifecycle: Lifecycle = {
  visible,
  online: () => navigator.onLine,
  subscribe(listener) {
    const turn = (): void => listener(visible() ? 'show' : 'hide')
    return [
      listen(document, 'visibilitychange', turn),
      listen(document, 'prerenderingchange', turn),
      // Comes before the document calls itself hidden.
      listen(window, 'pagehide', () => listener('hide')),
      listen(window, 'pageshow', event => (event as PageTransitionEvent).persisted && listener('restore')),
      listen(window, 'online', () => listener('online')),
    ]
  },
}
