import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import { CheckedProducer } from '../kafka/checked-producer.ts'
import type { KafkaConnection } from '../kafka/kafka-connection.ts'
import type { KafkaMetrics, ShipMetrics } from '../metrics.ts'
import type { LineSource } from '../ports.ts'
import { LineShipper } from './line-shipper.ts'

export interface ShipLinesOptions {
  /** The access log: `accessLogSource`. Batches of 1 MiB (`maxBatchBytes`) cost least. */
  source: LineSource
  kafka: KafkaConnection
  /** Kafka's `access-log`. */
  topic: string
  log: Logger
  metrics: { kafka: KafkaMetrics; ship: ShipMetrics }
}

/**
 * Takes the lines of an access log to a Kafka topic until `stop` aborts, then those that are there (at most 5 s): what
 * Fluentd does with `fluentd/fluent.conf`, in one process less. At least once: the position is committed when Kafka has
 * acknowledged all lines before it. While Kafka is away or denies it, reading pauses (`source.health`) and nothing is left
 * out. Rejects when a person is needed (KAFKA_LOGIN_REFUSED, KAFKA_TLS_REFUSED, a damaged state file).
 */
export async function shipLines(options: ShipLinesOptions, stop: AbortSignal): Promise<void> {
  const { source, kafka, topic, log, metrics } = options
  const producer = new CheckedProducer({ kafka, metrics: metrics.kafka, log })
  const shipper = new LineShipper({
    producer,
    topic,
    partitions: () => partitionsOf(kafka, topic),
    commit: (partition, position) => source.commit(partition, position),
    metrics: metrics.ship,
    log,
  })
  try {
    await source.run(shipper, stop)
  } finally {
    await producer.close()
  }
}

async function partitionsOf(kafka: KafkaConnection, topic: string): Promise<number> {
  const partitions = await kafka.admin(`The partitions of ${topic} are counted`, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.length ?? 0
  })
  if (partitions > 0) return partitions
  throw new ProcessorError('TOPIC_MISSING', `${topic} must have partitions. Run \`headwater topics\`. Found: none.`, {
    retryable: true,
  })
}
