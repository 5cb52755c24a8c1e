import { Counters, type Resolution } from '@headwater/core'
import type { PartitionId } from '../ports.ts'
import type { RedisConnection } from '../redis/connect-redis.ts'
import { readPartition } from '../redis/read-partition.ts'
import { BUCKET_KINDS, partitionsKey } from '../redis/stats-keys.ts'
import { countersOf } from './redis-stats-store.ts'

export interface RedisStatsReaderOptions {
  redis: RedisConnection
  /** As of the store. */
  topic?: string
  keyPrefix?: string
}

export interface StatsReadQuery {
  /** Only this one's counters. Without it: all. */
  scenarioId?: number
  /** Which buckets are read beside the totals. Default all; the fewer, the cheaper. */
  resolutions?: readonly Resolution[]
}

/** Reads what the stats workers of all partitions have stored. */
export interface RedisStatsReader {
  /**
   * The sum over all partitions. Each partition is as one apply left it; they are read one after the other. With
   * `resolutions` some buckets are missing: such counters are for reading only.
   */
  counters(query?: StatsReadQuery): Promise<Counters>
  /** The partitions that have counters. */
  partitions(): Promise<PartitionId[]>
}

/** Rejects as `redisStatsStore` does, except for how Redis is set up. */
export function redisStatsReader(options: RedisStatsReaderOptions): RedisStatsReader {
  const { redis: connection, topic = 'scenario-log', keyPrefix = '' } = options

  async function partitions(): Promise<PartitionId[]> {
    const members = await connection.run(redis => redis.smembers(partitionsKey(keyPrefix, topic)))
    return members.map(Number).sort((a, b) => a - b)
  }

  return {
    partitions,
    async counters({ scenarioId, resolutions } = {}): Promise<Counters> {
      const kinds = BUCKET_KINDS.filter(kind => resolutions?.includes(kind.resolution) ?? true)
      const sum = new Counters()
      for (const partition of await partitions()) {
        const stored = await connection.run(redis =>
          readPartition(redis, { keyPrefix, topic, partition, scenarioId, kinds }),
        )
        sum.merge(countersOf(stored.counters, partition))
      }
      return sum
    },
  }
}
