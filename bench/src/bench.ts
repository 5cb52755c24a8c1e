/** One promise of speed, measured beside its peer in the same run. */
export interface Bench {
  name: string
  /** What is measured against what, in a sentence. */
  about: string
  /** Throws when what was measured gave wrong results: speed without right output is no figure. */
  run(scale: Scale): Promise<Measured>
}

/** `small` runs are for correctness (CI); `full` ones give the figures. */
export type Scale = 'small' | 'full'

export interface Measured {
  rows: readonly Row[]
  /** What must be reached, in words, with the figure seen. */
  verdicts: readonly Verdict[]
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

/** The middle one; of an even number the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
}

/**
 * Work per second of CPU for several contenders, taken in turns (A B, B A, …) so that a machine whose speed drifts is fair
 * to all. Gives each contender's median, and its lowest and highest round.
 */
export async function inTurns(
  rounds: number,
  contenders: Readonly<Record<string, () => Promise<number>>>,
): Promise<Record<string, { median: number; low: number; high: number }>> {
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
