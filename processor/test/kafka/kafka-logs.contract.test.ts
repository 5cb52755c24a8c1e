import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe, vi } from 'vitest'
import { topicNames } from '../../src/kafka/topic-names.ts'
import { kafkaLogReader } from '../../src/logs/kafka-log-reader.ts'
import { type KafkaLogWriter, kafkaLogWriter } from '../../src/logs/kafka-log-writer.ts'
import type { LogName } from '../../src/ports.ts'
import { testLogWriterReader } from '../contracts/log-writer-reader.ts'
import { type KafkaUnderTest, QUICK, startKafkaUnderTest } from './kafka-fixture.ts'

// Tests of this suite open many readers, and each joins a group.
vi.setConfig({ testTimeout: 180_000 })

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('topics', () => {
  let kafka: KafkaUnderTest
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(() => kafka?.stop())

  let made = 0
  testLogWriterReader({
    runs: 4, // each run makes five topics and joins three groups
    make: async () => {
      // The suite compares times with those of the batches, which LogAppendTime would replace.
      const topics = await kafka.topics(1, { 'message.timestamp.type': 'CreateTime' })
      const inputGroup = `filter-${made++}`
      let writer: KafkaLogWriter
      const open = (): KafkaLogWriter => {
        const { connection, metrics, log } = kafka
        writer = kafkaLogWriter({ kafka: connection, topics, inputGroup, source: 'test', metrics, log })
        return writer
      }
      const topicOf: Record<LogName, string> = {
        'event-log': topics.eventLog,
        'scenario-log': topics.scenarioLog,
        'dead-letter': topics.deadLetter,
      }
      const logs = {
        writer: open(),
        reader: async (logName: LogName, group: string) =>
          kafkaLogReader({
            kafka: kafka.connection,
            topic: topicOf[logName],
            logName,
            group: `${topicNames(inputGroup).eventLog}-${group}`,
            metrics: kafka.metrics,
            log: kafka.log,
            ...QUICK,
            drainMs: 20_000,
          }),
        reopen: async () => {
          // The filter commits the input's offset behind what is acknowledged; here that is the test's part.
          const position = await writer.position(0)
          await kafka.commit(inputGroup, topics.accessLog, position ?? 0)
          await writer.close()
          logs.writer = open()
        },
        close: () => writer.close(),
      }
      return logs
    },
  })
})
