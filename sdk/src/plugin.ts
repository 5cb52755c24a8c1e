import type { TrackedParams } from './build-query.ts'
import type { SignalPolicy } from './options.ts'
import type { PageEvent, Ports, Stop } from './ports.ts'
import type { Tracker } from './tracker.ts'
import type { Visitor } from './visitor.ts'

/**
 * - `view`: a page view is about to begin. The address is the new one already, but what is told now still belongs to the
 *   page view that ends.
 * - `event`: `params` are about to be sent; may be changed. Comes for page views too, which have `action_name`.
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
  /** What the browser's privacy signals ask for; `cookieless` forbids to say who the member is. */
  signals: readonly (SignalPolicy | boolean | undefined)[]
  /** Whether consent and signals allow storage at this moment. */
  mayStore(): boolean
  /** Listens to an event of the window or anything in it until the tracker is destroyed. The handler may throw. */
  on(name: string, handler: (event: PageEvent) => void): void
  /** Are called when the tracker is destroyed; a plugin adds its own. */
  stops: Stop[]
  /** The same work, which now never throws and does nothing once the tracker is destroyed. */
  safely<Args extends unknown[]>(work: (...args: Args) => void): (...args: Args) => void
  /** Prints to the console when `debug` is on. */
  warn(what: unknown, detail?: unknown): void
}

/** Something that a tracker does beside the core: links, forms, tag rules. Called once, before the first page view. */
export type Plugin = (tracker: Tracker, host: PluginHost) => Watch

/** What the tracker knows of all its plugins. */
export interface PluginSet {
  start(tracker: Tracker, host: PluginHost): void
  watch: Watch
}
