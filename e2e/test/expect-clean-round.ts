import { expect } from 'vitest'
import type { RoundResult } from '../src/round-result.ts'

/** Every promise held, in a round in which more than so many events were acknowledged; prints what it saw. */
export function expectCleanRound(result: RoundResult, moreThan: number): void {
  console.log(JSON.stringify({ ...result, lost: result.lost.length, twice: result.twice.length }))
  expect(result).toMatchObject({ lost: [], twice: [], invented: [], wrongCounters: [] })
  expect(result.acknowledged).toBeGreaterThan(moreThan)
}
