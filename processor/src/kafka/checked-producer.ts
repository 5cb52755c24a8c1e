import { CompressionTypes, type Producer, type RecordMetadata } from 'kafkajs'
import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import type { KafkaMetrics } from '../metrics.ts'
import type { PartitionId } from '../ports.ts'
import { answerWithin } from './answer-within.ts'
import { EncodedRecords } from './encoded-records.ts'
import { gzipRecords } from './gzip-codec.ts'
import type { KafkaConnection } from './kafka-connection.ts'
import { kafkaError, kafkaErrorType } from './kafka-error.ts'
import { encodeRecords, type OutgoingRecord } from './record-encoder.ts'

export interface CheckedProducerOptions {
  kafka: KafkaConnection
  metrics: KafkaMetrics
  log: Logger
}

/** The records were not taken because the broker's limit is smaller than they are: send fewer at once. */
export class RecordsTooLarge extends Error {}

interface Lease {
  producer: Producer
  /** Sends under way: a producer that is given up is disconnected behind the last of them. */
  users: number
  isGivenUp: boolean
}

/**
 * Sends records to one partition at a time, idempotently and to all replicas in sync, and believes only a result that names
 * that partition. kafkajs 2.2.4 forgets partitions when a broker dies during a send over several of them (tulios/kafkajs
 * pull request 1798), and answers `[]` for a partition that it has no metadata for.
 *
 * After a failure the producer is given up, for its sequence numbers may no longer be the broker's; the next `send` makes a
 * new one. The caller sends the same records again, which repeats them at worst.
 */
export class CheckedProducer {
  readonly #options: CheckedProducerOptions
  #lease: Promise<Lease> | undefined

  constructor(options: CheckedProducerOptions) {
    this.#options = options
  }

  /**
   * Resolves when the records are acknowledged. Rejects with `RecordsTooLarge`, or with a `ProcessorError`. One call at a
   * time for each partition of a topic. `timestamp`: Unix ms, of all of them; a topic with LogAppendTime has its own.
   */
  async send(
    topic: string,
    partition: PartitionId,
    records: readonly OutgoingRecord[],
    timestamp: number = Date.now(),
  ): Promise<void> {
    const { kafka, metrics, log } = this.#options
    const started = performance.now()
    const encoded = new EncodedRecords(partition, await gzipRecords(encodeRecords(records)), records.length, timestamp)
    this.#lease ??= this.#connect()
    const asked = this.#lease
    let lease: Lease | undefined
    try {
      lease = await answerWithin(kafka.callTimeoutMs, asked)
      lease.users++
      const sent = lease.producer.send({
        topic,
        acks: -1,
        timeout: Math.round(kafka.requestTimeoutMs * 0.75),
        compression: CompressionTypes.GZIP,
        messages: encoded.asMessages(),
      })
      const result = await answerWithin(kafka.callTimeoutMs, sent)
      checkResult(result, topic, partition)
    } catch (error) {
      if (kafkaErrorType(error) === 'MESSAGE_TOO_LARGE') throw new RecordsTooLarge()
      if (lease === undefined && this.#lease === asked) this.#lease = undefined
      if (lease !== undefined && !lease.isGivenUp) {
        lease.isGivenUp = true
        this.#lease = undefined
        metrics.clientFailures.inc({ client: 'producer' })
        log.debug({ topic, partition, err: error }, 'The producer is given up for a new one')
      }
      throw kafkaError(error, `Records of ${topic} ${partition} are sent`)
    } finally {
      if (lease !== undefined) this.#release(lease)
    }
    metrics.sendSeconds.observe({ topic }, (performance.now() - started) / 1000)
    metrics.sentRecords.inc({ topic }, records.length)
  }

  async close(): Promise<void> {
    const lease = await this.#lease?.catch(() => undefined)
    this.#lease = undefined
    await lease?.producer.disconnect().catch(() => {})
  }

  #release(lease: Lease): void {
    lease.users--
    // Not awaited: it may wait for a broker that is gone.
    if (lease.isGivenUp && lease.users === 0) lease.producer.disconnect().catch(() => {})
  }

  async #connect(): Promise<Lease> {
    const producer = this.#options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      // kafkajs refuses 0 for an idempotent producer; who calls `send` tries again in any case.
      retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    })
    try {
      await producer.connect()
      return { producer, users: 0, isGivenUp: false }
    } catch (error) {
      this.#lease = undefined
      producer.disconnect().catch(() => {})
      throw error
    }
  }
}

/** One entry, of this partition, without error and with an offset: anything else is no acknowledgement. */
function checkResult(result: readonly RecordMetadata[], topic: string, partition: PartitionId): void {
  const [entry] = result
  const isAcknowledged =
    result.length === 1 &&
    entry?.topicName === topic &&
    entry.partition === partition &&
    entry.errorCode === 0 &&
    Number(entry.baseOffset) >= 0
  if (isAcknowledged) return
  throw new ProcessorError(
    'KAFKA_UNAVAILABLE',
    `${topic} ${partition} did not acknowledge what was sent to it. Found: ${JSON.stringify(result)}.`,
    { retryable: true },
  )
}
