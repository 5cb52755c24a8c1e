import { parseArgs } from 'node:util'
import { startDistributedServices } from '@headwater/testkit'
import { faultRound } from './distributed/fault-round.ts'
import { FAULTS } from './distributed/faults.ts'
import { killRound } from './kill-rounds.ts'
import { isClean, type RoundResult } from './round-result.ts'
import { seededRandom } from './seeded-random.ts'

// `npm run soak -- --rounds 20`: kill rounds, all of them, a line each; ends with 1 when one was broken. With `--distributed`
// a round is every fault of the distributed mode once, in an order of its own, over real Kafka, Redis, MariaDB and HDFS.
const { values } = parseArgs({
  options: {
    distributed: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
    kills: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})
const first = Number(values.seed)
const rounds = Number(values.rounds)
const services = values.distributed ? await startDistributedServices() : undefined

function run(seed: number): Promise<RoundResult> {
  if (services === undefined) return killRound(seed, Number(values.kills))
  return faultRound(services, seededRandom(seed).shuffled(FAULTS), seed, sentence => console.log(`  ${sentence}`))
}

let broken = 0
try {
  for (let round = 0; round < rounds; round++) {
    const result = await run(first + round)
    const { lost, twice, invented, wrongCounters, ...figures } = result
    console.log(
      `round ${round + 1}/${rounds} ${isClean(result) ? 'ok' : 'BROKEN'} ${JSON.stringify(figures)} ` +
        `lost ${lost.length}, twice ${twice.length}, invented ${invented.length}, wrong counters ${wrongCounters.length}`,
    )
    for (const sentence of wrongCounters) console.log(`  ${sentence}`)
    for (const id of [...lost, ...twice, ...invented].slice(0, 10)) console.log(`  ${id}`)
    if (!isClean(result)) broken++
  }
} finally {
  await services?.stop()
}
console.log(`${rounds - broken} passed, ${broken} failed`)
process.exitCode = broken === 0 ? 0 : 1
