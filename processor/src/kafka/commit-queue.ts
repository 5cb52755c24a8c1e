import type { Logger } from 'pino'
import type { KafkaMetrics } from '../metrics.ts'
import type { PartitionId, Position } from '../ports.ts'

export interface CommitQueueOptions {
  group: string
  /** Commits all of these at once; rejects when it cannot. */
  send(positions: ReadonlyMap<PartitionId, Position>): Promise<void>
  /** Between two commits, ms. */
  everyMs: number
  metrics: KafkaMetrics
  log: Logger
}

/**
 * Positions on their way to the group's coordinator. One commit is under way at a time; what comes meanwhile goes with the
 * next one. A commit that fails is no fault of the work that is done: it is tried again with whatever is newest then.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions
  readonly #wanted = new Map<PartitionId, Position>()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined

  constructor(options: CommitQueueOptions) {
    this.#options = options
  }

  add(partition: PartitionId, position: Position): void {
    this.#wanted.set(partition, position)
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.everyMs)
  }

  /** What is wanted and not committed yet. */
  wanted(partition: PartitionId): Position | undefined {
    return this.#wanted.get(partition)
  }

  /** The partition is another member's now. */
  drop(partition: PartitionId): void {
    this.#wanted.delete(partition)
  }

  /** Commits what is wanted now; never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#sending !== undefined) await this.#sending
    if (this.#wanted.size === 0) return
    this.#sending = this.#send()
    await this.#sending
  }

  async #send(): Promise<void> {
    const { group, send, metrics, log } = this.#options
    const positions = new Map(this.#wanted)
    try {
      await send(positions)
      for (const [partition, position] of positions)
        if (this.#wanted.get(partition) === position) this.#wanted.delete(partition)
    } catch (error) {
      metrics.failedCommits.inc({ group })
      log.debug({ group, err: error }, 'Positions could not be committed: the next commit covers them')
      this.#timer ??= setTimeout(() => void this.flush(), 1_000)
    } finally {
      this.#sending = undefined
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#wanted.clear()
  }
}
