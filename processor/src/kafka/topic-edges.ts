import type { PartitionId, Position } from '../ports.ts'
import type { KafkaConnection } from './kafka-connection.ts'

/** What of a partition can be read: its first offset, and the one behind its last. */
export interface Edges {
  low: Position
  high: Position
}

const FRESH_MS = 500

/** The edges of a topic's partitions; at most half a second old, for all lanes of a reader ask at once. */
export class TopicEdges {
  readonly #kafka: KafkaConnection
  readonly #topic: string
  #last: { at: number; found: Promise<Map<PartitionId, Edges>> } | undefined

  constructor(kafka: KafkaConnection, topic: string) {
    this.#kafka = kafka
    this.#topic = topic
  }

  get(): Promise<ReadonlyMap<PartitionId, Edges>> {
    const last = this.#last
    return last !== undefined && performance.now() - last.at <= FRESH_MS ? last.found : this.getNow()
  }

  /** As they are at this moment. */
  getNow(): Promise<ReadonlyMap<PartitionId, Edges>> {
    const found = this.#kafka
      .admin(`Offsets of ${this.#topic} are read`, admin => admin.fetchTopicOffsets(this.#topic))
      .then(all => new Map(all.map(it => [it.partition, { low: Number(it.low), high: Number(it.high) }])))
    const asked = { at: performance.now(), found }
    this.#last = asked
    found.catch(() => {
      if (this.#last === asked) this.#last = undefined
    })
    return found
  }
}
