import type { Logger } from 'pino'
import { GIVEN_UP, insist as insistOn, type ReaderHealth } from './insist.ts'
import type { Assignment, Consumer, PartitionId, Position } from './ports.ts'

export { isRetryable, type ReaderHealth } from './insist.ts'

/** What an embedded adapter has to bring for `driveConsumer`: one partition that can be read from any position. */
export interface Feed<Batch> {
  assignment(): Promise<Assignment>
  /** The end of what is there now, for a reader that has got to `position`. */
  end(position: Position): Promise<Position>
  /**
   * The batch that begins at `position`, or `undefined` when there is nothing yet. `draining`: the end is near, hand over
   * what is there without waiting for more.
   */
  next(position: Position, draining: boolean): Promise<Batch | undefined>
  /** Resolves when there may be more to read, and in any case after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void>
  /** Ends a `changed` that is under way, or the next one, at once. */
  interrupt(): void
}

export interface DriveOptions {
  partition: PartitionId
  /** Names the reader in log lines. */
  name: string
  log: Logger
  health: ReaderHealth
  /** Longest time between two ticks while there is nothing to take. */
  tickMs?: number
  /** How long reading goes on after `stop`. */
  drainMs?: number
  /** First pause after a retryable error; doubles up to `maxPauseMs`. */
  minPauseMs?: number
  maxPauseMs?: number
  /** A pause as long as this is an error in the log, not a warning. */
  alarmMs?: number
}

/**
 * Runs one consumer over one feed, as `Reader.run` promises:
 *
 *   assigned ─▶ take ⇄ (wait, tick) ─▶ stop ─▶ take until the end that was there, ≤ drainMs ─▶ revoked
 *
 * A retryable rejection of any call (the feed's too) repeats that call after a growing pause. Any other rejection ends the
 * run with that error at once; the consumer gets no further call, for nothing is known about what it holds.
 */
export async function driveConsumer<Batch>(
  feed: Feed<Batch>,
  consumer: Consumer<Batch>,
  stop: AbortSignal,
  options: DriveOptions,
): Promise<void> {
  const { partition, name, log, tickMs = 500, drainMs = 5_000 } = options
  let deadline = Number.POSITIVE_INFINITY
  let endPause: (() => void) | undefined
  // One listener for the whole run and no Promise.race with a promise that lives as long: each race would leave a reaction.
  const stopped = (): void => {
    deadline = performance.now() + drainMs
    endPause?.()
    feed.interrupt()
  }
  if (stop.aborted) stopped()
  else stop.addEventListener('abort', stopped, { once: true })

  /** `stop` ends the pause under way; those that follow while draining are whole again. */
  const pause = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const timer = setTimeout(() => endPause?.(), Math.min(ms, Math.max(0, deadline - performance.now())))
      endPause = () => {
        clearTimeout(timer)
        endPause = undefined
        resolve()
      }
    })

  const insist = async <T>(call: string, attempt: () => Promise<T>): Promise<T | typeof GIVEN_UP> => {
    const result = await insistOn(call, attempt, { ...options, isOver: () => performance.now() >= deadline, pause })
    if (result === GIVEN_UP)
      log.warn({ reader: name, partition, call }, 'Stopped before the end: the rest is read after the next start')
    return result
  }

  try {
    const begin = await insist('assigned', async () => consumer.assigned(await feed.assignment()))
    if (begin === GIVEN_UP) return
    let position = begin
    let lastTick = performance.now()
    let drainTo: Position | undefined
    for (;;) {
      if (stop.aborted) {
        if (drainTo === undefined) {
          const there = position
          const end = await insist('end', () => feed.end(there))
          if (end === GIVEN_UP) break
          drainTo = end
        }
        if (position >= drainTo || performance.now() >= deadline) break
      }
      const from = position
      const batch = await insist('read', () => feed.next(from, stop.aborted))
      if (batch === GIVEN_UP) break
      if (batch !== undefined) {
        const next = await insist('take', () => consumer.take(batch))
        if (next === GIVEN_UP) break
        position = next
        continue
      }
      if (stop.aborted) {
        if (drainTo !== undefined) break
        continue
      }
      const untilTick = lastTick + tickMs - performance.now()
      if (untilTick <= 0) {
        const next = await insist('tick', () => consumer.tick(partition))
        if (next === GIVEN_UP) break
        lastTick = performance.now()
        if (next !== undefined) position = next
        continue
      }
      await feed.changed(untilTick)
    }
    await insist('revoked', () => consumer.revoked(partition))
  } finally {
    stop.removeEventListener('abort', stopped)
  }
}
