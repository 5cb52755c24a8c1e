import type { KafkaMetrics } from '../metrics.ts'
import type { PartitionId, Position } from '../ports.ts'

/** How far a group's member is behind, in each of its partitions; the metrics say it, too. */
export class ReaderLag {
  readonly #group: string
  readonly #metrics: KafkaMetrics
  readonly #lag = new Map<PartitionId, { records: number; seconds: number }>()

  constructor(group: string, metrics: KafkaMetrics) {
    this.#group = group
    this.#metrics = metrics
  }

  /** Records behind the positions, and the greatest age of a last record taken, over all partitions. */
  all(): { records: number; seconds: number } {
    const all = [...this.#lag.values()]
    return {
      records: all.reduce((sum, { records }) => sum + records, 0),
      seconds: Math.max(0, ...all.map(({ seconds }) => seconds)),
    }
  }

  /** `lastAt`: Unix ms of the last record taken; without one the age stays, until nothing is left to take. */
  measure(partition: PartitionId, position: Position, high: Position, lastAt?: number): void {
    const records = Math.max(0, high - position)
    const before = this.#lag.get(partition)?.seconds ?? 0
    const seconds = records === 0 ? 0 : lastAt === undefined ? before : Math.max(0, (Date.now() - lastAt) / 1000)
    this.#lag.set(partition, { records, seconds })
    const labels = this.#labels(partition)
    this.#metrics.position.set(labels, position)
    this.#metrics.lag.set(labels, records)
    this.#metrics.lagSeconds.set(labels, seconds)
  }

  /** The partition is no longer ours. */
  drop(partition: PartitionId): void {
    this.#lag.delete(partition)
    for (const gauge of ['position', 'lag', 'lagSeconds'] as const) this.#metrics[gauge].remove(this.#labels(partition))
  }

  #labels(partition: PartitionId): { group: string; partition: string } {
    return { group: this.#group, partition: String(partition) }
  }
}
