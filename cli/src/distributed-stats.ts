import { redisStatsReader } from '@headwater/processor/distributed'
import type { Config } from './config.ts'
import { dataFolder } from './data-folder.ts'
import { mariadbOf, requiredRedis, topicsOf } from './distributed-parts.ts'
import { processLog } from './process-log.ts'
import { scenarioStoreOf } from './scenario-and-member-stores.ts'
import { type ScenarioStats, scenarioStats } from './scenario-stats.ts'

/** What the stats workers of all partitions have stored in Redis, beside the scenarios in force. */
export async function distributedStats(config: Config): Promise<ScenarioStats> {
  const log = processLog('silent')
  const redis = requiredRedis(config, log)
  const db = mariadbOf(config)
  try {
    const folder = dataFolder(config.dataDir)
    const scenarios = scenarioStoreOf({ config, folder, db, redis: undefined, readOnly: true, log })
    const counters = await redisStatsReader({ redis, topic: topicsOf(config).scenarioLog }).counters()
    return scenarioStats(await scenarios.list(), counters.read(), counters.lastMinute(Date.now()), scenarios.faults())
  } finally {
    redis.close()
    await db?.close()
  }
}
