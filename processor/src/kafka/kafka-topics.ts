// The default import, for Node does not find this constant among the names of a CommonJS module.
import kafkajs, { type Admin } from 'kafkajs'
import { ProcessorError } from '../errors.ts'
import type { KafkaConnection } from './kafka-connection.ts'
import { kafkaError, kafkaErrorType } from './kafka-error.ts'
import type { TopicNames } from './topic-names.ts'

export interface TopicSettings {
  /** The same for all topics: the output partition is the input partition. Default 6. */
  partitions?: number
  /** Default 3. */
  replication?: number
  /** Default 2, and at most the replication: with one broker away, writing goes on. */
  minInsyncReplicas?: number
  /** Default 7 days. */
  retentionMs?: number
}

/** What `createTopics` did, or `lookAtTopics` found, for one topic. */
export interface TopicReport {
  topic: string
  state: 'created' | 'there' | 'differs' | 'missing'
  /** Where `state` is `differs`: setting by setting. */
  differences: { setting: string; found: string; wanted: string }[]
}

const DAY_MS = 86_400_000
/** All outcomes of the longest line fit in, compressed; a broker's default is 1 MiB. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const DOING = 'Topics are looked at'

/**
 * Makes the topics that are missing and says how the others differ. Nothing that is there is changed. Rejects with
 * TOPIC_UNFIT when the partition counts differ: adding partitions moves visitors to other ones, so that is left to a person.
 */
export async function createTopics(
  kafka: KafkaConnection,
  names: TopicNames,
  settings: TopicSettings = {},
): Promise<TopicReport[]> {
  const expected = expectedOf(settings)
  const { partitions, replication, wanted } = expected
  const topics = Object.values(names) as string[]
  return kafka.admin('Topics are made', async admin => {
    const missing: string[] = []
    for (const topic of topics) if ((await partitionsOf(admin, topic)) === undefined) missing.push(topic)
    const configEntries = Object.entries(wanted).map(([name, value]) => ({ name, value }))
    for (const topic of missing) {
      const made = { topic, numPartitions: partitions, replicationFactor: replication, configEntries }
      // A fresh KRaft cluster may answer UNKNOWN_TOPIC_OR_PARTITION though the topic was made: what counts is below.
      await admin.createTopics({ topics: [made], waitForLeaders: true }).catch(error => {
        if (kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
      })
      await untilThere(admin, topic)
    }
    const reports: TopicReport[] = []
    for (const topic of topics) {
      const differences = await differencesOf(admin, topic, expected)
      const state = missing.includes(topic) ? 'created' : differences.length > 0 ? 'differs' : 'there'
      reports.push({ topic, state, differences })
    }
    const unfit = reports.filter(({ differences }) => differences.some(({ setting }) => setting === 'partitions'))
    if (unfit.length > 0) {
      const found = unfit.map(({ topic, differences }) => `${topic} has ${differences[0]?.found}`).join(', ')
      throw new ProcessorError(
        'TOPIC_UNFIT',
        `All topics must have ${partitions} partitions. Ask for the number that is there, or see the guide on adding ` +
          `partitions. Found: ${found}.`,
      )
    }
    return reports
  })
}

/** Says how the topics are, and makes nothing. */
export async function lookAtTopics(
  kafka: KafkaConnection,
  names: TopicNames,
  settings: TopicSettings = {},
): Promise<TopicReport[]> {
  return kafka.admin(DOING, async admin => {
    const reports: TopicReport[] = []
    for (const topic of Object.values(names) as string[]) {
      const isThere = (await partitionsOf(admin, topic)) !== undefined
      const differences = isThere ? await differencesOf(admin, topic, expectedOf(settings)) : []
      reports.push({ topic, state: !isThere ? 'missing' : differences.length > 0 ? 'differs' : 'there', differences })
    }
    return reports
  })
}

interface Expected {
  partitions: number
  replication: number
  wanted: Record<string, string>
}

function expectedOf(settings: TopicSettings): Expected {
  const { partitions = 6, replication = 3, minInsyncReplicas = 2, retentionMs = 7 * DAY_MS } = settings
  return {
    partitions,
    replication,
    wanted: {
      'min.insync.replicas': String(Math.min(minInsyncReplicas, replication)),
      'message.timestamp.type': 'LogAppendTime',
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      // Only closed segments are deleted, and a broker closes one after 7 days: where little comes, it would be kept so long more.
      'segment.ms': String(Math.min(retentionMs, DAY_MS)),
      'max.message.bytes': String(MAX_MESSAGE_BYTES),
    },
  }
}

/**
 * What workers call at their start: every topic is there, all have the same partitions and LogAppendTime. Resolves with
 * the number of partitions. Rejects with TOPIC_MISSING or TOPIC_UNFIT; retryable only while Kafka does not answer.
 */
export async function checkTopics(kafka: KafkaConnection, names: TopicNames): Promise<number> {
  return kafka.admin(DOING, async admin => {
    const counts = new Map<string, number>()
    for (const topic of Object.values(names) as string[]) {
      const partitions = await partitionsOf(admin, topic)
      if (partitions === undefined)
        throw new ProcessorError(
          'TOPIC_MISSING',
          `There must be a topic ${topic}. Run \`headwater topics\`. Found: none.`,
        )
      counts.set(topic, partitions)
    }
    if (new Set(counts.values()).size > 1) {
      const found = [...counts].map(([topic, count]) => `${topic} ${count}`).join(', ')
      throw new ProcessorError(
        'TOPIC_UNFIT',
        `All topics must have the same number of partitions, for the partition of a record is that of its line. Found: ${found}.`,
      )
    }
    for (const topic of counts.keys()) {
      const found = (await configOf(admin, topic))?.get('message.timestamp.type')
      if (found !== undefined && found !== 'LogAppendTime')
        throw new ProcessorError(
          'TOPIC_UNFIT',
          `${topic} must have message.timestamp.type=LogAppendTime, for the archive's folders go by it. Found: ${found}.`,
        )
    }
    return counts.get(names.accessLog)!
  })
}

/** How many partitions a topic has; `undefined` when there is no such topic. */
async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.length
  } catch (error) {
    if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined
    throw error
  }
}

/** Metadata of a topic that was just made may take a moment to reach the broker that is asked. */
async function untilThere(admin: Admin, topic: string): Promise<void> {
  for (let attempt = 1; (await partitionsOf(admin, topic)) === undefined; attempt++) {
    if (attempt === 30)
      throw kafkaError({ type: 'UNKNOWN_TOPIC_OR_PARTITION' }, `Topic ${topic} was made and is not there`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

/** Settings in force; `undefined` when this user may not see them (they need a right of their own). */
async function configOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    })
    const entries = resources[0]?.configEntries ?? []
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
  } catch (error) {
    if (kafkaErrorType(error).endsWith('_AUTHORIZATION_FAILED')) return undefined
    throw error
  }
}

async function differencesOf(admin: Admin, topic: string, expected: Expected): Promise<TopicReport['differences']> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const partitions = topics[0]?.partitions ?? []
  const config = await configOf(admin, topic)
  const found: [setting: string, found: string | undefined, wanted: string][] = [
    ['partitions', String(partitions.length), String(expected.partitions)],
    ['replication', String(partitions[0]?.replicas.length), String(expected.replication)],
    ...Object.entries(expected.wanted).map(([name, value]): [string, string | undefined, string] => [
      name,
      config?.get(name),
      value,
    ]),
  ]
  return found.flatMap(([setting, value, wanted]) =>
    value === undefined || value === wanted ? [] : [{ setting, found: value, wanted }],
  )
}
