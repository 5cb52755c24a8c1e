import { readdirSync, readFileSync } from 'node:fs'
import {
  findHdfs,
  findKafka,
  findMariadb,
  findRedis,
  HDFS_MISSING,
  type Hdfs,
  KAFKA_MISSING,
  type Kafka,
  type MariadbServer,
  type RedisServer,
  serviceOrSkip,
  startHdfs,
  startKafka,
  startMariadb,
  startRedis,
} from '@headwater/testkit'
import { cpuSecondsOf } from '../cpu-time.ts'
import type { Settings } from './stage-process.ts'

/** Kafka (one broker), Redis, MariaDB and HDFS of the bench's own, on this machine. */
export interface Stores {
  kafka: Kafka
  redis: RedisServer
  mariadb: MariadbServer
  hdfs: Hdfs
  /** CPU seconds of each so far. */
  cpu(): Readonly<Record<'Kafka' | 'Redis' | 'MariaDB' | 'HDFS', number>>
  stop(): Promise<void>
}

/** Whether they can be started here; names what is missing on stderr. */
export function hasStores(): boolean {
  return [
    serviceOrSkip('Kafka', findKafka(), KAFKA_MISSING),
    serviceOrSkip('Redis', findRedis()),
    serviceOrSkip('MariaDB', findMariadb()),
    serviceOrSkip('HDFS', findHdfs(), HDFS_MISSING),
  ].every(Boolean)
}

/** Starts all four. */
export async function startStores(): Promise<Stores> {
  const started = await Promise.allSettled([startKafka(), startRedis(), startMariadb(), startHdfs()])
  const stop = async () => {
    await Promise.allSettled(started.map(part => (part.status === 'fulfilled' ? part.value.stop() : undefined)))
  }
  const [kafka, redis, mariadb, hdfs] = started
  if (
    kafka.status === 'rejected' ||
    redis.status === 'rejected' ||
    mariadb.status === 'rejected' ||
    hdfs.status === 'rejected'
  ) {
    await stop()
    throw new AggregateError(started.map(part => (part.status === 'rejected' ? part.reason : undefined)))
  }
  const daemons = processesNaming(hdfs.value.folder)
  return {
    kafka: kafka.value,
    redis: redis.value,
    mariadb: mariadb.value,
    hdfs: hdfs.value,
    cpu: () => ({
      Kafka: cpuSecondsOf(kafka.value.pid(1)),
      Redis: cpuSecondsOf(redis.value.pid()),
      MariaDB: cpuSecondsOf(mariadb.value.pid()),
      HDFS: daemons.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    }),
    stop,
  }
}

let systems = 0

/** Settings of a system of its own within the stores: fresh topics, groups, counters, tables and archive folder. */
export async function newSystem(stores: Stores, partitions: number): Promise<{ settings: Settings; root: string }> {
  const { kafka, redis, mariadb, hdfs } = stores
  const name = `bench${process.pid}-${++systems}`
  const root = `/${name}`
  const database = await mariadb.database()
  const settings: Settings = {
    HEADWATER_KAFKA_BROKERS: kafka.bootstrap.join(','),
    HEADWATER_KAFKA_GROUP_PREFIX: name,
    HEADWATER_TOPICS_PREFIX: `${name}-`,
    HEADWATER_TOPICS_PARTITIONS: String(partitions),
    HEADWATER_TOPICS_REPLICATION: '1',
    HEADWATER_TOPICS_MIN_IN_SYNC_REPLICAS: '1',
    HEADWATER_REDIS_URL: `${redis.url}/${systems % 16}`,
    HEADWATER_MARIADB_HOST: database.host,
    HEADWATER_MARIADB_PORT: String(database.port),
    HEADWATER_MARIADB_USER: database.user,
    HEADWATER_MARIADB_PASSWORD: database.password,
    HEADWATER_MARIADB_DATABASE: database.database,
    HEADWATER_HDFS_NAME_NODES: hdfs.nameNodeUrl,
    HEADWATER_HDFS_DATA_NODES: hdfs.dataNode,
    HEADWATER_HDFS_ROOT: root,
    // The last rows need not wait for the usual half minute of silence.
    HEADWATER_ARCHIVE_ROLL_IDLE_MS: '1000',
  }
  return { settings, root }
}

/** HDFS's two daemons have no pid in their interface: they are known by their folder, which is on their class path. */
function processesNaming(folder: string): number[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${folder}/conf`)
      } catch {
        return false // ended meanwhile
      }
    })
    .map(Number)
}
