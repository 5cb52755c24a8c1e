import type { Logger } from 'pino'
import type { PartitionId } from './ports.ts'

/** How a reader is doing, for `/readyz` and the alarm. */
export interface ReaderHealth {
  /** Unix ms since when the same call has been failing with a retryable error; `undefined` when all is well. */
  pausedSince: number | undefined
}

export interface InsistOptions {
  partition: PartitionId
  /** Names the reader in log lines. */
  name: string
  log: Logger
  health: ReaderHealth
  /** Whether to stop trying: asked after each failure. */
  isOver(): boolean
  /** Sleeps; may be ended early. */
  pause(ms: number): Promise<void>
  /** First pause after a retryable error; doubles up to `maxPauseMs`. */
  minPauseMs?: number | undefined
  maxPauseMs?: number | undefined
  /** A pause as long as this is an error in the log, not a warning. */
  alarmMs?: number | undefined
}

/** Given up: a retryable error outlived the time there was. What was not done is done after the next start. */
export const GIVEN_UP: unique symbol = Symbol('given up')

/** Makes a call until it does not reject with a retryable error; other rejections are the caller's. */
export async function insist<T>(
  call: string,
  attempt: () => Promise<T>,
  options: InsistOptions,
): Promise<T | typeof GIVEN_UP> {
  const { partition, name, log, health, minPauseMs = 100, maxPauseMs = 5_000, alarmMs = 60_000 } = options
  let alarmed = false
  for (let pauseMs = minPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
    try {
      const result = await attempt()
      if (health.pausedSince !== undefined) {
        log.info({ reader: name, partition, call, pausedMs: Date.now() - health.pausedSince }, 'Reading goes on')
        health.pausedSince = undefined
      }
      return result
    } catch (error) {
      if (!isRetryable(error)) throw error
      if (health.pausedSince === undefined) {
        health.pausedSince = Date.now()
        log.warn({ reader: name, partition, call, err: error }, 'Reading pauses until a store answers again')
      } else if (!alarmed && Date.now() - health.pausedSince >= alarmMs) {
        alarmed = true
        log.error({ reader: name, partition, call, err: error }, 'Reading has paused for long: a store is away')
      }
      if (options.isOver()) return GIVEN_UP
      await options.pause(pauseMs)
    }
  }
}

/** Whether making the same call again may help: any error that says `retryable: true`. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && (error as { retryable?: unknown }).retryable === true
}
