import { createRequire } from 'node:module'

/** What of kafkajs's queue of requests (2.2.4, `src/network/requestQueue`) is used here. */
interface RequestQueue {
  /** Requests that wait until others are answered, or until the broker wants some again. */
  pending: readonly unknown[]
  scheduleCheckPendingRequests(this: RequestQueue): void
}

let isDone = false

/**
 * Lets a connection's queue rest while no request waits in it, for every client of this process. As it comes, each answer
 * starts a timer of 1 ms that looks for waiting requests and starts itself again, for as long as the connection lives
 * (tulios/kafkajs issues 1556 and 1704): a thousand wake-ups a second, for each of the half dozen connections of a worker that has nothing to do. A
 * request that begins to wait starts the timer itself.
 */
export function letRequestQueuesRest(): void {
  if (isDone) return
  isDone = true
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  const { prototype } = queue
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) schedule.call(this)
  }
}
