import { type ByteString, MAX_DEAD_LETTER_BYTES, MAX_LINE_BYTES } from '@headwater/core'
import type { KafkaMessage } from 'kafkajs'
import { KafkaReader, type KafkaReaderOptions } from '../kafka/kafka-reader.ts'
import type { LineBatch, LineSource, PartitionId, Position } from '../ports.ts'
import { CUT_HEADER } from '../ship/line-shipper.ts'

export interface KafkaLineSourceOptions extends KafkaReaderOptions {
  /** Names the source in ids that are made from positions. */
  name: string
}

/** `LineSource` over the topic access-log. */
export interface KafkaLineSource extends LineSource, Pick<KafkaReader<LineBatch>, 'health' | 'lag' | 'partitions'> {}

const NEWLINE = 0x0a

/**
 * Lines out of a topic: a record's value is one line as the log has it, or Fluentd's JSON of it (the parser knows both).
 * A newline at its end is no part of it. A record that a shipper has cut says so in a header. Positions are offsets; `arrivedAt` is the timestamp of the batch's last record.
 */
export function kafkaLineSource(options: KafkaLineSourceOptions): KafkaLineSource {
  return Object.assign(new KafkaReader<LineBatch>(options, lineBatch), { name: options.name })
}

function lineBatch(partition: PartitionId, from: Position, to: Position, messages: readonly KafkaMessage[]): LineBatch {
  const lines: ByteString[] = []
  const positions: Position[] = []
  const tooLong: number[] = []
  for (const { value, offset, headers } of messages) {
    const bytes = value ?? Buffer.alloc(0)
    const length = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length
    if (length > MAX_LINE_BYTES || headers?.[CUT_HEADER] !== undefined) tooLong.push(lines.length)
    lines.push(bytes.toString('latin1', 0, length > MAX_LINE_BYTES ? MAX_DEAD_LETTER_BYTES : length))
    positions.push(Number(offset))
  }
  const arrivedAt = Number(messages.at(-1)?.timestamp ?? Date.now())
  return { partition, from, to, lines, positions, tooLong, arrivedAt }
}
