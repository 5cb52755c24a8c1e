/** Random numbers that a printed seed brings back (mulberry32). */
export interface SeededRandom {
  /** In [0, 1). */
  next(): number
  /** Integer in [min, max]. */
  between(min: number, max: number): number
  pick<T>(choices: readonly T[]): T
  /** The same in another order. */
  shuffled<T>(all: readonly T[]): T[]
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  const shuffled = <T>(all: readonly T[]): T[] => {
    const left = [...all]
    for (let i = left.length - 1; i > 0; i--) {
      const j = between(0, i)
      ;[left[i], left[j]] = [left[j] as T, left[i] as T]
    }
    return left
  }
  return {
    next,
    between,
    shuffled,
    pick: choices => choices[between(0, choices.length - 1)] as (typeof choices)[number],
  }
}
