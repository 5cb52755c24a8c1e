import { localFileStore, rebuildStats } from '@headwater/processor'
import { redisStatsStore } from '@headwater/processor/distributed'
import type { Config } from './config.ts'
import { copyArchive } from './copy-archive.ts'
import { dataFolder } from './data-folder.ts'
import { groupOf, kafkaOf, requiredRedis, topicsOf } from './distributed-parts.ts'
import { ModeError } from './mode-error.ts'
import { processLog } from './process-log.ts'
import { progressLine } from './progress-line.ts'

/**
 * `headwater stats rebuild` of the distributed mode: the counters of every partition anew, from the archive into Redis, while
 * no stats worker runs. DuckDB reads local files, so what is in HDFS is copied into the data folder first.
 */
export async function rebuildDistributed(config: Config): Promise<void> {
  const log = processLog('warn')
  const folder = dataFolder(config.dataDir)
  const kafka = kafkaOf(config, log)
  const redis = requiredRedis(config, log)
  const { scenarioLog } = topicsOf(config)
  const group = groupOf(config, 'stats')
  const progress = progressLine(process.stderr, 'rows')
  try {
    const { edges, members } = await kafka.admin('The scenario log is looked at', async admin => ({
      edges: await admin.fetchTopicOffsets(scenarioLog),
      members: (await admin.describeGroups([group])).groups[0]?.members.length ?? 0,
    }))
    if (members > 0)
      throw new ModeError(
        `no stats worker may run while its counters are made anew. Stop them, wait until the group ${group} has no member, ` +
          `and try again. Found: ${members} members.`,
      )
    await copyArchive(config, folder)
    // All of it of one moment: archive workers go on publishing.
    const files = localFileStore(folder.archive)
    let rows = 0
    for (const { partition, low, high } of edges.toSorted((a, b) => a.partition - b.partition)) {
      const rebuilt = await rebuildStats({
        archiveDir: folder.archive,
        files,
        partition,
        outcomes: { oldest: Number(low), end: Number(high) },
        store: redisStatsStore({ redis, topic: scenarioLog }),
        // The position stands in Redis, with the counters.
        commit: async () => {},
        onProgress: ({ rows: done, doneBytes, totalBytes }) => progress.show(rows + done, doneBytes / totalBytes),
      })
      rows += rebuilt.rows
      progress.end()
      console.log(
        `partition ${partition}: counted ${rebuilt.rows} outcomes in ${rebuilt.files} files, up to ${rebuilt.at.position}; ` +
          `at most ${rebuilt.toBeCounted} behind it are counted by the next worker` +
          (rebuilt.lost > 0 ? `, ! at most ${rebuilt.lost} were deleted before they were archived.` : '.'),
      )
    }
  } finally {
    progress.end()
    redis.close()
    await kafka.close()
  }
}
