import { type ByteString, MAX_DEAD_LETTER_BYTES } from '@headwater/core'
import type { Logger } from 'pino'
import { type CheckedProducer, RecordsTooLarge } from '../kafka/checked-producer.ts'
import { type OutgoingRecord, recordBytes } from '../kafka/record-encoder.ts'
import type { ShipMetrics } from '../metrics.ts'
import type { Assignment, Consumer, LineBatch, PartitionId, Position } from '../ports.ts'
import { keyPartition } from './key-partition.ts'
import { visitorKey } from './visitor-key.ts'

export interface LineShipperOptions {
  producer: CheckedProducer
  topic: string
  /** How many partitions the topic has now. */
  partitions(): Promise<number>
  commit(partition: PartitionId, position: Position): Promise<void>
  metrics: ShipMetrics
  log: Logger
}

/** Uncompressed; a longer line goes alone. Below the 1 MB that a broker takes by default. */
const MAX_SEND_BYTES = 900_000
/** How often to look whether the topic has more partitions; librdkafka, Fluentd's client, does it every 5 minutes. */
const LOOK_AGAIN_MS = 300_000
/** A header of records that hold the beginning of a longer line. */
export const CUT_HEADER = 'cut'
const CUT = { name: CUT_HEADER, value: '1' }

/** A batch on its way: what of it is not acknowledged yet, by partition, each in its order. */
interface Shipment {
  batch: LineBatch
  rest: Map<PartitionId, OutgoingRecord[][]>
}

/**
 * Takes access-log lines to Kafka's `access-log`: value = the line's bytes, key = `visitorKey`, the header `cut` (`1`) where
 * the value is the first 8 KiB of a line that is too long.
 *
 * Each `send` is for one partition (see `CheckedProducer`), and the next one for that partition begins when it is
 * acknowledged; so a visitor's lines arrive in their order, whatever fails. A batch is done, and its end committed, when all of
 * it is acknowledged. A failed call leaves what is not, and its repetition sends only that. A kill in between sends the
 * batch again at the next start: at least once.
 */
export class LineShipper implements Consumer<LineBatch> {
  readonly #options: LineShipperOptions
  #shipment: Shipment | undefined
  #partitions = 0
  #lookAgainAt = 0

  constructor(options: LineShipperOptions) {
    this.#options = options
  }

  async assigned({ committed, oldest }: Assignment): Promise<Position> {
    await this.#lookAtPartitions()
    return committed ?? oldest
  }

  async take(batch: LineBatch): Promise<Position> {
    if (this.#shipment?.batch !== batch) {
      if (performance.now() >= this.#lookAgainAt) await this.#lookAtPartitions()
      this.#shipment = { batch, rest: shipmentOf(batch, this.#partitions) }
    }
    const { rest } = this.#shipment
    const results = await Promise.allSettled([...rest].map(([partition, series]) => this.#send(partition, series)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    this.#shipment = undefined
    await this.#options.commit(batch.partition, batch.to)
    return batch.to
  }

  tick(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  revoked(): Promise<void> {
    return Promise.resolve()
  }

  async #lookAtPartitions(): Promise<void> {
    const { partitions, topic, log } = this.#options
    const found = await partitions()
    if (this.#partitions !== 0 && found !== this.#partitions)
      log.warn({ topic, before: this.#partitions, partitions: found }, 'The topic has more partitions: visitors move')
    this.#partitions = found
    this.#lookAgainAt = performance.now() + LOOK_AGAIN_MS
  }

  /** Sends a partition's series one by one, and takes away what is acknowledged. */
  async #send(partition: PartitionId, series: OutgoingRecord[][]): Promise<void> {
    const { producer, topic, metrics } = this.#options
    for (let records = series[0]; records !== undefined; records = series[0]) {
      try {
        await producer.send(topic, partition, records)
      } catch (error) {
        if (!(error instanceof RecordsTooLarge)) throw error
        series.splice(0, 1, ...this.#smaller(records))
        continue
      }
      series.shift()
      metrics.lines.inc(records.length)
      metrics.bytes.inc(records.reduce((sum, { value }) => sum + value.length, 0))
    }
  }

  /** What to send in place of records that the topic refuses for their size: halves, and of a single line its beginning. */
  #smaller(records: OutgoingRecord[]): OutgoingRecord[][] {
    const { topic, log } = this.#options
    const [only] = records
    if (only === undefined || records.length > 1) {
      const half = records.length >> 1
      return [records.slice(0, half), records.slice(half)]
    }
    const value = only.value as ByteString
    log.error(
      { topic, bytes: value.length, cutTo: MAX_DEAD_LETTER_BYTES },
      'A line is longer than the topic takes: only its beginning is sent; raise max.message.bytes of the topic',
    )
    return [[{ ...only, value: value.slice(0, MAX_DEAD_LETTER_BYTES), header: CUT }]]
  }
}

/** A batch's lines as records, by partition, cut into series of at most `MAX_SEND_BYTES`. */
function shipmentOf(batch: LineBatch, partitions: number): Map<PartitionId, OutgoingRecord[][]> {
  const shipment = new Map<PartitionId, OutgoingRecord[][]>()
  const bytes = new Float64Array(partitions)
  const { lines, tooLong } = batch
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as ByteString
    const key = visitorKey(line)
    const partition = keyPartition(key, partitions)
    const isCut = tooLong.length > 0 && tooLong.includes(i)
    const record: OutgoingRecord = isCut ? { key, value: line, header: CUT } : { key, value: line }
    let series = shipment.get(partition)
    if (series === undefined) {
      series = []
      shipment.set(partition, series)
    }
    const size = recordBytes(record)
    const last = series[series.length - 1]
    if (last === undefined || (bytes[partition] as number) + size > MAX_SEND_BYTES) {
      series.push([record])
      bytes[partition] = size
    } else {
      last.push(record)
      bytes[partition] = (bytes[partition] as number) + size
    }
  }
  return shipment
}
