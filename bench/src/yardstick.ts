import { accessLine } from './access-lines.ts'
import { ownCpuSeconds } from './cpu-time.ts'

/**
 * What `JSON.parse` of one event costs here and now, µs of CPU: how fast the machine is while something is measured that no
 * peer can stand beside.
 */
export function yardstickMicros(): number {
  const texts = Array.from({ length: 1000 }, (_, i) => eventJson(i))
  let length = 0
  const pass = () => {
    for (const text of texts) length += (JSON.parse(text) as { url: string }).url.length
  }
  for (let i = 0; i < 20; i++) pass()
  const before = ownCpuSeconds()
  for (let i = 0; i < 200; i++) pass()
  const micros = ((ownCpuSeconds() - before) * 1e6) / (200 * texts.length)
  if (length === 0) throw new Error('every event has a url')
  return micros
}

/** The query of a line as one flat object of texts. */
function eventJson(i: number): string {
  const line = accessLine(i, { scenarios: 20, members: 100_000, startMs: Date.UTC(2026, 0, 5, 9), stepMs: 1 })
  const query = line.slice(line.indexOf('?') + 1, line.indexOf(' HTTP/'))
  return JSON.stringify(Object.fromEntries(new URLSearchParams(query)))
}
