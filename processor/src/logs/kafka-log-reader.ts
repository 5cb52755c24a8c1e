import type { KafkaMessage } from 'kafkajs'
import { KafkaReader, type KafkaReaderOptions } from '../kafka/kafka-reader.ts'
import { decodeOrderKey, ORDER_KEY_HEADER } from '../kafka/order-key-header.ts'
import type { EntryBatch, LogEntry, LogName, LogReader } from '../ports.ts'

export interface KafkaLogReaderOptions extends KafkaReaderOptions {
  /** Which log `topic` holds. */
  logName: LogName
}

/** `LogReader` over the topic of one log. */
export interface KafkaLogReader extends LogReader, Pick<KafkaReader<EntryBatch>, 'health' | 'lag' | 'partitions'> {}

/**
 * Entries out of a topic, each with the order key that its header holds (`order-key-header.ts`). A record without one was
 * not written by a filter: it is counted and left out, for no sink could tell whether it is a repeat.
 */
export function kafkaLogReader(options: KafkaLogReaderOptions): KafkaLogReader {
  const { topic, metrics, log } = options
  const entryOf = (message: KafkaMessage): LogEntry | undefined => {
    const key = message.headers?.[ORDER_KEY_HEADER]
    const order = key instanceof Buffer ? decodeOrderKey(key) : undefined
    if (order === undefined || message.value === null) return undefined
    return { offset: Number(message.offset), order, arrivedAt: Number(message.timestamp), value: message.value }
  }
  const reader = new KafkaReader<EntryBatch>(options, (partition, from, to, messages) => {
    const entries: LogEntry[] = []
    for (const message of messages) {
      const entry = entryOf(message)
      if (entry !== undefined) entries.push(entry)
    }
    const damaged = messages.length - entries.length
    if (damaged > 0) {
      metrics.damagedRecords.inc({ topic }, damaged)
      log.error({ topic, partition, from, to, damaged }, 'Records of a log have no order key: left out')
    }
    return { partition, from, to, entries }
  })
  return Object.assign(reader, { log: options.logName })
}
