import type { OrderKey } from './ports.ts'

/** Negative, 0 or positive as `a` stands before, at or behind `b` in a partition: compared field by field. */
export function compareOrderKeys(a: OrderKey, b: OrderKey): number {
  return a.generation - b.generation || a.position - b.position || a.index - b.index || a.scenarioId - b.scenarioId
}
