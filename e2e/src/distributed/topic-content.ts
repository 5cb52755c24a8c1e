import type { Kafka as KafkaClient } from 'kafkajs'

/** A record as a reader of the topic gets it; texts have one character a byte. */
export interface TopicRecord {
  partition: number
  key: string | undefined
  value: string
}

/** All records that a topic holds now, each partition's in its order. Rejects when they do not come within a minute. */
export async function topicContent(client: KafkaClient, topic: string): Promise<TopicRecord[]> {
  const admin = client.admin()
  await admin.connect()
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]))
  await admin.disconnect()
  const wanted = [...ends.values()].reduce((sum, end) => sum + end, 0)
  const records: TopicRecord[] = []
  if (wanted === 0) return records
  const groupId = `content-${topic}-${process.hrtime.bigint()}`
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 200 })
  let timer: NodeJS.Timeout | undefined
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${records.length} of ${wanted} records of ${topic} came`)), 60_000)
      const eachBatch = async ({ batch }: Parameters<NonNullable<RunConfig['eachBatch']>>[0]): Promise<void> => {
        for (const { key, value } of batch.messages)
          records.push({
            partition: batch.partition,
            key: key?.toString('latin1'),
            value: value?.toString('latin1') ?? '',
          })
        if (records.length >= wanted) resolve()
      }
      consumer.run({ autoCommit: false, eachBatch }).catch(reject)
    })
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
  }
  return records
}

type RunConfig = NonNullable<Parameters<ReturnType<KafkaClient['consumer']>['run']>[0]>
