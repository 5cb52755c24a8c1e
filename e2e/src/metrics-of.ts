/** Every sample of a process's `GET /metrics`, by name with labels as printed. */
export async function metricsOf(metricsPort: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  return new Map(
    [...text.matchAll(/^([^#\s].*) (\S+)$/gm)].map(([, sample, value]) => [sample as string, Number(value)]),
  )
}
