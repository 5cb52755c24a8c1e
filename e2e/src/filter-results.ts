/** `headwater_filter_events_total` by result: what became of every event or line since the process started. */
export async function filterResults(metricsPort: number): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  return Object.fromEntries(
    [...text.matchAll(/^headwater_filter_events_total\{result="(\w+)"\} (\d+)$/gm)].map(([, result, count]) => [
      result as string,
      Number(count),
    ]),
  )
}

/** All of them together. */
export function sumOf(results: Readonly<Record<string, number>>): number {
  return Object.values(results).reduce((sum, count) => sum + count, 0)
}
