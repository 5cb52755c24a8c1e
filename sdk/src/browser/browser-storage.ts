import type { CookieJar, KeyValueStore } from '../ports.ts'

/** In sandboxed frames and with cookies refused, even naming `localStorage` or `document.cookie` throws. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

export const browserStorage: KeyValueStore = {
  keys: () => attempt(() => Object.keys(localStorage)) ?? [],
  get: key => attempt(() => localStorage.getItem(key)),
  set: (key, value) =>
    !!attempt(() => {
      localStorage.setItem(key, value)
      return true
    }),
  remove: key => attempt(() => localStorage.removeItem(key)),
}

export const browserCookies: CookieJar = {
  read: () => attempt(() => document.cookie) ?? '',
  write: cookie =>
    attempt(() => {
      // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is asynchronous and not everywhere
      document.cookie = cookie
    }),
}
