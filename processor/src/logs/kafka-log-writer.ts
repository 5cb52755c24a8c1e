import type { Logger } from 'pino'
import { ProcessorError } from '../errors.ts'
import { CheckedProducer, RecordsTooLarge } from '../kafka/checked-producer.ts'
import { countIds, decodeIdRecord } from '../kafka/id-record.ts'
import {
  cutRecords,
  deadLetterRecord,
  type JudgedRecordsOptions,
  judgedRecords,
  type OutRecord,
  oversizeLetter,
} from '../kafka/judged-records.ts'
import type { KafkaConnection } from '../kafka/kafka-connection.ts'
import { PartitionRecords } from '../kafka/partition-records.ts'
import type { TopicNames } from '../kafka/topic-names.ts'
import type { KafkaMetrics } from '../metrics.ts'
import type { IdBatch, JudgedBatch, LogWriter, PartitionId, Position } from '../ports.ts'

export interface KafkaLogWriterOptions {
  kafka: KafkaConnection
  topics: TopicNames
  /** The group that reads access-log: its committed offsets are what every earlier owner of a partition had done. */
  inputGroup: string
  /** The line source's name, for dead letters. */
  source: string
  /** `topics.generation`: raised when access-log is made anew. Default 0. */
  generation?: number
  /** What the duplicate window can use: `ids` reads no more of event-ids than that. Default: all of it. */
  dedup?: { windowMs: number; maxIds: number }
  /** Uncompressed bytes of one send, below the topics' `max.message.bytes`. Default 900 000. */
  maxSendBytes?: number
  metrics: KafkaMetrics
  log: Logger
}

export interface KafkaLogWriter extends LogWriter {
  close(): Promise<void>
}

/** A batch that is being appended: what the topics have still to take. */
interface Work {
  batch: JudgedBatch
  /** Topic → series of records, the first one next. */
  left: Map<string, OutRecord[][]>
  letters: OutRecord[]
  /** Dead letters are sent last: those of records that turned out to be too large belong among them, in order. */
  isLettersCut: boolean
}

/** Log time lags behind the clock by at most this much within one partition. */
const SLACK_MS = 3_600_000
const FIRST_LOOK_BACK = 256

/**
 * `LogWriter` over the topics event-log, scenario-log, event-ids and dead-letter; the output partition is the input one.
 *
 * No transactions. What holds instead: a batch [a, b) is sent only when everything below a is acknowledged, in each topic
 * series by series, so a partition may have repeats but no holes, and whoever reads skips a record whose order key is not
 * greater than the last it took. `append` resolves when all topics have acknowledged; only then is b committed as the
 * group's input offset. A rejected `append` keeps what is acknowledged: the same batch again sends the rest.
 */
