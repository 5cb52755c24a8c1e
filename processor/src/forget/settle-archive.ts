import { setTimeout as pause } from 'node:timers/promises'
import { ProcessorError } from '../errors.ts'
import type { PartitionId, Position } from '../ports.ts'
import type { ArchiveSink } from '../sinks/archive-sink.ts'

export interface SettleOptions {
  /** Behind all input that is there now. */
  inputEnd: () => Promise<Position>
  /** Behind the input that was judged and written to the logs. */
  judged: () => Position | undefined
  /** Each sink, and behind the last record of its log now. */
  sinks: readonly { sink: ArchiveSink; logEnd: () => Position }[]
  /** Default 30 000. */
  deadlineMs?: number
}

const PARTITION: PartitionId = 0
const LOOK_EVERY_MS = 20

/**
 * Resolves when all that was acknowledged before the call is in published archive files: it waits for the filter, then for the
 * sinks, and has them close their files as soon as they have taken it. Rejects with a retryable STORE_UNAVAILABLE when that takes
 * longer than `deadlineMs`; nothing has changed then but the sizes of files.
 */
export async function settleArchive(options: SettleOptions): Promise<void> {
  const deadline = performance.now() + (options.deadlineMs ?? 30_000)
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    while (!condition()) {
      if (performance.now() > deadline)
        throw new ProcessorError('STORE_UNAVAILABLE', `${what} must be done in time. Found: it is behind.`, {
          retryable: true,
        })
      await pause(LOOK_EVERY_MS)
    }
  }
  const input = await options.inputEnd()
  await until('reading what has arrived', () => (options.judged() ?? 0) >= input)
  const ends = options.sinks.map(({ logEnd }) => logEnd())
  await Promise.all(
    options.sinks.map(({ sink }, i) => {
      const end = ends[i] as Position
      let asked = false
      return until('publishing what has arrived', () => {
        const at = sink.progress(PARTITION)
        if (at === undefined) return false
        if (at.published >= end) return true
        if (at.taken >= end && !asked) {
          sink.closeSoon()
          asked = true
        }
        return false
      })
    }),
  )
}
