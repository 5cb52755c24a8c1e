import type { TrackedParams } from './build-query.ts'
import type { PageEvent, Ports } from './ports.ts'
import type { Tracker } from './tracker.ts'
import type { Visitor } from './visitor.ts'

/**
 * - `view`: a page view is about to be reported; the address is the new one already.
 * - `event`: `params` are about to be sent; may be changed. Comes for page views too, after `view`.
 * - `hide`: the page may be gone the next moment: what is told now still leaves with it. Also when destroyed.
 * - `show`, `restore`, `online`: as in `ports.ts`.
 */
export type PluginMoment = 'view' | 'event' | 'hide' | 'show' | 'restore' | 'online'

/** What the tracker tells a plugin. `params` comes with `event` only. It may throw: the tracker goes on. */
export type Watch = (moment: PluginMoment, params: TrackedParams) => void

/** What a plugin gets beside the tracker. */
export interface PluginHost {
  ports: Ports
  visitor: Visitor
  /** Whether consent and signals allow storage at this moment. */
  mayStore(): boolean
  /** Listens to an event of the window or anything in it until the tracker is destroyed. The handler may throw. */
  on(name: string, handler: (event: PageEvent) => void): void
  /** The same work, which now never throws and does nothing once the tracker is destroyed. */
  safely<Args extends unknown[]>(work: (...args: Args) => void): (...args: Args) => void
  /** Prints to the console when `debug` is on. */
  warn(...what: unknown[]): void
}

/** Something that a tracker does beside the core: links, forms, tag rules. Called once, before the first page view. */
export type Plugin = (tracker: Tracker, host: PluginHost) => Watch
