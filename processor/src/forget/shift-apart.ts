/** The least shift, 0 or more, after which none of `starts` stands where one of `taken` does. All whole and not negative. */
export function shiftApart(starts: readonly number[], taken: readonly number[]): number {
  const collides = new Set<number>()
  for (const start of starts) for (const at of taken) if (at >= start) collides.add(at - start)
  let shift = 0
  while (collides.has(shift)) shift++
  return shift
}
