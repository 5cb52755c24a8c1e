import { parseArgs } from 'node:util'
import { killRound } from './kill-rounds.ts'
import { isClean } from './round-result.ts'

// `npm run soak -- --rounds 20`: kill rounds until something breaks; prints a line a round, ends with 1 at the first fault.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    kills: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})
const first = Number(values.seed)
let broken = 0
for (let round = 0; round < Number(values.rounds); round++) {
  const result = await killRound(first + round, Number(values.kills))
  const { lost, twice, invented, wrongCounters, ...figures } = result
  console.log(
    `round ${round + 1}/${values.rounds} ${isClean(result) ? 'ok' : 'BROKEN'} ${JSON.stringify(figures)} ` +
      `lost ${lost.length}, twice ${twice.length}, invented ${invented.length}, wrong counters ${wrongCounters.length}`,
  )
  for (const sentence of wrongCounters) console.log(`  ${sentence}`)
  for (const id of [...lost, ...twice, ...invented].slice(0, 10)) console.log(`  ${id}`)
  if (!isClean(result)) broken++
}
console.log(`${Number(values.rounds) - broken} passed, ${broken} failed`)
process.exitCode = broken === 0 ? 0 : 1
