import {
  type Hdfs,
  type Kafka,
  type KafkaProgress,
  kafkaProgress,
  type MariadbServer,
  type RedisServer,
  startHdfs,
  startKafka,
  startMariadb,
  startRedis,
} from '@headwater/testkit'
import type { Settings } from '../headwater-process.ts'

/** The real parts of the distributed mode, all on this machine. */
export interface Services {
  kafka: Kafka
  redis: RedisServer
  mariadb: MariadbServer
  hdfs: Hdfs
  stop(): Promise<void>
}

/** Starts one Kafka (of `nodes` brokers), Redis, MariaDB and HDFS; all tests of a run share them. */
export async function startServices(nodes: 1 | 3 = 1): Promise<Services> {
  const started = await Promise.allSettled([startKafka({ nodes }), startRedis(), startMariadb(), startHdfs()])
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
  return { kafka: kafka.value, redis: redis.value, mariadb: mariadb.value, hdfs: hdfs.value, stop }
}

/** A system of its own within the services: other topics, groups, keys, database and folder than all others. */
export interface Tenant {
  name: string
  settings: Settings
  /** The archive's folder in HDFS. */
  root: string
  progress: KafkaProgress
  close(): Promise<void>
}

let tenants = 0

/** A fresh tenant with `partitions` partitions a topic. Nothing is made yet but its database. */
export async function newTenant(services: Services, partitions: number, more: Settings = {}): Promise<Tenant> {
  const { kafka, redis, mariadb, hdfs } = services
  const name = `t${process.pid}-${++tenants}`
  const database = await mariadb.database()
  const root = `/headwater-${name}`
  const settings: Settings = {
    HEADWATER_KAFKA_BROKERS: kafka.bootstrap.join(','),
    HEADWATER_KAFKA_GROUP_PREFIX: name,
    HEADWATER_KAFKA_SESSION_TIMEOUT_MS: '10000',
    HEADWATER_TOPICS_PREFIX: `${name}-`,
    HEADWATER_TOPICS_PARTITIONS: String(partitions),
    HEADWATER_TOPICS_REPLICATION: String(kafka.bootstrap.length),
    HEADWATER_TOPICS_MIN_IN_SYNC_REPLICAS: String(Math.min(2, kafka.bootstrap.length)),
    HEADWATER_REDIS_URL: `${redis.url}/${tenants % 16}`,
    HEADWATER_MARIADB_HOST: database.host,
    HEADWATER_MARIADB_PORT: String(database.port),
    HEADWATER_MARIADB_USER: database.user,
    HEADWATER_MARIADB_PASSWORD: database.password,
    HEADWATER_MARIADB_DATABASE: database.database,
    HEADWATER_HDFS_NAME_NODES: hdfs.nameNodeUrl,
    HEADWATER_HDFS_DATA_NODES: hdfs.dataNode,
    HEADWATER_HDFS_ROOT: root,
    HEADWATER_ARCHIVE_ROLL_EVERY_MS: '2000',
    HEADWATER_ARCHIVE_ROLL_IDLE_MS: '500',
    HEADWATER_STATS_APPLY_EVERY_MS: '300',
    HEADWATER_LOG_LEVEL: 'warn',
    ...more,
  }
  const progress = await kafkaProgress(kafka.bootstrap)
  return { name, settings, root, progress, close: () => progress.close() }
}

/** The consumer group and the log of every stage, in the order records pass them. */
const STAGES = [
  ['filter', 'access-log'],
  ['stats', 'scenario-log'],
  ['archive-scenario-log', 'scenario-log'],
  ['archive-event-log', 'event-log'],
] as const

/** Records that some stage has still to take and store. */
export async function unreadRecords({ name, progress }: Tenant): Promise<number> {
  let unread = 0
  for (const [group, log] of STAGES) unread += await progress.unread(`${name}-${group}`, `${name}-${log}`)
  return unread
}
