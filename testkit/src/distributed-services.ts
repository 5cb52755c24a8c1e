import { type Hdfs, startHdfs } from './hdfs.ts'
import { type Kafka, startKafka } from './kafka.ts'
import { type MariadbServer, startMariadb } from './mariadb.ts'
import { type RedisServer, startRedis } from './redis.ts'

/** The services that the distributed mode needs, all on this machine. */
export interface DistributedServices {
  kafka: Kafka
  redis: RedisServer
  mariadb: MariadbServer
  hdfs: Hdfs
  stop(): Promise<void>
}

/** Starts one Kafka (of `nodes` brokers), Redis, MariaDB and HDFS. */
export async function startDistributedServices(nodes: 1 | 3 = 1): Promise<DistributedServices> {
  const starting = [startKafka({ nodes }), startRedis(), startMariadb(), startHdfs()] as const
  const started = await Promise.allSettled(starting)
  const stop = async (): Promise<void> => {
    await Promise.allSettled(started.map(part => (part.status === 'fulfilled' ? part.value.stop() : undefined)))
  }
  const reasons = started.flatMap(part => (part.status === 'rejected' ? [part.reason] : []))
  if (reasons.length > 0) {
    await stop()
    throw new AggregateError(reasons)
  }
  const [kafka, redis, mariadb, hdfs] = await Promise.all(starting)
  return { kafka, redis, mariadb, hdfs, stop }
}

/** A system of its own within the services: other topics, groups, keys, database and folder than all others. */
export interface DistributedSystem {
  name: string
  /** The archive's folder in HDFS. */
  root: string
  settings: Readonly<Record<`HEADWATER_${string}`, string>>
}

let systems = 0

/** A fresh system with `partitions` partitions a topic. Nothing is made yet but its database. */
export async function newSystem(services: DistributedServices, partitions: number): Promise<DistributedSystem> {
  const { kafka, redis, mariadb, hdfs } = services
  const name = `t${process.pid}-${++systems}`
  const database = await mariadb.database()
  const root = `/headwater-${name}`
  const settings: DistributedSystem['settings'] = {
    HEADWATER_KAFKA_BROKERS: kafka.bootstrap.join(','),
    HEADWATER_KAFKA_GROUP_PREFIX: name,
    HEADWATER_TOPICS_PREFIX: `${name}-`,
    HEADWATER_TOPICS_PARTITIONS: String(partitions),
    HEADWATER_TOPICS_REPLICATION: String(kafka.bootstrap.length),
    HEADWATER_TOPICS_MIN_IN_SYNC_REPLICAS: String(Math.min(2, kafka.bootstrap.length)),
    HEADWATER_REDIS_URL: `${redis.url}/${systems % 16}`,
    HEADWATER_MARIADB_HOST: database.host,
    HEADWATER_MARIADB_PORT: String(database.port),
    HEADWATER_MARIADB_USER: database.user,
    HEADWATER_MARIADB_PASSWORD: database.password,
    HEADWATER_MARIADB_DATABASE: database.database,
    HEADWATER_HDFS_NAME_NODES: hdfs.nameNodeUrl,
    HEADWATER_HDFS_DATA_NODES: hdfs.dataNode,
    HEADWATER_HDFS_ROOT: root,
  }
  return { name, root, settings }
}
