import { type Batch, nextBatch } from './batch.ts'
import {
  IDLE_MS,
  LEAVE_BURST_MS,
  LEAVE_MS,
  MAX_BACKOFF_MS,
  MAX_BATCH_CHARS,
  MAX_IN_FLIGHT_CHARS,
  MAX_NETWORK_FAILURES,
  MAX_PAUSE_MS,
  MAX_WAIT_MS,
  MAX_WAITING,
  MAX_WAITING_VISIBLE,
} from './limits.ts'
import type { Cancel, Ports } from './ports.ts'
import { byWorth, type QueuedEvent } from './queued-event.ts'
import type { StoredEvents } from './stored-events.ts'

/**
 * Brings events to the collector. An event is in one of these states:
 *
 *     waiting ──send──▶ in flight ──2xx, 4xx──▶ gone
 *        ▲                 │ 408, 429, 5xx, no answer: tries + 1, a copy into storage
 *        └─────pause───────┘
 *     waiting ──page hidden──▶ sendBeacon takes it: gone; in trouble: handed ──page shown──▶ waiting
 *
 * Trouble: the last attempt failed, or there is no network. In trouble everything unacknowledged is stored as well,
 * because a beacon's fate is unknown; the repeats fall to `hw_id` at the collector. So is what is more than a browser takes over
 * from a page: an overloaded one may end the page before it is told.
 */
export interface Outbox {
  /** Sends soon, or now when `urgent` or when the page is hidden. One from storage (`tries`) is known by its id. */
  put(event: QueuedEvent, urgent?: boolean): void
  /** The page may be gone the next moment. */
  hide(): void
  /** The page is seen again; `fresh`: with a network again, so earlier failures say nothing. */
  show(fresh: boolean): void
  /** Resolves when no more can be sent now: all answered, or the collector is away. */
  flush(): Promise<void>
  /** Forgets everything; what is in flight is not repeated. */
  forget(): void
}

export function createOutbox({ clock, transport, lifecycle }: Ports, stored: StoredEvents): Outbox {
  let waiting: QueuedEvent[] = []
  let inFlight: QueuedEvent[] = []
  let handed: QueuedEvent[] = []
  let charsInFlight = 0
  let failures = 0
  let networkFailures = 0
  let timer: Cancel | undefined
  /** Set while the pause after a failed attempt lasts. */
  let pause: Cancel | undefined
  const flushed: (() => void)[] = []
  let leaving: Cancel | undefined
  /** Up to when leaving is paid for. */
  let leaveAt = 0

  const without = (events: QueuedEvent[], gone: QueuedEvent[]): QueuedEvent[] =>
    events.filter(event => !gone.includes(event))

  /** Whether there is something to send and a network to try. */
  const able = (): unknown => waiting[0] && networkFailures < MAX_NETWORK_FAILURES && lifecycle.online()

  /** What is not acknowledged is left with the browser in case the page dies. */
  const leaveNow = (): void => {
    leaving = leaving?.()
    let tail = [...inFlight, ...waiting]
    let chars = 0
    transport.leave()
    while (tail[0]) {
      const { events, url, body } = nextBatch(tail, clock.now(), MAX_BATCH_CHARS)
      tail = without(tail, events)
      transport.leave(url, body)
      chars += body.length
      if (chars > MAX_IN_FLIGHT_CHARS) stored.save(events)
    }
  }

  /**
   * A few changes at once, then once for all of `LEAVE_MS`: each time costs 0.7 ms, 3 ms on a slow machine. The wall clock
   * may jump: never later than that.
   */
  const leave = (): void => {
    if (leaving) return
    const now = clock.now()
    leaveAt = Math.max(leaveAt + LEAVE_MS, now - LEAVE_BURST_MS)
    leaving = clock.later(leaveNow, Math.min(LEAVE_MS, leaveAt - now))
  }

  const send = ({ events, url, body }: Batch): void => {
    waiting = without(waiting, events)
    inFlight.push(...events)
    charsInFlight += body.length
    transport.attempt(url, body).then(({ status, retryAfterMs }) => {
      const wanted = inFlight.includes(events[0]!)
      inFlight = without(inFlight, events)
      charsInFlight -= body.length
      // A 4xx says that these bytes will never be taken; 408 and 429 ask for patience.
      if (/^(?!408|429)[2-4]/.test(`${status}`)) {
        failures = networkFailures = 0
        events.forEach(stored.drop)
      } else if (wanted) {
        for (const event of events) event.tries++
        waiting.unshift(...events)
        stored.save(events)
        // Requests that fail together are one failure.
        if (!pause) {
          networkFailures = status ? 0 : networkFailures + 1
          const jitter = Math.min(MAX_BACKOFF_MS, 1000 * 2 ** failures++) * Math.random()
          pause = clock.later(
            () => {
              pause = undefined
              pump()
            },
            Math.min(MAX_PAUSE_MS, retryAfterMs || jitter),
          )
        }
      }
      leave()
      // Room for more. What has been waiting for company goes along.
      pump()
    })
  }

  /** Sends what waits, as far as pauses and the keepalive budget allow. */
  const pump = (): void => {
    timer?.()
    while (!pause && able()) {
      const batch = nextBatch(waiting, clock.now(), MAX_BATCH_CHARS)
      if (charsInFlight && charsInFlight + batch.body.length > MAX_IN_FLIGHT_CHARS) break
      send(batch)
    }
    if (!inFlight[0]) for (const resolve of flushed.splice(0)) resolve()
  }

  /** By `sendBeacon`, halving what it refuses; what it refuses alone goes by `fetch` and into storage. */
  const hide = (): void => {
    let limit = MAX_BATCH_CHARS
    if (failures || !lifecycle.online()) stored.save([...inFlight, ...waiting])
    while (able()) {
      const batch = nextBatch(waiting, clock.now(), limit)
      const { events, url, body } = batch
      if (transport.beacon(url, body)) {
        waiting = without(waiting, events)
        if (failures) handed.push(...events)
      } else if (events[1]) limit = body.length / 2
      else {
        stored.save(events)
        send(batch)
      }
    }
    leaveNow()
  }

  return {
    put(event, urgent) {
      if (event.tries && [waiting, inFlight, handed].flat().some(({ id }) => id === event.id)) return
      waiting.push(event)
      leave()
      if (waiting.length > MAX_WAITING) waiting.sort(byWorth).pop()
      if (!lifecycle.visible()) hide()
      else if (urgent) pump()
      else {
        timer?.()
        // Not within the call: a request is what costs most. The wall clock may jump: whatever it says, never wait longer
        // than the silence.
        timer = clock.later(
          pump,
          waiting.length > MAX_WAITING_VISIBLE ? 0 : Math.min(IDLE_MS, waiting[0]!.at + MAX_WAIT_MS - clock.now()),
        )
      }
    },
    hide,
    show(fresh) {
      for (const event of handed) event.tries++
      waiting.unshift(...handed)
      handed = []
      leave()
      if (fresh) {
        networkFailures = 0
        pause = pause?.()
      }
      pump()
    },
    flush: () =>
      new Promise(resolve => {
        flushed.push(resolve)
        pump()
      }),
    forget() {
      waiting = []
      inFlight = []
      handed = []
      leave()
    },
  }
}
