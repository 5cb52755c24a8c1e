import { Counters, type CountersJson } from '@headwater/core'
import { ProcessorError } from '../errors.ts'
import type { OrderKey, PartitionId, Position, SinkPosition, StatsStore } from '../ports.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import { fileIdentity } from './file-identity.ts'

/*
 * state/stats.json, replaced as a whole (counters and position together):
 *
 *   {"format":1,"partitions":{"0":{"position":17,"order":[0,4711,0,5],"counters":{"series":[…]}}}}
 *
 * `order` is [generation, position, index, scenario id] of the last record accepted, null before the first.
 */
interface StoredPartition {
  position: Position
  order: [number, number, number, number] | null
  counters: CountersJson
}

const NO_FILE = 'none'

export interface StateFileStatsStoreOptions {
  /** `state/stats.json`. */
  file: string
}

/**
 * Counters in one state file. A write costs an fsync and the whole file (12 KB for 20 scenarios, up to 19 KB each when they
 * are busy for weeks), so apply every few seconds. One process writes; any number may `load` meanwhile.
 * Rejects with FORMAT_UNKNOWN or STATE_DAMAGED when the file is not ours or broken.
 */
export function stateFileStatsStore({ file }: StateFileStatsStoreOptions): StatsStore {
  let partitions = new Map<PartitionId, StoredPartition>()
  /** Names the content that `partitions` was read from or written as; another one means that somebody else wrote. */
  let known: string | undefined

  async function refresh(): Promise<void> {
    const found = (await fileIdentity(file))?.key ?? NO_FILE
    if (found === known) return
    partitions =
      (await readStateFile(file, {
        remedy: 'Run `headwater stats rebuild` to count again from the archive.',
        parse: parsePartitions,
      })) ?? new Map()
    known = found
  }

  return {
    async load(partition: PartitionId): Promise<{ at: SinkPosition; counters: Counters } | undefined> {
      await refresh()
      const stored = partitions.get(partition)
      if (stored === undefined) return undefined
      return {
        at: { position: stored.position, order: orderOf(stored.order) },
        counters: Counters.fromJSON(stored.counters),
      }
    },

    async apply(
      partition: PartitionId,
      from: Position | undefined,
      to: SinkPosition,
      counters: Counters,
    ): Promise<void> {
      // Taken now: the caller may go on counting once it has its promise.
      const order = to.order
      const next: StoredPartition = {
        position: to.position,
        order: order ? [order.generation, order.position, order.index, order.scenarioId] : null,
        counters: counters.toJSON(),
      }
      await refresh()
      const stored = partitions.get(partition)?.position
      if (stored !== from) {
        throw new ProcessorError(
          'POSITION_MISMATCH',
          `${file} must hold the counters up to ${from ?? 'nothing'} of partition ${partition}. Found: ${stored ?? 'nothing'}.`,
        )
      }
      const after = new Map(partitions).set(partition, next)
      // Unknown until the write is done: a failed one may have replaced the file all the same.
      known = undefined
      await writeStateFile(file, { partitions: Object.fromEntries(after) })
      known = (await fileIdentity(file))?.key
      partitions = after
    },
  }
}

function parsePartitions(fields: Record<string, unknown>): Map<PartitionId, StoredPartition> {
  const { partitions } = fields
  if (typeof partitions !== 'object' || partitions === null) throw new Error('no "partitions"')
  return new Map(
    Object.entries(partitions).map(([partition, value]: [string, unknown]): [PartitionId, StoredPartition] => {
      const { position, order, counters } = value as StoredPartition
      if (!Number.isSafeInteger(position)) throw new Error(`position ${JSON.stringify(position)}`)
      if (order !== null && !(Array.isArray(order) && order.length === 4 && order.every(Number.isSafeInteger))) {
        throw new Error(`order ${JSON.stringify(order)}`)
      }
      // Checks it: a damaged file must not be found out about in the middle of counting.
      Counters.fromJSON(counters)
      return [Number(partition), { position, order, counters }]
    }),
  )
}

function orderOf(order: StoredPartition['order']): OrderKey | undefined {
  if (order === null) return undefined
  const [generation, position, index, scenarioId] = order
  return { generation, position, index, scenarioId }
}
