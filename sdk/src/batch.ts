import { ATTEMPT, CLIENT_DELAY } from '@headwater/core/names'
import { MAX_URL_QUERY_CHARS } from './limits.ts'
import type { QueuedEvent } from './queued-event.ts'

/** Room for what `attemptQuery` and the JSON around it add. */
const ATTEMPT_CHARS = 40

/** One request: a GET when `body` is empty, else a POST. */
export interface Batch {
  events: QueuedEvent[]
  url: string
  body: string
}

/**
 * The next request for the first of `events`, with all others for the same target that fit into `maxChars`. A bulk holds one
 * target only, because the path of a request decides the scenario. `events` must not be empty.
 *
 *     one, short   GET  /5?e_c=…&_id=…&hw_try=0
 *     one, long    POST /5?_id=…           e_c=…&_id=…&hw_try=0
 *     several      POST /5?_id=…           {"requests":["?e_c=…&_id=…&hw_try=0","?…"]}
 */
export function nextBatch(events: readonly QueuedEvent[], now: number, maxChars: number): Batch {
  const { target } = events[0]!
  let size = 0
  const taken = events.filter((event, index) => {
    if (event.target !== target) return false
    size += event.query.length + ATTEMPT_CHARS
    return !index || size <= maxChars
  })
  const queries = taken.map(event => attemptQuery(event, now))
  const query = queries[0]!
  // Percent-encoded text holds no character that JSON would have to escape.
  const body = queries[1]
    ? `{"requests":["?${queries.join('","?')}"]}`
    : query.length > MAX_URL_QUERY_CHARS
      ? query
      : ''
  return { events: taken, url: body ? target : target.replace(/\?.*/, `?${query}`), body }
}

/** The event's parameters with those of this attempt. `cdo` is Matomo's: seconds between the event and its request. */
function attemptQuery(event: QueuedEvent, now: number): string {
  const delaySeconds = Math.min(86_400, ((now - event.at) / 1000) | 0)
  return `${event.query}&${ATTEMPT}=${event.tries}${delaySeconds > 0 ? `&${CLIENT_DELAY}=${delaySeconds}` : ''}`
}
