import type { Outcome } from './outcome.ts'

export class Counters {
  add(_outcome: Outcome): void {
    throw new Error('to come')
  }
}
