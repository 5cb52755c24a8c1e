import { it } from 'vitest'
import { killRound } from '../src/kill-rounds.ts'
import { expectCleanRound } from './expect-clean-round.ts'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

it.each([0, 1, 2])(
  'a server killed at random moments under load loses nothing and counts nothing twice (round %i)',
  async round => {
    console.log(`kill round ${round}: SEED=${seed} (round seed ${seed + round})`)
    const result = await killRound(seed + round, 3)
    expectCleanRound(result, 100)
  },
  180_000,
)
