import { randomBytes } from 'node:crypto'
import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isRetryable } from '../../src/insist.ts'
import { CheckedProducer } from '../../src/kafka/checked-producer.ts'
import type { TopicNames } from '../../src/kafka/topic-names.ts'
import { kafkaLogReader } from '../../src/logs/kafka-log-reader.ts'
import { type KafkaLogWriter, type KafkaLogWriterOptions, kafkaLogWriter } from '../../src/logs/kafka-log-writer.ts'
import { compareOrderKeys } from '../../src/order-key.ts'
import type { EntryBatch, IdBatch, JudgedBatch, LogEntry, LogName, OrderKey } from '../../src/ports.ts'
import { judgedBatch } from '../contracts/judged-batch.ts'
import { readAll } from '../contracts/recording-consumer.ts'
import { type KafkaUnderTest, QUICK, startKafkaUnderTest } from './kafka-fixture.ts'

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('a writer of topics', { timeout: 120_000 }, () => {
  let kafka: KafkaUnderTest
  const writers: KafkaLogWriter[] = []
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(async () => {
    await Promise.all(writers.map(writer => writer.close()))
    await kafka?.stop()
  }, 60_000)

  let groups = 0
  const writer = (topics: TopicNames, more: Partial<KafkaLogWriterOptions> = {}): KafkaLogWriter => {
    const { connection, metrics, log } = kafka
    const inputGroup = `filter-of-${topics.accessLog}`
    const made = kafkaLogWriter({ kafka: connection, topics, inputGroup, source: 'test', metrics, log, ...more })
    writers.push(made)
    return made
  }
  async function entriesOf(topics: TopicNames, logName: LogName): Promise<LogEntry[]> {
    const topic = {
      'event-log': topics.eventLog,
      'scenario-log': topics.scenarioLog,
      'dead-letter': topics.deadLetter,
    }[logName]
    const { connection, metrics, log } = kafka
    const group = `reader-${groups++}`
    const options = { kafka: connection, topic, logName, group, metrics, log, ...QUICK, drainMs: 30_000 }
    const { batches } = await readAll<EntryBatch>(kafkaLogReader(options))
    return batches.flatMap(({ entries }) => entries)
  }
  /** What a sink keeps of a log: records whose order key is greater than the last one's. */
  function kept(entries: readonly LogEntry[]): OrderKey[] {
    const orders: OrderKey[] = []
    for (const { order } of entries) {
      const last = orders.at(-1)
      if (last === undefined || compareOrderKeys(order, last) > 0) orders.push(order)
    }
    return orders
  }
  const keys = (batches: readonly JudgedBatch[], scenarios: boolean): OrderKey[] =>
    batches.flatMap(({ events }) =>
      events.flatMap(({ position, index, outcomes }) =>
        (scenarios ? outcomes.map(({ scenarioId }) => scenarioId) : [0]).map(scenarioId => {
          return { generation: 0, position, index, scenarioId }
        }),
      ),
    )
  /** As the filter's driver does: the same batch until it is taken. */
  async function insistOn(to: KafkaLogWriter, batch: JudgedBatch): Promise<number> {
    for (let failures = 0; ; failures++) {
      try {
        await to.append(batch)
        return failures
      } catch (error) {
        if (!isRetryable(error)) throw error
        await new Promise(resolve => setTimeout(resolve, 200))
      }
    }
  }

  test('a broker killed in mid-flow leaves no hole, and repeats that order keys tell', async () => {
    const topics = await kafka.topics()
    const to = writer(topics)
    const batches = Array.from({ length: 150 }, (_, i) =>
      judgedBatch({ outcomes: [2, 1, 0], deadLetters: i % 2, text: 'x'.repeat(200) }, i * 100, Date.now()),
    )
    let failures = 0
    let restarted: Promise<void> | undefined
    for (const [i, batch] of batches.entries()) {
      if (i === 50) restarted = kafka.broker.kill(1).then(() => kafka.broker.restart(1))
      failures += await insistOn(to, batch)
    }
    await restarted
    expect(failures).toBeGreaterThan(0)
    expect(kept(await entriesOf(topics, 'event-log'))).toEqual(keys(batches, false))
    expect(kept(await entriesOf(topics, 'scenario-log'))).toEqual(keys(batches, true))
    expect(kept(await entriesOf(topics, 'dead-letter'))).toHaveLength(75)
  })

  test('a partition that a topic does not have is no acknowledgement', async () => {
    const topics = await kafka.topics()
    const { connection, metrics, log } = kafka
    const producer = new CheckedProducer({ kafka: connection, metrics, log })
    await producer.send(topics.eventLog, 0, [{ value: 'x' }])
    const sent = producer.send(topics.eventLog, 7, [{ value: 'x' }])
    await expect(sent).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', retryable: true })
    await expect(sent).rejects.toThrow('did not acknowledge what was sent to it. Found: [].')
    await producer.close()
  })

  test('what is appended again after a failure repeats no topic that had acknowledged all', async () => {
    const topics = await kafka.topics()
    const to = writer({ ...topics, scenarioLog: `${topics.scenarioLog}-made-later` })
    const batch = judgedBatch({ outcomes: [1, 1], deadLetters: 1, text: '' }, 0, Date.now())
    await expect(to.append(batch)).rejects.toMatchObject({ code: 'TOPIC_MISSING', retryable: true })
    expect(await to.position(0)).toBeUndefined()
    await kafka.connection.admin('A topic is made', admin =>
      admin.createTopics({ topics: [{ topic: `${topics.scenarioLog}-made-later` }] }),
    )
    // Asking for the position begins anew; the batch alone goes on.
    await expect(insistOn(to, batch)).resolves.toBeDefined()
    expect(await to.position(0)).toBe(100)
    expect(kept(await entriesOf(topics, 'event-log'))).toEqual(keys([batch], false))
    expect(await entriesOf(topics, 'dead-letter')).toHaveLength(1)
  })

  test('batches over the limit are cut, and a record that no topic takes becomes a dead letter among the others', async () => {
    const topics = await kafka.topics(1, { 'max.message.bytes': '100000' })
    const noise = (bytes: number): string => randomBytes(bytes).toString('base64')
    const many = judgedBatch({ outcomes: [1, 1, 1, 1, 1], deadLetters: 0, text: noise(40_000) }, 0, Date.now())
    const huge = judgedBatch({ outcomes: [1], deadLetters: 2, text: noise(200_000) }, 100, Date.now())
    const after = judgedBatch({ outcomes: [1], deadLetters: 0, text: '' }, 200, Date.now())
    const to = writer(topics)
    for (const batch of [many, huge, after]) await to.append(batch)
    expect((await entriesOf(topics, 'event-log')).map(({ order }) => order)).toEqual(keys([many, after], false))
    const letters = await entriesOf(topics, 'dead-letter')
    expect(letters.map(({ order }) => order.position)).toEqual([100, 100, 150, 151])
    const [letter] = letters.map(({ value }) => JSON.parse(value.toString()))
    expect(letter).toMatchObject({ reason: 'line_too_long', source: 'test', position: 100, index: 0 })
    expect(letter.raw).toHaveLength(8 * 1024)
  })

  test('the position is the greater of what is committed and what this process has had acknowledged', async () => {
    const topics = await kafka.topics()
    const group = `filter-of-${topics.accessLog}`
    const to = writer(topics)
    expect(await to.position(0)).toBeUndefined()
    await to.append(judgedBatch({ outcomes: [1], deadLetters: 0, text: '' }, 0, Date.now()))
    await kafka.commit(group, topics.accessLog, 40)
    expect(await to.position(0)).toBe(100)
    expect(await writer(topics).position(0)).toBe(40)
    await kafka.commit(group, topics.accessLog, 250)
    expect(await to.position(0)).toBe(250)
    await to.append(judgedBatch({ outcomes: [1], deadLetters: 0, text: '' }, 250, Date.now()))
  })

  test('ids are read as far back as the window reaches, and those of an earlier generation are all done', async () => {
    const topics = await kafka.topics()
    const now = Date.now()
    const old = writer(topics, { generation: 1 })
    for (let i = 0; i < 400; i++)
      await old.append(judgedBatch({ outcomes: [0, 0], deadLetters: 0, text: '' }, i * 100, now))
    const idsOf = async (from: KafkaLogWriter): Promise<IdBatch[]> => {
      const found: IdBatch[] = []
      for await (const batch of from.ids(0, 0)) found.push(batch)
      return found
    }
    expect((await idsOf(writer(topics))).map(({ to }) => to)).toEqual(
      Array.from({ length: 400 }, (_, i) => i * 100 + 100),
    )
    const limited = await idsOf(writer(topics, { dedup: { windowMs: 86_400_000, maxIds: 100 } }))
    expect(limited).toHaveLength(256)
    expect(limited.at(-1)!.to).toBe(40_000)
    const later = writer(topics, { generation: 2 })
    await later.append(judgedBatch({ outcomes: [0], deadLetters: 0, text: '' }, 0, now))
    const both = await idsOf(later)
    expect(both.slice(0, 400).every(({ to }) => to === 0)).toBe(true)
    expect(both.slice(400).map(({ to, high }) => [to, high.length])).toEqual([[100, 1]])
  })

  test('a batch that begins before what is committed is refused', async () => {
    const topics = await kafka.topics()
    const to = writer(topics)
    await kafka.commit(`filter-of-${topics.accessLog}`, topics.accessLog, 2)
    expect(await to.position(0)).toBe(2)
    const wrong = judgedBatch({ outcomes: [], deadLetters: 0, text: '' }, 0, Date.now())
    await expect(to.append(wrong)).rejects.toMatchObject({ code: 'POSITION_MISMATCH', retryable: false })
  })
})
