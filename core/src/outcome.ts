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
  /**
   * The fields the scenario keeps, as name, value pairs: with `"*": 1` in the event's order, else in that of `log_format`.
   * Each name stands once, and none is a reserved name.
   */
  fields: Params
}

/** The names of the outcome's own values in its record. A kept field never takes one of them. */
export const RESERVED_NAMES = [
  'success',
  'scenario_id',
  'date',
  'event_id',
  'scenario_version',
  'judging_version',
  'received_at',
] as const

/** Whether a name is one of `RESERVED_NAMES`. */
export function isReservedName(name: string): boolean {
  switch (name) {
    case 'success':
    case 'scenario_id':
    case 'date':
    case 'event_id':
    case 'scenario_version':
    case 'judging_version':
    case 'received_at':
      return true
    default:
      return false
  }
}
