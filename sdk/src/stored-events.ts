import { MAX_STORED, MAX_STORED_CHARS, MAX_STORED_MS } from './limits.ts'
import type { Ports } from './ports.ts'
import { byWorth, type QueuedEvent } from './queued-event.ts'

/** One key an event (`_hw_q.<hw_id>`): tabs that write at the same time cannot undo each other's work. */
const PREFIX = '_hw_q.'

/** Events that could not be delivered, kept for the next visit. */
export interface StoredEvents {
  /** Keeps copies and marks what is kept with `stored`. With no room left the least worthy go. */
  save(events: readonly QueuedEvent[]): void
  /** What is there for `endpoint`, oldest first. */
  load(endpoint: string): QueuedEvent[]
  remove(event: QueuedEvent): void
  clear(): void
}

/** `allowed` is asked before each write: consent may change. */
export function createStoredEvents({ storage, clock }: Ports, allowed: () => boolean): StoredEvents {
  const remove = (event: QueuedEvent): void => {
    if (event.stored) storage.remove(PREFIX + event.id)
  }

  /** Everything stored. What is too old or unreadable is removed. */
  const all = (): QueuedEvent[] =>
    storage
      .keys()
      .filter(key => key.startsWith(PREFIX))
      .flatMap(key => {
        try {
          const event = JSON.parse(storage.get(key)!)
          if (event.target && event.query && clock.now() - event.at < MAX_STORED_MS) return [{ ...event, stored: true }]
        } catch {}
        storage.remove(key)
        return []
      })

  return {
    save(events) {
      if (!allowed() || !events.length) return
      const ids = new Set(events.map(event => event.id))
      const others = all().filter(({ id }) => !ids.has(id))
      let chars = 0
      for (const [index, event] of [...others, ...events].sort(byWorth).entries()) {
        const text = JSON.stringify(event)
        chars += text.length
        if (index >= MAX_STORED || chars > MAX_STORED_CHARS) remove(event)
        else if (ids.has(event.id)) event.stored = storage.set(PREFIX + event.id, text)
      }
    },
    load: endpoint =>
      allowed()
        ? all()
            .filter(({ target }) => target.startsWith(`${endpoint}/`))
            .sort((a, b) => a.at - b.at)
        : [],
    remove,
    clear() {
      all().forEach(remove)
    },
  }
}
