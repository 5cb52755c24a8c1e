import {
  type DistributedServices,
  findHdfs,
  findKafka,
  findMariadb,
  findRedis,
  HDFS_MISSING,
  KAFKA_MISSING,
  serviceOrSkip,
} from '@headwater/testkit'
import { cpuSecondsOf } from '../cpu-time.ts'

/** Whether Kafka, Redis, MariaDB and HDFS can be started here; names what is missing on stderr. */
export function hasStores(): boolean {
  return [
    serviceOrSkip('Kafka', findKafka(), KAFKA_MISSING),
    serviceOrSkip('Redis', findRedis()),
    serviceOrSkip('MariaDB', findMariadb()),
    serviceOrSkip('HDFS', findHdfs(), HDFS_MISSING),
  ].every(Boolean)
}

/** CPU seconds of each so far. */
export function cpuOfStores(stores: DistributedServices): Record<'Kafka' | 'Redis' | 'MariaDB' | 'HDFS', number> {
  const { kafka, redis, mariadb, hdfs } = stores
  return {
    Kafka: cpuSecondsOf(kafka.pid(1)),
    Redis: cpuSecondsOf(redis.pid()),
    MariaDB: cpuSecondsOf(mariadb.pid()),
    HDFS: cpuSecondsOf(hdfs.pid('nn')) + cpuSecondsOf(hdfs.pid('dn')),
  }
}
