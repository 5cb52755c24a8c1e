import type { Batch, KafkaMessage } from 'kafkajs'
import type { Position } from '../ports.ts'

export interface NextMessages {
  messages: readonly KafkaMessage[]
  /** The offset behind them: also behind those that were compacted away or are control records. */
  to: Position
}

/**
 * What is to be handed over next of a fetched batch, from `position` on, within the limits (one message at least);
 * `undefined` when the batch has nothing at `position`.
 */
export function nextMessages(
  batch: Pick<Batch, 'messages' | 'firstOffset' | 'lastOffset'>,
  position: Position,
  limits: { maxBatchBytes: number; maxBatchRecords: number },
): NextMessages | undefined {
  const { messages } = batch
  const end = Number(batch.lastOffset()) + 1
  if (position < Number(batch.firstOffset()) || position >= end) return undefined
  const start = indexOfOffset(messages, position)
  let stop = start
  for (let bytes = 0; stop < messages.length && stop - start < limits.maxBatchRecords; stop++) {
    bytes += messages[stop]!.value?.length ?? 0
    if (bytes > limits.maxBatchBytes && stop > start) break
  }
  const to = stop < messages.length ? Number(messages[stop]!.offset) : end
  return { messages: messages.slice(start, stop), to }
}

/** The first message at or behind `position`. */
function indexOfOffset(messages: readonly KafkaMessage[], position: Position): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (Number(messages[middle]!.offset) < position) low = middle + 1
    else high = middle
  }
  return low
}
