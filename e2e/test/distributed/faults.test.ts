import { findHdfs, findKafka, findMariadb, findRedis, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faultRound } from '../../src/distributed/fault-round.ts'
import { FAULTS } from '../../src/distributed/faults.ts'
import { type Services, startServices } from '../../src/distributed/services.ts'
import { seededRandom } from '../../src/seeded-random.ts'

const isThere = [
  serviceOrSkip('Kafka', findKafka()),
  serviceOrSkip('Redis', findRedis()),
  serviceOrSkip('MariaDB', findMariadb()),
  serviceOrSkip('HDFS', findHdfs()),
].every(Boolean)
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

describe.skipIf(!isThere)('the distributed mode loses nothing and counts nothing twice when', () => {
  let services: Services
  beforeAll(async () => {
    services = await startServices()
  }, 300_000)
  afterAll(() => services?.stop())

  it('each of its parts is killed, hangs or comes and goes, twice', async () => {
    console.log(`SEED=${seed}`)
    const result = await faultRound(services, seededRandom(seed).shuffled([...FAULTS, ...FAULTS]), seed)
    console.log(JSON.stringify({ ...result, lost: result.lost.length, twice: result.twice.length }))
    expect(result).toMatchObject({ lost: [], twice: [], invented: [], wrongCounters: [] })
    expect(result.acknowledged).toBeGreaterThan(1000)
  }, 1_200_000)
})
