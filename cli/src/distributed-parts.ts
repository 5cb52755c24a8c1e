import { readFileSync } from 'node:fs'
import { type FileStore, localFileStore } from '@headwater/processor'
import {
  connectMariadb,
  connectRedis,
  KafkaConnection,
  type Mariadb,
  type RedisConnection,
  type TopicNames,
  topicNames,
  type WebHdfsFileStore,
  webhdfsFileStore,
} from '@headwater/processor/distributed'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { ModeError } from './mode-error.ts'

// The remote parts of the distributed mode, each as the configuration says. What connects does so when it is first needed.

/** The Kafka cluster. Throws MODE_CONFLICT when none is configured. */
export function kafkaOf({ kafka }: Config, log: Logger): KafkaConnection {
  if (kafka.brokers.length === 0)
    throw new ModeError(
      'this command is of the distributed mode and needs Kafka. Set kafka.brokers (HEADWATER_KAFKA_BROKERS), such as ' +
        'kafka1:9092,kafka2:9092. Found: none.',
    )
  const { tls, sasl } = kafka
  const { mechanism, username, password } = sasl
  return new KafkaConnection(
    {
      brokers: kafka.brokers,
      clientId: kafka.clientId,
      ...(tls.mode === 'on' && {
        ssl: {
          ...(tls.ca !== undefined && { caFile: tls.ca }),
          ...(tls.cert !== undefined && { certFile: tls.cert }),
          ...(tls.key !== undefined && { keyFile: tls.key }),
        },
      }),
      ...(mechanism !== 'none' &&
        username !== undefined &&
        password !== undefined && { sasl: { mechanism, username, password } }),
    },
    log,
  )
}

export function topicsOf({ topics }: Config): TopicNames {
  return topicNames(topics.prefix)
}

/** The consumer group of a stage: `headwater-filter`, `headwater-archive-event-log`. */
export function groupOf({ kafka }: Config, stage: string): string {
  return `${kafka.groupPrefix}-${stage}`
}

/** Redis, or `undefined` when none is configured. */
export function redisOf({ redis }: Config, log: Logger): RedisConnection | undefined {
  if (redis.url === undefined) return undefined
  const { url, username, password, tls } = redis
  return connectRedis({ url, username, password, ca: pemOf(tls.ca), log })
}

/** Redis where there is no way without it. Throws MODE_CONFLICT. */
export function requiredRedis(config: Config, log: Logger): RedisConnection {
  const redis = redisOf(config, log)
  if (redis !== undefined) return redis
  throw new ModeError(
    'the statistics of the distributed mode are in Redis. Set redis.url (HEADWATER_REDIS_URL), such as ' +
      'redis://redis:6379/0. Found: none.',
  )
}

/** MariaDB, or `undefined` when none is configured: scenarios and members are in files then. */
export function mariadbOf({ mariadb }: Config): Mariadb | undefined {
  const { host, tls, ...rest } = mariadb
  if (host === undefined) return undefined
  return connectMariadb({ host, ...rest, ...(tls.mode === 'on' && { tls: { ca: pemOf(tls.ca) } }) })
}

/** MariaDB where there is no way without it. Throws MODE_CONFLICT. */
export function requiredMariadb(config: Config): Mariadb {
  const mariadb = mariadbOf(config)
  if (mariadb !== undefined) return mariadb
  throw new ModeError('this command needs MariaDB. Set mariadb.host (HEADWATER_MARIADB_HOST). Found: none.')
}

/** The archive: in HDFS, or without one in the data folder (a disk that all workers share, or one worker only). */
export function archiveFilesOf({ hdfs }: Config, folder: DataFolder, log: Logger): FileStore | WebHdfsFileStore {
  if (hdfs.nameNodes.length === 0) return localFileStore(folder.archive)
  return webhdfsFileStore({
    nameNodes: hdfs.nameNodes,
    root: hdfs.root,
    user: hdfs.user,
    ca: pemOf(hdfs.tls.ca),
    dataNodes: {
      allow: hdfs.dataNodes,
      hosts: Object.fromEntries(hdfs.dataNodeAddresses.map(pair => pair.split('=') as [string, string])),
    },
    log,
  })
}

/** The content of a certificate file. Throws with its name when it cannot be read. */
function pemOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readFileSync(file, 'utf8')
}
