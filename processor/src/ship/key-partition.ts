import type { ByteString } from '@headwater/core'
import type { PartitionId } from '../ports.ts'

const SEED = 0x9747b28c
const M = 0x5bd1e995

/**
 * The partition of a key among `partitions`, as Java's clients, librdkafka's `murmur2_random` and kafkajs choose it.
 * Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2` and `toPositive`.
 */
export function keyPartition(key: ByteString, partitions: number): PartitionId {
  return (murmur2(key) & 0x7fffffff) % partitions
}

function murmur2(key: ByteString): number {
  const { length } = key
  let h = SEED ^ length
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    let k = byte(key, i) | (byte(key, i + 1) << 8) | (byte(key, i + 2) << 16) | (byte(key, i + 3) << 24)
    k = Math.imul(k, M)
    k = Math.imul(k ^ (k >>> 24), M)
    h = Math.imul(h, M) ^ k
  }
  const rest = length & 3
  if (rest > 2) h ^= byte(key, whole + 2) << 16
  if (rest > 1) h ^= byte(key, whole + 1) << 8
  if (rest > 0) h = Math.imul(h ^ byte(key, whole), M)
  h = Math.imul(h ^ (h >>> 13), M)
  return h ^ (h >>> 15)
}

function byte(key: ByteString, at: number): number {
  return key.charCodeAt(at) & 0xff
}
