/**
 * A real browser engine behind the few verbs that a test of a page needs, so that one suite runs on all of them. What an
 * engine's driver can do beyond that stays with the driver.
 */
export interface Engine {
  readonly name: EngineName
  /** The browser's own version text, for reports. */
  readonly version: string
  /**
   * Closing a tab takes back what the page has handed over a moment before. Measured in Firefox 153 with a page that has no
   * tracker and calls `sendBeacon` when it is hidden: 8 or 9 of 12 closed tabs lost all of three small events, on an
   * idle machine and on a busy one, whether the driver closed the tab or `window.close()` did; of 12 left by a link, none.
   */
  readonly closingLoses: boolean
  /** Somebody who has never been anywhere: no cookies, no storage, no cache. */
  newVisitor(): Promise<EngineVisitor>
  /** Ends the browser. Pages that are still open may send nothing: close them first when it matters. */
  close(): Promise<void>
}

export type EngineName = 'chromium' | 'firefox' | 'webkit'

export interface EngineVisitor {
  /** Another tab of the same visitor. */
  newPage(): Promise<EnginePage>
  /** Takes the network away, `navigator.onLine` included; absent where the driver has no such switch. */
  setOffline?(offline: boolean): Promise<void>
  close(): Promise<void>
}

export interface EnginePage {
  /** Resolves after the `load` event. */
  goto(url: string): Promise<void>
  /** The value of an expression, JSON-like; of a promise, what it resolves to. Rejects with what it throws. */
  evaluate<T>(expression: string): Promise<T>
  /** A click by the mouse on the middle of the element. Does not wait for what it starts. */
  click(selector: string): Promise<void>
  reload(): Promise<void>
  /** One step in the session history; resolves when the address has changed. */
  back(): Promise<void>
  forward(): Promise<void>
  /** As a user closes a tab: `visibilitychange` always, `pagehide` not in Firefox (BiDi closes without). */
  close(): Promise<void>
  /** Kills the process that renders the page, which is of no use then. Absent where that ends the browser or finds no victim. */
  crash?(): Promise<void>
}

/** A browser that can be started here, or the reason why not. */
export interface InstalledEngine {
  name: EngineName
  /** What is missing; undefined when `start` will work. */
  missing: string | undefined
  start(): Promise<Engine>
}
