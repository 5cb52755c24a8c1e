import type { PageKeyOptions } from './page-key.ts'
import type { Plugin } from './plugin.ts'

/** `pending` sends and stores nothing and holds events in memory; `denied` forgets them and erases what was stored. */
export type ConsentState = 'granted' | 'pending' | 'denied'

/** What a privacy signal of the browser does: count without any storage and member id, do nothing at all, or nothing. */
export type SignalPolicy = 'cookieless' | 'off' | 'ignore'

export interface TrackerOptions {
  /** Where the collector is: `https://collect.example.com`. A path prefix is allowed. */
  endpoint: string
  /** Which of the collector's sites this is. Default 1. */
  siteId?: number | string | undefined
  /** The signed-in member, see `setMember`. */
  memberId?: string | null | undefined
  /** Default `granted`. */
  consent?: ConsentState | undefined
  /** No cookie and no storage; a new visitor id with each page load. Default false. */
  cookieless?: boolean | undefined
  /** Shares the visitor id between subdomains: `example.com`. Default: this host only. */
  cookieDomain?: string | undefined
  /**
   * Asks the collector to keep the visitor id in a cookie that no script can read, which Safari keeps longer than a
   * script's 7 days. The collector needs `identity.serverCookie`, and stands on the site's own domain. Default false.
   */
  serverCookie?: boolean | undefined
  /** Global Privacy Control. Default `cookieless`. */
  gpc?: SignalPolicy | undefined
  /** Do Not Track. Default `ignore`. */
  dnt?: SignalPolicy | undefined
  /** Counts the first page view by itself. Default true. */
  autoPageview?: boolean | undefined
  /** Counts page views of single-page applications; says what makes an address another page. Default true. */
  spa?: boolean | PageKeyOptions | undefined
  /** Reports clicks on elements with `data-hw-event`. Default true. */
  clicks?: boolean | undefined
  /** What the tracker does beside: `[links(), scroll()]`, each from a module of its own. Default none. */
  plugins?: readonly Plugin[] | undefined
  /** Prints to the console what goes wrong. Default false: nothing is ever printed. */
  debug?: boolean | undefined
}
