import { checkRedis, checkSchema, lookAtTopics, redisStatsStore } from '@headwater/processor/distributed'
import { pino } from 'pino'
import { archiveFilesOf, groupOf, kafkaOf, mariadbOf, redisOf, requiredRedis, topicsOf } from '../distributed-parts.ts'
import { groupProgress } from '../group-progress.ts'
import { checkArchive } from './archive-check.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

// The remote parts of the distributed mode. Each check connects by itself: one that is away hides nothing of the others.

const silent = pino({ level: 'silent' })

const topicsCheck: Check = {
  name: 'kafka',
  async run({ config }): Promise<Finding[]> {
    const kafka = kafkaOf(config, silent)
    try {
      const { partitions, replication, minInSyncReplicas, retentionMs } = config.topics
      const settings = { partitions, replication, minInsyncReplicas: minInSyncReplicas, retentionMs }
      const reports = await lookAtTopics(kafka, topicsOf(config), settings)
      const found: Finding[] = []
      for (const { topic, state, differences } of reports) {
        if (state === 'missing') found.push(fail(`There is no topic ${topic}.`, 'Run headwater topics.'))
        for (const { setting, found: is, wanted } of differences) {
          const message = `${topic}: ${setting} is ${is}, wanted ${wanted}.`
          const mustHold = setting === 'partitions' || setting === 'message.timestamp.type'
          const remedy = `Change the topic with kafka-configs or kafka-topics, or the setting of topics.* here.`
          found.push(mustHold ? fail(message, remedy) : warn(message, remedy))
        }
      }
      return found.length > 0 ? found : [ok(`${reports.length} topics of ${partitions} partitions, as they must be.`)]
    } finally {
      await kafka.close()
    }
  },
}

const lagCheck: Check = {
  name: 'lag',
  async run({ config }): Promise<Finding[]> {
    const kafka = kafkaOf(config, silent)
    const topics = topicsOf(config)
    const readers = [
      ['filter', topics.accessLog],
      ['stats', topics.scenarioLog],
      ['archive-scenario-log', topics.scenarioLog],
      ['archive-event-log', topics.eventLog],
    ] as const
    try {
      const found: Finding[] = []
      for (const [stage, topic] of readers) {
        const group = groupOf(config, stage)
        const { behind, lost, members } = await groupProgress(kafka, group, topic)
        if (lost > 0)
          found.push(
            fail(
              `${group}: ${lost} records were deleted by retention before they were read.`,
              'They are lost here. Give topics.retentionMs more time than the longest standstill.',
            ),
          )
        const said = `${group}: ${members} members, ${behind} records behind.`
        found.push(members === 0 ? warn(said, `Start a worker: headwater worker ${stage.split('-')[0]}.`) : ok(said))
      }
      return found
    } finally {
      await kafka.close()
    }
  },
}

const redisCheck: Check = {
  name: 'redis',
  async run({ config }): Promise<Finding[]> {
    const redis = redisOf(config, silent)
    if (redis === undefined) return [fail('No Redis is configured.', 'Set redis.url: stats workers need it.')]
    try {
      const { faults, warnings, full } = await checkRedis(redis)
      const found = [
        ...(full === undefined ? faults : [...faults, full]).map(sentence =>
          fail(sentence, 'Until then no counters are stored.'),
        ),
        ...warnings.map(sentence => warn(sentence, 'Ask whoever runs this Redis.')),
      ]
      return found.length > 0 ? found : [ok(`Redis at ${redis.address} never evicts and keeps its append-only file.`)]
    } finally {
      redis.close()
    }
  },
}

const mariadbCheck: Check = {
  name: 'mariadb',
  async run({ config }): Promise<Finding[]> {
    const db = mariadbOf(config)
    if (db === undefined)
      return [
        warn(
          'No MariaDB is configured: every worker reads its own scenario and member files.',
          'Set mariadb.host, or see to it that all workers have the same files.',
        ),
      ]
    try {
      await checkSchema(db)
      return [ok(`The tables in ${db.address} are those of this version.`)]
    } finally {
      await db.close()
    }
  },
}

const hdfsCheck: Check = {
  name: 'hdfs',
  async run({ config, folder }): Promise<Finding[]> {
    const files = archiveFilesOf(config, folder, silent)
    if (!('probe' in files))
      return [
        warn(
          `No HDFS is configured: the archive is in ${folder.archive}.`,
          'Set hdfs.nameNodes, or let all archive workers share that folder.',
        ),
      ]
    await files.probe()
    return [ok(`${config.hdfs.root} in HDFS takes files.`)]
  },
}

const archiveCheck: Check = {
  name: 'archive',
  async run(patient): Promise<Finding[]> {
    const { config, folder } = patient
    const redis = requiredRedis(config, silent)
    try {
      return await checkArchive(patient, {
        store: redisStatsStore({ redis, topic: topicsOf(config).scenarioLog }),
        partitions: Array.from({ length: config.topics.partitions }, (_, partition) => partition),
        root: config.hdfs.nameNodes.length > 0 ? config.hdfs.root : folder.archive,
      })
    } finally {
      redis.close()
    }
  },
}

/** What all hosts share. */
export const SHARED: readonly Check[] = [topicsCheck, lagCheck, redisCheck, mariadbCheck, hdfsCheck, archiveCheck]
