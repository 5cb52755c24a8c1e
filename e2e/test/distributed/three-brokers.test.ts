import { setTimeout as pause } from 'node:timers/promises'
import { type DistributedServices, startDistributedServices } from '@headwater/testkit'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Fault, type FaultContext, faultRound } from '../../src/distributed/fault-round.ts'
import { servicesThere } from '../../src/distributed/services-there.ts'
import { seededRandom } from '../../src/seeded-random.ts'
import { expectCleanRound } from '../expect-clean-round.ts'

const isThere = servicesThere()
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

/** The others take a broker for dead after 9 s (`broker.session.timeout.ms`). */
const BEYOND_BROKER_SESSION_MS = 12_000

/** The node that leads a topic's partition 0. `__consumer_offsets` has one partition here: its leader coordinates all groups. */
async function leaderOf({ services }: FaultContext, topic: string): Promise<number> {
  const admin = new Kafka({ brokers: services.kafka.bootstrap, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader ?? 1
  } finally {
    await admin.disconnect()
  }
}

async function brokerAway(context: FaultContext, node: number): Promise<void> {
  const { kafka } = context.services
  await kafka.kill(node)
  // The others elect new leaders and go on.
  await pause(context.random.between(3000, 6000))
  await kafka.restart(node)
}

const FAULTS: readonly Fault[] = [
  {
    name: 'the broker that coordinates the groups is killed',
    inject: async context => brokerAway(context, await leaderOf(context, '__consumer_offsets')),
  },
  {
    name: 'a broker that leads a part of the events is killed',
    inject: async context => brokerAway(context, await leaderOf(context, `${context.tenant.name}-event-log`)),
  },
  {
    name: 'a broker hangs, its partitions are led by others, it wakes',
    async inject(context) {
      const { kafka } = context.services
      const node = await leaderOf(context, `${context.tenant.name}-access-log`)
      kafka.pause(node)
      try {
        await pause(BEYOND_BROKER_SESSION_MS)
      } finally {
        kafka.resume(node)
      }
    },
  },
]

describe.skipIf(!isThere)('with three brokers the distributed mode loses nothing and counts nothing twice when', () => {
  let services: DistributedServices
  beforeAll(async () => {
    services = await startDistributedServices(3)
  }, 400_000)
  afterAll(() => services?.stop())

  it('one of them is killed or hangs, twice each', async () => {
    console.log(`SEED=${seed}`)
    const result = await faultRound(services, seededRandom(seed).shuffled([...FAULTS, ...FAULTS]), seed)
    expectCleanRound(result, 500)
  }, 900_000)
})