export function kafkaLogWriter(options: KafkaLogWriterOptions): KafkaLogWriter {
  const { kafka, topics, inputGroup, metrics, log, dedup } = options
  const { maxSendBytes = 900_000 } = options
  const encoding: JudgedRecordsOptions = { generation: options.generation ?? 0, source: options.source }
  const producer = new CheckedProducer({ kafka, metrics, log })
  /** Behind what this process has had acknowledged, or has found committed. */
  const done = new Map<PartitionId, Position>()
  const inWork = new Map<PartitionId, Work>()

  async function committed(partition: PartitionId): Promise<Position | undefined> {
    const [found] = await kafka.admin(`Committed offsets of ${inputGroup} are read`, admin =>
      admin.fetchOffsets({ groupId: inputGroup, topics: [topics.accessLog] }),
    )
    const offset = Number(found?.partitions.find(it => it.partition === partition)?.offset ?? -1)
    // −1: none. −2: kafkajs was thrown back to the beginning and wrote over what was there.
    return offset >= 0 ? offset : undefined
  }

  function start(batch: JudgedBatch): Work {
    const records = judgedRecords(batch, encoding)
    const left = new Map([
      [topics.eventLog, cutRecords(records.events, maxSendBytes)],
      [topics.scenarioLog, cutRecords(records.outcomes, maxSendBytes)],
      [topics.eventIds, cutRecords(records.ids, maxSendBytes)],
    ])
    return { batch, left, letters: records.deadLetters, isLettersCut: false }
  }

  /** Sends a topic's series one after the other. A series that the broker finds too large is halved. */
  async function sendAll(work: Work, topic: string): Promise<void> {
    const series = work.left.get(topic)!
    for (let next = series[0]; next !== undefined; next = series[0]) {
      try {
        await producer.send(
          topic,
          work.batch.partition,
          next.map(({ record }) => record),
          work.batch.arrivedAt,
        )
        series.shift()
      } catch (error) {
        if (!(error instanceof RecordsTooLarge)) throw error
        series.shift()
        if (next.length > 1) {
          const middle = Math.ceil(next.length / 2)
          series.unshift(next.slice(0, middle), next.slice(middle))
        } else refuse(work, topic, next[0]!)
      }
    }
  }

  /** A record that the topic can never take must not hold up the partition. */
  function refuse(work: Work, topic: string, record: OutRecord): void {
    const { partition, arrivedAt } = work.batch
    metrics.oversizeRecords.inc({ topic })
    log.error(
      { topic, partition, position: record.position, index: record.index, bytes: record.bytes },
      'A record is larger than its topic takes (max.message.bytes): a dead letter stands for it',
    )
    if (topic === topics.deadLetter || topic === topics.eventIds) return
    work.letters.push(deadLetterRecord(oversizeLetter(record, arrivedAt, encoding), work.batch, encoding))
  }

  async function finish(work: Work): Promise<void> {
    const results = await Promise.allSettled(
      [topics.eventLog, topics.scenarioLog, topics.eventIds].map(topic => sendAll(work, topic)),
    )
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    if (!work.isLettersCut) {
      const letters = work.letters.sort((a, b) => a.position - b.position || a.index - b.index)
      work.left.set(topics.deadLetter, cutRecords(letters, maxSendBytes))
      work.isLettersCut = true
    }
    await sendAll(work, topics.deadLetter)
  }

  async function* ids(partition: PartitionId, sinceMs: number): AsyncGenerator<IdBatch> {
    const { low, high } = await edges(partition)
    if (low >= high) return
    const records = new PartitionRecords(kafka, topics.eventIds, partition, inputGroup)
    await records.open()
    try {
      const from = dedup === undefined ? low : await firstNeeded(records, partition, low, high, dedup)
      let generation = 0
      let to = -1
      for await (const messages of records.read(from, high)) {
        for (const { value, offset } of messages) {
          const record = value === null ? undefined : decodeIdRecord(value)
          if (record === undefined) {
            metrics.damagedRecords.inc({ topic: topics.eventIds })
            log.error({ topic: topics.eventIds, partition, offset }, 'A record of event ids cannot be read')
            continue
          }
          if (record.generation > generation) {
            generation = record.generation
            to = -1
          }
          // A repeat, or a late one of an owner before: all of it came already.
          if (record.generation < generation || record.to <= to) continue
          to = record.to
          if (record.arrivedAt < sinceMs) continue
          // Positions of an earlier generation say nothing about this one's: all of them are done.
          const isEarlier = generation < encoding.generation
          yield { to: isEarlier ? 0 : record.to, high: record.high, low: record.low, receivedAt: record.receivedAt }
        }
      }
    } finally {
      await records.close()
    }
  }

  async function edges(partition: PartitionId): Promise<{ low: Position; high: Position }> {
    const found = await kafka.admin(`Offsets of ${topics.eventIds} are read`, admin =>
      admin.fetchTopicOffsets(topics.eventIds),
    )
    const edge = found.find(it => it.partition === partition)
    return { low: Number(edge?.low ?? 0), high: Number(edge?.high ?? 0) }
  }

  /**
   * From where on event-ids can matter: not older than the window before the last id (an id is in the log no earlier than
   * it was received), and no more than the window holds.
   */
  async function firstNeeded(
    records: PartitionRecords,
    partition: PartitionId,
    low: Position,
    high: Position,
    { windowMs, maxIds }: { windowMs: number; maxIds: number },
  ): Promise<Position> {
    let newest = 0
    let count = 0
    let from = high
    let oldest = low
    for (let step = FIRST_LOOK_BACK; from > oldest && count < maxIds; step *= 2) {
      const until = from
      from = Math.max(oldest, until - step)
      for await (const messages of records.read(from, until)) {
        for (const { value } of messages) {
          if (value === null) continue
          count += countIds(value)
          if (until === high) newest = Math.max(newest, ...(decodeIdRecord(value)?.receivedAt ?? []))
        }
      }
      if (until === high)
        oldest = Math.min(from, Math.max(low, await offsetAt(partition, newest - windowMs - SLACK_MS)))
    }
    return from
  }

  async function offsetAt(partition: PartitionId, ms: number): Promise<Position> {
    const found = await kafka.admin(`Offsets of ${topics.eventIds} are read`, admin =>
      admin.fetchTopicOffsetsByTimestamp(topics.eventIds, Math.max(0, Math.floor(ms))),
    )
    const offset = Number(found.find(it => it.partition === partition)?.offset ?? -1)
    return Math.max(0, offset)
  }

  return {
    async position(partition: PartitionId): Promise<Position | undefined> {
      const found = await committed(partition)
      const known = done.get(partition)
      inWork.delete(partition)
      const position = found === undefined ? known : Math.max(found, known ?? 0)
      if (position !== undefined) done.set(partition, position)
      return position
    },

    async append(batch: JudgedBatch): Promise<void> {
      const { partition, from, to } = batch
      if (!(to > from)) throw new RangeError(`A batch must end behind its start. Found: ${from}–${to}.`)
      const position = done.get(partition)
      if (position !== undefined && position !== from) {
        throw new ProcessorError(
          'POSITION_MISMATCH',
          `The next batch of partition ${partition} must begin at ${position}, where the last one ended. Found: ${from}.`,
        )
      }
      let work = inWork.get(partition)
      if (work?.batch.from !== from || work.batch.to !== to) {
        work = start(batch)
        inWork.set(partition, work)
      }
      await finish(work)
      inWork.delete(partition)
      done.set(partition, to)
    },

    ids,

    close: () => producer.close(),
  }
}
