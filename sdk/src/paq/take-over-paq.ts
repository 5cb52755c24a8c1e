import type { PaqCall, PaqMethods } from './paq-call.ts'

/** The page's `window._paq`. */
export type PaqQueue = PaqCall[]

/** Matomo makes these first, wherever they stand among the calls made before the script came. */
const FIRST =
  /^(set(TrackerUrl|SiteId|UserId|Domains|Cookie|DoNotTrack|DownloadE)|disableCookies|require|enableLinkTracking)/

/**
 * Makes the waiting calls that set things up, then and from now on those that are pushed; returns what makes the other
 * waiting ones. `queue` stays the same array, so whoever holds it goes on pushing to it. A method that is not there is
 * told of once. `guest`: the page's tracker is not `_paq`'s; a tracker URL then means that Matomo itself is coming, and
 * gets its queue back, with all that was pushed in the same turn. `called` is told of every call.
 */
export function takeOverPaq(
  queue: PaqQueue,
  methods: PaqMethods,
  warn: (what: unknown, detail?: unknown) => void,
  guest: boolean,
  called: () => void,
): () => void {
  const make = (call: PaqCall): void => {
    try {
      called()
      const [method, ...args] = call
      if (typeof method === 'function') method.apply(methods, args as [])
      else if (Object.hasOwn(methods, method)) methods[method]!(...args)
      else {
        methods[method] = () => {}
        warn('not supported:', method)
      }
    } catch (error) {
      warn(error)
    }
  }
  const waiting = queue.splice(0)
  const makeSome = (first: boolean): void => {
    for (const call of waiting) if (FIRST.test(`${call?.[0]}`) === first) make(call)
  }
  const drain = (): void => {
    if (guest && queue.some(call => call?.[0] === 'setTrackerUrl')) queue.push = ([] as PaqQueue).push
    else queue.splice(0).forEach(make)
  }
  queue.push = (...calls) => {
    const length = ([] as PaqQueue).push.apply(queue, calls)
    // Matomo's snippet says where it reports to after it has pushed its page view, but in the same turn.
    if (guest) Promise.resolve().then(drain)
    else drain()
    return length
  }
  makeSome(true)
  return () => makeSome(false)
}
