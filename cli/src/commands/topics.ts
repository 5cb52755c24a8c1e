import { createTopics, lookAtTopics, type TopicReport } from '@headwater/processor/distributed'
import Table from 'cli-table3'
import { kafkaOf, topicsOf } from '../distributed-parts.ts'
import type { LoadedConfig } from '../load-config.ts'
import { processLog } from '../process-log.ts'

export interface TopicsOptions {
  /** Make nothing. */
  check?: boolean
  json?: boolean
}

/** `headwater topics`: exit status 1 when, in the end, a topic is not as it must be. */
export async function topics({ config }: LoadedConfig, options: TopicsOptions): Promise<void> {
  const kafka = kafkaOf(config, processLog('silent'))
  const { partitions, replication, minInSyncReplicas, retentionMs } = config.topics
  const settings = { partitions, replication, minInsyncReplicas: minInSyncReplicas, retentionMs }
  try {
    const look = options.check === true ? lookAtTopics : createTopics
    const reports = await look(kafka, topicsOf(config), settings)
    console.log(options.json === true ? JSON.stringify(reports, null, 2) : table(reports))
    if (reports.some(({ state }) => state === 'missing' || state === 'differs')) process.exitCode = 1
  } finally {
    await kafka.close()
  }
}

function table(reports: readonly TopicReport[]): string {
  const grid = new Table({ head: ['topic', 'state', 'what differs'], style: { head: [], border: [] } })
  for (const { topic, state, differences } of reports)
    grid.push([
      topic,
      state,
      differences.map(({ setting, found, wanted }) => `${setting} is ${found}, wanted ${wanted}`).join('\n'),
    ])
  return grid.toString()
}
