import { pino } from 'pino'
import { expect, test } from 'vitest'
import { driveConsumer, type Feed, type ReaderHealth } from '../src/drive-consumer.ts'
import { Waker } from '../src/waker.ts'
import { fault, type Recording, recordingConsumer } from './contracts/recording-consumer.ts'

interface NumberBatch {
  from: number
  to: number
}

/** A feed of the numbers below `length`, each a batch. */
class NumberFeed implements Feed<NumberBatch> {
  length = 0
  readonly #waker = new Waker()

  async assignment(): Promise<{ partition: number; committed: undefined; oldest: number; end: number }> {
    return { partition: 0, committed: undefined, oldest: 0, end: this.length }
  }
  async end(): Promise<number> {
    return this.length
  }
  async next(position: number): Promise<NumberBatch | undefined> {
    return position < this.length ? { from: position, to: position + 1 } : undefined
  }
  changed(timeoutMs: number): Promise<void> {
    return this.#waker.wait(timeoutMs)
  }
  interrupt(): void {
    this.#waker.wake()
  }
}

function drive(
  feed: NumberFeed,
  recording: Recording<NumberBatch>,
  stop: AbortSignal,
  health: ReaderHealth = { pausedSince: undefined },
): Promise<void> {
  const log = pino({ level: 'silent' })
  const times = { tickMs: 5, drainMs: 100, minPauseMs: 1, maxPauseMs: 5 }
  return driveConsumer(feed, recording.consumer, stop, { partition: 0, name: 'test', log, health, ...times })
}

test('after stop it goes on to the end of what was there, and not to what comes then', async () => {
  const feed = new NumberFeed()
  feed.length = 5
  const stop = new AbortController()
  const recording = recordingConsumer<NumberBatch>({
    take: async batch => {
      if (batch.from === 1) stop.abort()
      if (batch.from >= 2) feed.length += 10
      return batch.to
    },
  })
  await drive(feed, recording, stop.signal)
  expect(recording.batches.map(({ from }) => from)).toEqual([0, 1, 2, 3, 4])
  expect(recording.calls.at(-1)).toBe('revoked')
})

test('a store that stays away does not hold the end up for longer than the drain', async () => {
  const feed = new NumberFeed()
  feed.length = 1
  const stop = new AbortController()
  const health: ReaderHealth = { pausedSince: undefined }
  let attempts = 0
  const recording = recordingConsumer<NumberBatch>({
    take: async () => {
      if (++attempts === 3) {
        expect(health.pausedSince).toBeTypeOf('number')
        stop.abort()
      }
      throw fault(true)
    },
  })
  await drive(feed, recording, stop.signal, health)
  expect(attempts).toBeGreaterThan(3)
  expect(recording.calls).toEqual(['assigned', 'revoked'])
})

test('every call is made again after a retryable rejection, and health says when all is well', async () => {
  const feed = new NumberFeed()
  feed.length = 1
  const health: ReaderHealth = { pausedSince: undefined }
  const failed = new Set<string>()
  const failOnce = (call: string): void => {
    if (failed.has(call)) return
    failed.add(call)
    throw fault(true)
  }
  const stop = new AbortController()
  const recording = recordingConsumer<NumberBatch>({
    assigned: async () => {
      failOnce('assigned')
      return 0
    },
    take: async batch => {
      failOnce('take')
      return batch.to
    },
    tick: async () => {
      failOnce('tick')
      stop.abort()
      return undefined
    },
    revoked: async () => failOnce('revoked'),
  })
  await drive(feed, recording, stop.signal, health)
  expect(recording.calls).toEqual(['assigned', 'take', 'tick', 'revoked'])
  expect(health.pausedSince).toBeUndefined()
})

test('tick can seek', async () => {
  const feed = new NumberFeed()
  feed.length = 2
  const stop = new AbortController()
  let sought = false
  const recording = recordingConsumer<NumberBatch>({
    tick: async () => {
      if (sought) stop.abort()
      sought = true
      return stop.signal.aborted ? undefined : 1
    },
  })
  await drive(feed, recording, stop.signal)
  expect(recording.batches.map(({ from }) => from)).toEqual([0, 1, 1])
})

test('stopped before the partition could be assigned, nothing is revoked', async () => {
  const stop = new AbortController()
  const recording = recordingConsumer<NumberBatch>({
    assigned: async () => {
      stop.abort()
      throw fault(true)
    },
  })
  await drive(new NumberFeed(), recording, stop.signal)
  expect(recording.calls).toEqual([])
})
