import type { Assignment, Consumer, PartitionId, Position } from '../../src/ports.ts'

export interface Recording<Batch> {
  consumer: Consumer<Batch>
  /** Every call in its order. */
  calls: string[]
  assignments: Assignment[]
  batches: Batch[]
  /** Resolves when `isDone` holds; looked at after every call. Rejects after 15 s. */
  until(isDone: () => boolean): Promise<void>
}

/** A consumer that takes everything from `begin` (the committed position, else the oldest) and writes down what happens. */
export function recordingConsumer<Batch extends { to: Position }>(
  overrides: Partial<Consumer<Batch>> = {},
): Recording<Batch> {
  const calls: string[] = []
  const assignments: Assignment[] = []
  const batches: Batch[] = []
  let wake = (): void => {}
  const called = (call: string): void => {
    calls.push(call)
    wake()
  }
  const consumer: Consumer<Batch> = {
    async assigned(assignment: Assignment) {
      assignments.push(assignment)
      const begin = overrides.assigned
        ? await overrides.assigned(assignment)
        : (assignment.committed ?? assignment.oldest)
      called('assigned')
      return begin
    },
    async take(batch: Batch) {
      const next = overrides.take ? await overrides.take(batch) : batch.to
      batches.push(batch)
      called('take')
      return next
    },
    async tick(partition: PartitionId) {
      const next = overrides.tick ? await overrides.tick(partition) : undefined
      called('tick')
      return next
    },
    async revoked(partition: PartitionId) {
      await overrides.revoked?.(partition)
      called('revoked')
    },
  }
  return {
    consumer,
    calls,
    assignments,
    batches,
    until: isDone =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not reached within 15 s; calls: ${calls.join(' ')}`)), 15_000)
        wake = () => {
          if (!isDone()) return
          clearTimeout(timer)
          resolve()
        }
        wake()
      }),
  }
}

/** Runs a reader until `isDone` holds and the run has ended; resolves with the recording. */
export async function readUntil<Batch extends { to: Position }>(
  reader: { run(consumer: Consumer<Batch>, stop: AbortSignal): Promise<void> },
  isDone: (recording: Recording<Batch>) => boolean,
  overrides: Partial<Consumer<Batch>> = {},
): Promise<Recording<Batch>> {
  const recording = recordingConsumer(overrides)
  const stop = new AbortController()
  const running = reader.run(recording.consumer, stop.signal)
  try {
    await Promise.race([recording.until(() => isDone(recording)), running])
  } finally {
    stop.abort()
    await running
  }
  return recording
}

/** Reads to the end of what is there. */
export function readAll<Batch extends { to: Position }>(
  reader: { run(consumer: Consumer<Batch>, stop: AbortSignal): Promise<void> },
  overrides: Partial<Consumer<Batch>> = {},
): Promise<Recording<Batch>> {
  const recording = recordingConsumer(overrides)
  const stopped = AbortSignal.abort()
  return reader.run(recording.consumer, stopped).then(() => recording)
}

/** An error a consumer may reject with. */
export function fault(retryable: boolean): Error {
  return Object.assign(new Error(retryable ? 'the store is away' : 'a defect'), { retryable })
}
