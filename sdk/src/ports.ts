/**
 * What the tracker needs from the page, in the tracker's words. The adapters stand in `browser/`; unit tests bring their
 * own. No method of a port throws: what the browser refuses comes back as "nothing" (`undefined`, `false`, status 0).
 */
export interface Ports {
  clock: Clock
  page: Page
  lifecycle: Lifecycle
  /** Not `navigation`, a name of the window's that the minifier must leave alone. */
  navigationPort: Navigation
  cookies: CookieJar
  storage: KeyValueStore
  transport: Transport
  /** `count` random bytes fit for identifiers. */
  randomBytes(count: number): Uint8Array
  /** Runs `task` unless another tab of this site runs it now; others wait until the promise of `task` settles. */
  exclusively(task: () => Promise<void> | undefined): void
}

/** Takes back what it was returned for: a timer, a subscription. May be called twice. */
export type Stop = () => void

/** Takes a timer back, and is itself forgotten in the same breath: `timer = timer?.()`. */
export type Cancel = () => undefined

export interface Clock {
  /** The visitor's wall clock, Unix ms. It may jump in both directions. */
  now(): number
  /** Runs `task` once after `ms`. */
  later(task: () => void, ms: number): Cancel
}

export interface Page {
  /** The full address, with query and fragment. */
  url(): string
  title(): string
  /** Where the visitor came from; empty when unknown. */
  referrer: string
  /** Screen size as Matomo sends it: `1280x800`. */
  resolution: string
  cookiesEnabled: boolean
  /** Driven by a program (`navigator.webdriver`): flagged, never dropped. */
  automated: boolean
  /** Global Privacy Control, https://privacycg.github.io/gpc-spec/ */
  gpcSignal: boolean | undefined
  /** `navigator.doNotTrack` */
  dntSignal: boolean
  /** Listens on the window, in the capture phase: sees every event of the page, also those the page stops. */
  on(name: string, handler: (event: PageEvent) => void): Stop
}

/** What is looked at of a DOM event; all is optional, because a page may dispatch anything under any name. */
export interface PageEvent {
  target?: unknown
  /** 0 the main button, 1 the middle one. */
  button?: number
  /** Of a CustomEvent. */
  detail?: unknown
  /** Of an ErrorEvent. */
  message?: string
  filename?: string
  lineno?: number
  colno?: number
  /** Of an unhandled rejection. */
  reason?: unknown
  /** The elements that it passes, innermost first, through open shadow trees too. */
  composedPath(): readonly PageElement[]
}

/** What is looked at of an element; document and window, which end a path, have none of it. */
export interface PageElement {
  dataset?: Readonly<Record<string, string | undefined>>
  tagName?: string
  id?: string
  className?: unknown
  textContent?: string | null
  /** Absolute. An object for links in SVG. */
  href?: unknown
  name?: unknown
  matches?(selector: string): boolean
  closest?(selector: string): PageElement | null
  getAttribute?(name: string): string | null
  hasAttribute?(name: string): boolean
  querySelector?(selector: string): PageElement | null
}

/**
 * - `hide`: the page may be gone the next moment (hidden, unloaded). Comes more than once for one exit.
 * - `show`: it can be seen (again).
 * - `restore`: it came back out of the back/forward cache.
 * - `online`: the browser has a network again.
 */
export type Moment = 'hide' | 'show' | 'restore' | 'online'

export interface Lifecycle {
  /** False while hidden, and while prerendered. */
  visible(): boolean
  /** False only when the browser knows that it has no network. */
  online(): boolean
  /** One `Stop` for each source of moments. */
  subscribe(listener: (moment: Moment) => void): Stop[]
}

export interface Navigation {
  /** Calls after each change of the address within this document, also when the new address is the old one. */
  subscribe(listener: () => void): Stop
}

export interface CookieJar {
  /** `document.cookie`; empty when cookies are refused. */
  read(): string
  /** One cookie with its attributes, as `document.cookie` takes it. */
  write(cookie: string): void
}

/** localStorage, or what stands in for it. */
export interface KeyValueStore {
  names(): string[]
  peek(key: string): string | null | undefined
  /** False when it was not stored: over quota, refused, private mode. */
  keep(key: string, value: string): boolean
  drop(key: string): void
}

/** `status` 0: no answer (network, blocked, timed out, over the keepalive quota). */
export interface Answer {
  status: number
  /** From `Retry-After` in seconds; 0, NaN (a date) or nothing without. */
  retryAfterMs?: number
}

export interface Transport {
  /** A keepalive request: GET when `body` is empty, else POST as `text/plain`, so never a CORS preflight. Never rejects. */
  attempt(url: string, body: string): Promise<Answer>
  /** `sendBeacon`. True when the browser has taken it over, which says nothing about its arrival. */
  beacon(url: string, body: string): boolean
  /** Leaves one more request with the browser, to be sent when the page ends, however it ends. Without `url` takes all back. */
  leave(url?: string, body?: string): void
}
