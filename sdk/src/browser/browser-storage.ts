import type { CookieJar, KeyValueStore } from '../ports.ts'
import { attempt } from './attempt.ts'

// In sandboxed frames and with cookies refused, even naming `localStorage` or `document.cookie` throws.

/** By properties, which is shorter than the methods and the same for our keys, that no method is named like. */
export const browserStorage: KeyValueStore = {
  names: () => attempt(() => Object.keys(localStorage)) ?? [],
  peek: key => attempt(() => localStorage[key]),
  // What is kept is never the empty text.
  keep: (key, value) => !!attempt(() => (localStorage[key] = value)),
  drop: key => attempt(() => delete localStorage[key]),
}

export const browserCookies: CookieJar = {
  read: () => attempt(() => document.cookie) ?? '',
  write: cookie =>
    attempt(() => {
      // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is asynchronous and not everywhere
      document.cookie = cookie
    }),
}
