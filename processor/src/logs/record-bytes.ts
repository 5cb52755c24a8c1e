import { appendEvent, appendOutcome, type Event, JsonBytes, type Outcome } from '@headwater/core'

const scratch = new JsonBytes(4096)

/** The value of an `event-log` record, in bytes of its own. */
export function eventBytes(event: Event): Buffer {
  scratch.length = 0
  appendEvent(scratch, event)
  return Buffer.from(scratch.bytes.subarray(0, scratch.length))
}

/** The value of a `scenario-log` record, in bytes of its own. */
export function outcomeBytes(outcome: Outcome): Buffer {
  scratch.length = 0
  appendOutcome(scratch, outcome)
  return Buffer.from(scratch.bytes.subarray(0, scratch.length))
}
