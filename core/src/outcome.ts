import type { Params } from './params.ts'

/** One event judged by one scenario. Emitted for successes and failures alike. */
export interface Outcome {
  eventId: string
  scenarioId: number
  /** Rises with every save of the scenario. */
  scenarioVersion: number
  /** Rises only when what is judged changes (filters, operator, target, zone): statistics are kept per judging version. */
  judgingVersion: number
  success: 0 | 1
  /** The event's `date`, Unix ms. */
  date: number
  receivedAt: number
  /** The fields the scenario keeps, as name, value pairs, in the event's order. */
  fields: Params
}
