import { findKafka, KAFKA_MISSING, serviceOrSkip } from '@headwater/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkTopics, createTopics } from '../../src/kafka/kafka-topics.ts'
import { topicNames } from '../../src/kafka/topic-names.ts'
import { type KafkaUnderTest, startKafkaUnderTest } from './kafka-fixture.ts'

describe.skipIf(!serviceOrSkip('kafka', findKafka(), KAFKA_MISSING))('headwater topics', { timeout: 90_000 }, () => {
  let kafka: KafkaUnderTest
  beforeAll(async () => {
    kafka = await startKafkaUnderTest()
  }, 180_000)
  afterAll(() => kafka?.stop())

  const alter = (topic: string, name: string, value: string): Promise<unknown> =>
    kafka.connection.admin('A topic is altered', admin =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: topic, configEntries: [{ name, value }] }],
      }),
    )

  test('makes what is missing on a fresh cluster, and leaves what is there', async () => {
    const names = topicNames('fresh.')
    const settings = { partitions: 4, replication: 1, retentionMs: 8 * 86_400_000 }
    const made = await createTopics(kafka.connection, names, settings)
    expect(made).toEqual(Object.values(names).map(topic => ({ topic, state: 'created', differences: [] })))
    const again = await createTopics(kafka.connection, names, settings)
    expect(again.map(({ state }) => state)).toEqual(['there', 'there', 'there', 'there', 'there'])
    expect(await checkTopics(kafka.connection, names)).toBe(4)
  })

  test('says how a topic that is there differs, and changes nothing of it', async () => {
    const names = topicNames('differs.')
    await createTopics(kafka.connection, names, { partitions: 1, replication: 1 })
    await alter(names.eventLog, 'message.timestamp.type', 'CreateTime')
    const reports = await createTopics(kafka.connection, names, { partitions: 1, replication: 1 })
    expect(reports.filter(({ state }) => state !== 'there')).toEqual([
      expect.objectContaining({
        topic: 'differs.event-log',
        state: 'differs',
        differences: expect.arrayContaining([
          { setting: 'message.timestamp.type', found: 'CreateTime', wanted: 'LogAppendTime' },
        ]),
      }),
    ])
    await expect(checkTopics(kafka.connection, names)).rejects.toThrow(
      /^TOPIC_UNFIT: differs\.event-log must have message\.timestamp\.type=LogAppendTime.*Found: CreateTime\.$/,
    )
  })

  test('refuses another number of partitions than there is', async () => {
    const names = topicNames('counts.')
    await createTopics(kafka.connection, names, { partitions: 2, replication: 1 })
    const other = createTopics(kafka.connection, names, { partitions: 3, replication: 1 })
    await expect(other).rejects.toThrow(/^TOPIC_UNFIT: All topics must have 3 partitions.*counts\.access-log has 2/)
    const topicPartitions = [{ topic: names.eventIds, count: 3 }]
    await kafka.connection.admin('Partitions are added', admin => admin.createPartitions({ topicPartitions }))
    await expect(checkTopics(kafka.connection, names)).rejects.toThrow(/^TOPIC_UNFIT: .*counts\.event-ids 3/)
  })

  test('workers are told which topic is missing and what to run', async () => {
    await expect(checkTopics(kafka.connection, topicNames('none.'))).rejects.toThrow(
      'TOPIC_MISSING: There must be a topic none.access-log. Run `headwater topics`. Found: none.',
    )
  })

  test('more replicas than brokers is an error that says so', async () => {
    const made = createTopics(kafka.connection, topicNames('wide.'), { partitions: 1, replication: 3 })
    await expect(made).rejects.toThrow(/INVALID_REPLICATION_FACTOR/)
  })
})
