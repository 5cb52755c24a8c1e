import { type DistributedServices, startDistributedServices } from '@headwater/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { faultRound } from '../../src/distributed/fault-round.ts'
import { FAULTS } from '../../src/distributed/faults.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { seededRandom } from '../../src/seeded-random.ts'
import { expectCleanRound } from '../expect-clean-round.ts'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

describe.skipIf(!servicesThere())('the distributed mode loses nothing and counts nothing twice when', () => {
  let services: DistributedServices
  beforeAll(async () => {
    services = await startDistributedServices()
  }, 300_000)
  afterAll(() => services?.stop())

  it('each of its parts is killed, hangs or comes and goes, twice', async () => {
    console.log(`SEED=${seed}`)
    const result = await faultRound(services, seededRandom(seed).shuffled([...FAULTS, ...FAULTS]), seed)
    expectCleanRound(result, 1000)
  }, 1_200_000)
})
