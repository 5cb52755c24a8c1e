import { startKafka } from '@headwater/testkit'
import type { Message } from 'kafkajs'
import { type Logger, pino } from 'pino'
import { Registry } from 'prom-client'
import { isRetryable } from '../../src/insist.ts'
import { KafkaConnection, type KafkaOptions } from '../../src/kafka/kafka-connection.ts'
import { type TopicNames, topicNames } from '../../src/kafka/topic-names.ts'
import { createProcessorMetrics, type KafkaMetrics } from '../../src/metrics.ts'

/** Small waits and limits, so that joins and stops take no seconds. */
export const QUICK = {
  fetchWaitMs: 50,
  heartbeatMs: 200,
  tickMs: 200,
  commitEveryMs: 20,
  leaveMs: 5_000,
  minPauseMs: 20,
  maxPauseMs: 200,
}

/** A broker, and what tests of its clients need. One a file: it takes seconds to start. */
export interface KafkaUnderTest {
  broker: Awaited<ReturnType<typeof startKafka>>
  connection: KafkaConnection
  connect(options?: Partial<KafkaOptions>): KafkaConnection
  metrics: KafkaMetrics
  /** Lines of the log, `level message`, newest last. */
  said: string[]
  log: Logger
  /** The five topics under a prefix of their own, with LogAppendTime unless `settings` say otherwise. */
  topics(partitions?: number, settings?: Readonly<Record<string, string>>): Promise<TopicNames>
  /** Sends values to one partition. */
  send(topic: string, values: readonly (string | Buffer)[], partition?: number): Promise<void>
  /** Commits as a member of the group would; the group must be empty. */
  commit(group: string, topic: string, offset: number, partition?: number): Promise<void>
  /** What the group has committed, as Kafka has it: −1 for nothing. */
  committed(group: string, topic: string, partition?: number): Promise<number>
  stop(): Promise<void>
}

export async function startKafkaUnderTest(options: Parameters<typeof startKafka>[0] = {}): Promise<KafkaUnderTest> {
  const broker = await startKafka(options)
  const said: string[] = []
  const log = pino(
    { level: process.env.KAFKA_TEST_LOG ?? 'info' },
    {
      write: line => {
        const { level, msg, err } = JSON.parse(line)
        said.push(`${level} ${msg}${err === undefined ? '' : ` (${err.message})`}`)
        if (process.env.KAFKA_TEST_LOG !== undefined) process.stderr.write(line)
      },
    },
  )
  const connections: KafkaConnection[] = []
  const connect = (more: Partial<KafkaOptions> = {}): KafkaConnection => {
    const made = new KafkaConnection({ brokers: broker.bootstrap, requestTimeoutMs: 6_000, ...more }, log)
    connections.push(made)
    return made
  }
  const connection = connect()
  const producer = connection.producer({})
  await producer.connect()
  let prefixes = 0
  return {
    broker,
    connection,
    connect,
    metrics: createProcessorMetrics(new Registry()).kafka,
    said,
    log,
    topics: async (partitions = 1, settings = {}) => {
      const names = topicNames(`t${prefixes++}.`)
      // In one request and without looking at them afterwards: a suite makes many.
      const config = { 'message.timestamp.type': 'LogAppendTime', ...settings }
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
      const replicationFactor = options.nodes === 3 ? 3 : 1
      const all = Object.values(names) as string[]
      const topics = all.map(topic => ({ topic, numPartitions: partitions, replicationFactor, configEntries }))
      await connection.admin('Topics are made', async admin => {
        await admin.createTopics({ topics, waitForLeaders: true }).catch(() => {})
        // Asked for its offsets, a partition answers when its leader has taken office.
        const answers = (): Promise<boolean> =>
          Promise.all(all.map(topic => admin.fetchTopicOffsets(topic))).then(
            () => true,
            () => false,
          )
        await until(answers, 'the topics are there')
      })
      return names
    },
    send: async (topic, values, partition = 0) => {
      const messages = values.map((value): Message => ({ value, partition }))
      await producer.send({ topic, messages })
    },
    // Not by `admin.setOffsets`, which takes 5 s.
    commit: async (groupId, topic, offset, partition = 0) => {
      const consumer = connection.consumer({ groupId, maxWaitTimeInMs: 20 })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
      // Else kafkajs would go on at what is committed, and write over it when that lies behind the end.
      consumer.pause([{ topic }])
      await consumer.commitOffsets([{ topic, partition, offset: String(offset) }])
      await consumer.disconnect()
    },
    committed: (groupId, topic, partition = 0) =>
      connection.admin('Offsets are read', async admin => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
        return Number(found!.partitions.find(it => it.partition === partition)?.offset ?? -1)
      }),
    stop: async () => {
      await producer.disconnect().catch(() => {})
      await Promise.all(connections.map(each => each.close()))
      await broker.stop()
    },
  }
}

/** Waits until `isTrue` holds. A retryable error is an answer too, "not yet": a broker that has just come back gives it for a while. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string, limitMs = 30_000): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    let last: unknown
    try {
      if (await isTrue()) return
    } catch (error) {
      if (!isRetryable(error)) throw error
      last = error
    }
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`, { cause: last })
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
