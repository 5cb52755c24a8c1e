import { metricsOf } from './metrics-of.ts'

/** `headwater_filter_events_total` by result: what became of every event or line since the process started. */
export async function filterResults(metricsPort: number): Promise<Record<string, number>> {
  const results: Record<string, number> = {}
  for (const [sample, count] of await metricsOf(metricsPort)) {
    const result = /^headwater_filter_events_total\{result="(\w+)"\}$/.exec(sample)?.[1]
    if (result !== undefined) results[result] = count
  }
  return results
}

/** All of them together. */
export function sumOf(results: Readonly<Record<string, number>>): number {
  return Object.values(results).reduce((sum, count) => sum + count, 0)
}
