/** How busy each hour of a day is, from midnight in Seoul; only the proportions count. */
const HOURS = [30, 18, 11, 8, 7, 9, 16, 30, 48, 60, 66, 68, 74, 70, 66, 66, 68, 70, 72, 76, 88, 98, 90, 58]
const ZONE_MS = 9 * 3_600_000
const HOUR_MS = 3_600_000

/**
 * Moments for `count` events from `startMs` on, over `spanMs`, Unix ms: dense in the evening, sparse at night. Rising.
 * A span below an hour is even.
 */
export function dayRhythm(startMs: number, spanMs: number, count: number): (index: number) => number {
  const end = startMs + spanMs
  const edges: number[] = [startMs]
  for (let at = (Math.floor(startMs / HOUR_MS) + 1) * HOUR_MS; at < end; at += HOUR_MS) edges.push(at)
  edges.push(end)
  const reached: number[] = [0]
  for (let i = 1; i < edges.length; i++) {
    const from = edges[i - 1] as number
    const weight = HOURS[Math.floor((from + ZONE_MS) / HOUR_MS) % 24] as number
    reached.push((reached[i - 1] as number) + weight * ((edges[i] as number) - from))
  }
  const all = reached.at(-1) as number
  let hour = 0
  return index => {
    const wanted = ((index + 0.5) / count) * all
    while (hour + 2 < reached.length && (reached[hour + 1] as number) <= wanted) hour++
    const [low, high] = [reached[hour] as number, reached[hour + 1] as number]
    const [from, to] = [edges[hour] as number, edges[hour + 1] as number]
    return from + ((wanted - low) / (high - low)) * (to - from)
  }
}
