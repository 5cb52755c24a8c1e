import type { Event } from './event.ts'

/** The record of `event-log`. */
export function encodeEvent(_event: Event): string {
  throw new Error('to come')
}
export function decodeEvent(_json: string): Event {
  throw new Error('to come')
}
