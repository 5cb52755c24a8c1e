import type { Logger } from 'pino'
import { GIVEN_UP, insist, type ReaderHealth } from '../insist.ts'
import type { Assignment, Consumer, PartitionId, Position } from '../ports.ts'

export interface LaneOptions<Batch> {
  partition: PartitionId
  /** Names the reader in log lines. */
  name: string
  consumer: Consumer<Batch>
  assignment(): Promise<Assignment>
  /** The consumer has said where it begins: all before is stored. */
  begins(position: Position, assignment: Assignment): void
  tickMs: number
  minPauseMs?: number | undefined
  maxPauseMs?: number | undefined
  /** The consumer rejected for good: the run ends. */
  failed(error: unknown): void
  /** `tick` resolved with a position to go on from. */
  moved(): void
  log: Logger
}

/**
 * One partition while it is ours: makes the consumer's calls for it one after the other, each again while it rejects with a
 * retryable error.
 *
 *   opening ─assigned▶ open ⇄ take, tick ─close▶ closing ─revoked▶ closed
 *
 * In `open`, a `take` that is given up because the group rebalances is kept: when the partition stays ours, the very same
 * batch is the next one taken, for a consumer may have decided on it already.
 */
export class PartitionLane<Batch> {
  readonly partition: PartitionId
  readonly health: ReaderHealth = { pausedSince: undefined }
  /** Unix ms since when the partition is ours. */
  readonly since: number = Date.now()
  readonly #options: LaneOptions<Batch>
  #state: 'opening' | 'open' | 'closing' = 'opening'
  #position: Position = 0
  #unfinished: Batch | undefined
  /** Calls given up before they succeed: the group waits for us, or the run ends. */
  #isYielding = false
  #queue: Promise<unknown>
  #isBusy = false
  #lastCall = performance.now()
  #timer: NodeJS.Timeout | undefined
  #endPause: (() => void) | undefined

  /** `before`: the lane that held the partition until now ends first. */
  constructor(options: LaneOptions<Batch>, before: Promise<unknown> = Promise.resolve()) {
    this.partition = options.partition
    this.#options = options
    this.#queue = before
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** The next offset to take. */
  get position(): Position {
    return this.#position
  }

  /** Resolves behind every call asked for so far. */
  idle(): Promise<unknown> {
    return this.#queue
  }

  get #isClosing(): boolean {
    return this.#state === 'closing'
  }

  get isYielding(): boolean {
    return this.#isYielding
  }

  /** Asks the consumer where to begin. Resolves in any case: look at `isOpen`. */
  open(): Promise<void> {
    return this.#serially(async () => {
      // Asked for twice, when a rebalance came while it was under way.
      if (this.#state !== 'opening') return
      const { consumer, assignment, tickMs } = this.#options
      const begin = await this.#insist('assigned', async () => {
        const found = await assignment()
        const position = await consumer.assigned(found)
        // Before anything is taken: what is committed from then on is the consumer's to say.
        this.#options.begins(position, found)
        return position
      })
      if (begin === GIVEN_UP || this.#isClosing) return
      this.#position = begin
      this.#state = 'open'
      this.#timer = setInterval(() => void this.#tick(), tickMs)
    })
  }

  /** What a `take` left undone, first of all. */
  get unfinished(): Batch | undefined {
    return this.#unfinished
  }

  /** Whether the batch was taken; its consumer's next position is `position` then. */
  async take(batch: Batch): Promise<boolean> {
    const isTaken = await this.#serially(async () => {
      if (this.#state !== 'open') return false
      const next = await this.#insist('take', () => this.#options.consumer.take(batch))
      if (next === GIVEN_UP) {
        this.#unfinished = batch
        return false
      }
      this.#unfinished = undefined
      this.#position = next
      return true
    })
    return isTaken === true
  }

  /** Goes on at `position`, whose predecessors are gone. */
  skipTo(position: Position): void {
    this.#position = position
  }

  /** Calls that fail are given up; `proceed` ends that. */
  yield(): void {
    this.#isYielding = true
    this.#endPause?.()
  }

  proceed(): void {
    this.#isYielding = false
  }

  /** `revoked`, behind what is under way; at most until `limitMs` have passed while it is failing. */
  close(limitMs: number): Promise<unknown> {
    const wasOpen = this.#state === 'open'
    this.#state = 'closing'
    clearInterval(this.#timer)
    this.yield()
    const deadline = performance.now() + limitMs
    return this.#serially(async () => {
      if (!wasOpen) return
      this.#isYielding = false
      const timer = setTimeout(() => this.yield(), Math.max(0, deadline - performance.now()))
      const done = await this.#insist('revoked', () => this.#options.consumer.revoked(this.partition))
      clearTimeout(timer)
      const { log, name } = this.#options
      if (done === GIVEN_UP)
        log.warn({ reader: name, partition: this.partition }, 'Left before all was stored: it is read again')
    })
  }

  /** No further call, whatever is held: after a defect. */
  abandon(): void {
    this.#state = 'closing'
    clearInterval(this.#timer)
    this.yield()
  }

  async #tick(): Promise<void> {
    const { consumer, tickMs } = this.#options
    if (this.#isBusy || this.#unfinished !== undefined || performance.now() - this.#lastCall < tickMs * 0.9) return
    await this.#serially(async () => {
      if (this.#state !== 'open') return
      const next = await this.#insist('tick', () => consumer.tick(this.partition))
      if (next === GIVEN_UP || next === undefined || next === this.#position) return
      this.#position = next
      this.#options.moved()
    })
  }

  #insist<T>(call: string, attempt: () => Promise<T>): Promise<T | typeof GIVEN_UP> {
    return insist(call, attempt, {
      ...this.#options,
      health: this.health,
      isOver: () => this.#isYielding,
      pause: ms => this.#pause(ms),
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#endPause?.(), ms)
      this.#endPause = () => {
        clearTimeout(timer)
        this.#endPause = undefined
        resolve()
      }
    })
  }

  #serially<T>(call: () => Promise<T>): Promise<T | undefined> {
    const result = this.#queue.then(async () => {
      this.#isBusy = true
      try {
        return await call()
      } catch (error) {
        this.abandon()
        this.#options.failed(error)
        return undefined
      } finally {
        this.#isBusy = false
        this.#lastCall = performance.now()
      }
    })
    this.#queue = result
    return result
  }
}
