import { randomBytes } from 'node:crypto'
import type { Kafka as KafkaServer } from '@headwater/testkit'
import { Kafka, logLevel } from 'kafkajs'
import type { Visitors } from '../visitors.ts'
import type { Tenant } from './tenant.ts'

/** Events that were put into `access-log` as lines, and nothing before: all of them are acknowledged by the broker. */
export interface LineInput extends Visitors {
  /** The ids of each partition's lines, in their order: the n-th stands at offset n. */
  readonly byPartition: readonly (readonly string[])[]
  /** Sends `count` events of scenario 5 and one visitor, dealt out over all partitions. */
  send(count: number, visitor?: string): Promise<void>
}

/** A sender of lines into the topic of a tenant with `partitions` partitions. */
export async function lineInput(kafka: KafkaServer, { name }: Tenant, partitions: number): Promise<LineInput> {
  const client = new Kafka({ brokers: [...kafka.bootstrap], logLevel: logLevel.NOTHING })
  const producer = client.producer()
  await producer.connect()
  const ids = new Set<string>()
  const byPartition = Array.from({ length: partitions }, (): string[] => [])
  return {
    acknowledged: ids,
    sent: ids,
    retries: 0,
    byPartition,
    async send(count, visitor = '0123456789abcdef') {
      const messages = Array.from({ length: count }, () => {
        const partition = ids.size % partitions
        const id = `line-${ids.size}`
        ids.add(id)
        byPartition[partition]?.push(id)
        return { partition, value: lineOf(id, visitor) }
      })
      await producer.send({ topic: `${name}-access-log`, messages, acks: -1 })
    },
    stop: () => producer.disconnect(),
  }
}

function lineOf(id: string, visitor: string): string {
  return (
    `203.0.113.7 - - [22/Nov/2026:10:00:00 +0000] "GET /5?e_n=a&memberId=1&_id=${visitor}&hw_id=${id} HTTP/1.1" ` +
    `204 0 "-" "test" "-" ${randomBytes(16).toString('hex')} ${(Date.now() / 1000).toFixed(3)} "-"`
  )
}
