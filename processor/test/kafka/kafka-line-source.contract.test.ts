import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe } from 'vitest'
import { type KafkaLineSource, kafkaLineSource } from '../../src/sources/kafka-line-source.ts'
import { testLineSource } from '../contracts/line-source.ts'
import { type KafkaUnderTest, QUICK, startKafkaUnderTest } from './kafka-fixture.ts'

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('access-log topic', () => {
  let kafka: KafkaUnderTest
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(() => kafka?.stop())

  let sources = 0
  testLineSource({
    make: async () => {
      const { accessLog: topic } = await kafka.topics()
      const group = `lines-${sources++}`
      const open = async (): Promise<KafkaLineSource> =>
        kafkaLineSource({
          kafka: kafka.connection,
          topic,
          group,
          name: 'test',
          metrics: kafka.metrics,
          log: kafka.log,
          ...QUICK,
          drainMs: 20_000,
          maxBatchRecords: 7,
        })
      return {
        source: await open(),
        write: async lines => {
          const values = lines.map(line => Buffer.from(line, 'latin1'))
          if (values.length > 0) await kafka.send(topic, values)
        },
        reopen: open,
        close: async () => {},
      }
    },
  })
})
