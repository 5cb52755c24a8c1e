import { randomUUID } from 'node:crypto'
import { Counters, type CountersJson } from '@headwater/core'
import type { Redis } from 'ioredis'
import { ProcessorError } from '../errors.ts'
import type { PartitionId, Position, SinkPosition, StatsStore } from '../ports.ts'
import { applyCounters } from '../redis/apply-counters.ts'
import { redisGuard } from '../redis/check-redis.ts'
import type { RedisConnection } from '../redis/connect-redis.ts'
import { diffCounters } from '../redis/diff-counters.ts'
import { damaged, readPartition, type StoredPartition } from '../redis/read-partition.ts'
import { partitionsKey, statsKeys } from '../redis/stats-keys.ts'

export interface RedisStatsStoreOptions {
  redis: RedisConnection
  /** The topic whose partitions are counted: part of the keys. Default `scenario-log`. */
  topic?: string
  /** Stands before every key. Default none. */
  keyPrefix?: string
}

/** What this process knows to be stored: what the next apply is compared with. */
interface Base {
  position: Position | undefined
  revision: string
  counters: CountersJson
  /** Whether the partition stands in the set of partitions. */
  isListed: boolean
}

/** Once what is known is old, once because somebody wrote meanwhile, and once more. */
const MAX_ATTEMPTS = 3

/**
 * Counters in Redis (keys: `redis/stats-keys.ts`). One script an apply, which changes everything or nothing, and sends only
 * what differs from the apply before. What was applied before is forgotten with every failure, as it is unknown then what
 * is stored: the next apply reads it.
 *
 * Besides POSITION_MISMATCH, `load` and `apply` reject with retryable errors while Redis is away, loading, frozen, out of
 * memory, a replica, or set up so that it could lose counters (STORE_MISCONFIGURED); with FORMAT_UNKNOWN or STATE_DAMAGED
 * when what is stored is none of ours. An apply without an answer may have been done: then the next one finds
 * POSITION_MISMATCH, and its caller reads again what is stored.
 */
export function redisStatsStore(options: RedisStatsStoreOptions): StatsStore {
  const { redis: connection, topic = 'scenario-log', keyPrefix = '' } = options
  const bases = new Map<PartitionId, Base>()
  const guard = redisGuard(connection)

  function read(redis: Redis, partition: PartitionId): Promise<StoredPartition> {
    return readPartition(redis, { keyPrefix, topic, partition })
  }

  return {
    async load(partition: PartitionId): Promise<{ at: SinkPosition; counters: Counters } | undefined> {
      bases.delete(partition)
      await guard()
      const stored = await connection.run(redis => read(redis, partition))
      if (stored.at === undefined) return undefined
      const counters = countersOf(stored.counters, partition)
      bases.set(partition, { ...baseOf(stored), isListed: false })
      return { at: stored.at, counters }
    },

    async apply(partition, from, to, counters): Promise<void> {
      // Taken now: the caller may go on counting once it has its promise.
      const after = counters.toJSON()
      let base = bases.get(partition)
      bases.delete(partition)
      await guard()
      const keys = statsKeys(keyPrefix, topic, partition)
      await connection.run(async redis => {
        for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
          base ??= { ...baseOf(await read(redis, partition)), isListed: false }
          if (base.position !== from) throw mismatch(partition, from, base.position)
          // First, so that readers never miss a partition that has counters.
          if (!base.isListed) await redis.sadd(partitionsKey(keyPrefix, topic), partition)
          const revision = randomUUID()
          const diff = diffCounters(keys, base.counters, after)
          const done = await applyCounters(redis, keys, base, { at: to, revision }, diff)
          if (done.result === 'moved') throw mismatch(partition, from, done.position)
          if (done.result === 'applied') {
            bases.set(partition, { position: to.position, revision, counters: after, isListed: true })
            return
          }
          base = undefined
        }
        throw new ProcessorError(
          'STORE_UNAVAILABLE',
          `The counters of partition ${partition} in Redis are being written by somebody else.`,
          { retryable: true },
        )
      })
    },
  }
}

/** `Counters` out of what was read; a damaged state is told as such. */
export function countersOf(json: CountersJson, partition: PartitionId): Counters {
  try {
    return Counters.fromJSON(json)
  } catch (error) {
    throw damaged(`partition ${partition}: ${(error as Error).message.replace(/\.$/, '')}`)
  }
}

function baseOf({ at, revision, counters }: StoredPartition): Omit<Base, 'isListed'> {
  return { position: at?.position, revision, counters }
}

function mismatch(partition: PartitionId, from: Position | undefined, found: Position | undefined): ProcessorError {
  return new ProcessorError(
    'POSITION_MISMATCH',
    `Redis must hold the counters up to ${from ?? 'nothing'} of partition ${partition}. Found: ${found ?? 'nothing'}.`,
  )
}
