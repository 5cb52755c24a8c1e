import { MAX_STORED, MAX_STORED_CHARS, MAX_STORED_MS } from './limits.ts'
import type { Ports } from './ports.ts'
import { byWorth, type QueuedEvent } from './queued-event.ts'

/** One key an event (`_hw_q.<hw_id>`): tabs that write at the same time cannot undo each other's work. */
const PREFIX = '_hw_q.'
/** What every key of the tracker's begins with. */
const OURS = '_hw_'

/** Events that could not be delivered, kept for the next visit. */
export interface StoredEvents {
  /** Keeps copies and marks what is kept with `stored`. With no room left the least worthy go. */
  save(events: readonly QueuedEvent[]): void
  /** What is there for `endpoint`, in no order: the events say when they happened. */
  load(endpoint: string): QueuedEvent[]
  drop(event: QueuedEvent): void
  /** Erases everything of the tracker's, also what tag rules have counted. */
  forget(): void
}

/** `allowed` is asked before each write: consent may change. Reading is the caller's question. */
export function createStoredEvents({ storage, clock }: Ports, allowed: () => boolean): StoredEvents {
  const drop = (event: QueuedEvent): void => {
    if (event.stored) storage.drop(PREFIX + event.id)
  }

  const keysOf = (prefix: string): string[] => storage.names().filter(key => key.startsWith(prefix))

  /** Everything stored. What is too old or unreadable is removed. */
  const all = (): QueuedEvent[] =>
    keysOf(PREFIX).flatMap(key => {
      try {
        const event = JSON.parse(storage.peek(key)!)
        if (event.target && event.query && clock.now() - event.at < MAX_STORED_MS) return [{ ...event, stored: true }]
      } catch {}
      storage.drop(key)
      return []
    })

  return {
    save(events) {
      if (!allowed()) return
      for (const event of events) event.stored ||= storage.keep(PREFIX + event.id, JSON.stringify(event))
      let chars = 0
      all()
        .sort(byWorth)
        .forEach((event, index) => {
          chars += event.query.length
          if (index >= MAX_STORED || chars > MAX_STORED_CHARS) drop(event)
        })
    },
    load: endpoint => all().filter(({ target }) => target.startsWith(`${endpoint}/`)),
    drop,
    forget() {
      keysOf(OURS).forEach(storage.drop)
    },
  }
}
