/** One promise of speed, measured beside its peer in the same run. */
export interface Bench {
  name: string
  /** What is measured against what, in a sentence. */
  about: string
  /** Throws when what was measured gave wrong results: speed without right output is no figure. */
  run(options: RunOptions): Promise<Measured>
}

export interface RunOptions {
  scale: Scale
  /** Also say where the time goes; figures of such a run are a little worse. */
  profile: boolean
}

/** `small` runs are for correctness (CI); `full` ones give the figures. */
export type Scale = 'small' | 'full'

export interface Measured {
  /** Why nothing could be measured; then there are neither rows nor verdicts. */
  skipped?: string
  rows: readonly Row[]
  /** What must be reached, in words, with the figure seen. */
  verdicts: readonly Verdict[]
  /** Where the time went, when a profile was wanted. */
  hotspots?: readonly Hotspot[]
}

export interface Row {
  what: string
  /** Columns in the order of the first row. */
  figures: Readonly<Record<string, number | string>>
}

export interface Verdict {
  target: string
  seen: string
  reached: boolean
}

/** A function and its share of the time the processor was busy, 0 … 1, without what it called. */
export interface Hotspot {
  where: string
  self: number
}

/** `184 k`, `3.21`: three digits, which is more than a shared machine can tell. */
export function shown(value: number): string {
  if (value >= 100_000) return `${Math.round(value / 1000)} k`
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} k`
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}

/** The verdict on a figure that must be at least `least`. */
export function atLeast(what: string, least: number, seen: number, unit: string): Verdict {
  return { target: `${what} ≥ ${shown(least)} ${unit}`, seen: shown(seen), reached: seen >= least }
}

/** The verdict on a figure that must be at most `most`. */
export function atMost(what: string, most: number, seen: number, unit: string): Verdict {
  return { target: `${what} ≤ ${shown(most)} ${unit}`, seen: shown(seen), reached: seen <= most }
}

/** The middle one; of an even number the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
}

/** Work per CPU-second: the median round, and the lowest and highest one: the band of the machine's noise. */
export interface Rate {
  median: number
  low: number
  high: number
}

/**
 * Work per second of CPU for several contenders, taken in turns (A B, B A, …) so that a machine whose speed drifts is fair
 * to all. Gives each contender's median, and its lowest and highest round.
 */
export async function inTurns(
  rounds: number,
  contenders: Readonly<Record<string, () => Promise<number>>>,
): Promise<Record<string, Rate>> {
  const names = Object.keys(contenders)
  const seen = new Map<string, number[]>(names.map(name => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 === 0 ? names : [...names].reverse())
      seen.get(name)?.push(await (contenders[name] as () => Promise<number>)())
  return Object.fromEntries(
    [...seen].map(([name, values]) => [
      name,
      { median: median(values), low: Math.min(...values), high: Math.max(...values) },
    ]),
  )
}
