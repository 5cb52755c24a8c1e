import { hostname } from 'node:os'
import { startHealth } from '@headwater/gateway'
import {
  archiveSink,
  createProcessorMetrics,
  filterStage,
  type LogName,
  partitionHasFiles,
  type ReaderHealth,
  runArchiveRetention,
  statsSink,
} from '@headwater/processor'
import {
  checkSchema,
  checkTopics,
  kafkaLineSource,
  kafkaLogReader,
  kafkaLogWriter,
  publishSuccessRatios,
  redisStatsReader,
  redisStatsStore,
} from '@headwater/processor/distributed'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { dataFolder, makeFolders } from './data-folder.ts'
import { archiveFilesOf, groupOf, kafkaOf, mariadbOf, redisOf, requiredRedis, topicsOf } from './distributed-parts.ts'
import { lockFolder } from './folder-lock.ts'
import { pausedSentence } from './paused-sentence.ts'
import { clearPorts, writePorts } from './ports-file.ts'
import { processRegistry } from './process-registry.ts'
import type { Running } from './run-until-signal.ts'
import { memberStoreOf, scenarioStoreOf } from './scenario-and-member-stores.ts'
import { archivingOf, judgementOf, siteTimezoneOf } from './stage-options.ts'

/** The stages a worker may run. */
export const STAGES = ['filter', 'stats', 'archive'] as const
export type Stage = (typeof STAGES)[number]

/** Others see counters only where they are stored, and a live chart is to move within a second. */
const WORKER_APPLY_MS = 400

/** A running worker. */
export interface Worker extends Running {
  ports: { gateway: 0; metrics: number }
}

/** One stage's reader, and what it drives. */
interface StageRun {
  name: string
  health: ReaderHealth
  run(stop: AbortSignal): Promise<void>
}

/**
 * One or several stages of the distributed mode in one process: this function is the table of contents.
 *
 *     access-log → filter ─┬▶ event-log ────▶ archive event_log
 *                          ├▶ scenario-log ─┬▶ archive scenario_log
 *                          │                └▶ statistics
 *                          ├▶ event-ids       (the filter's own duplicate window)
 *                          └▶ dead-letter
 *
 * Rejects when topics or tables are not as they must be or cannot be looked at, or another process works in the data folder;
 * nothing runs on then. Once it runs, a store that is away pauses the stage, and `/readyz` says so.
 */
export async function startWorker(config: Config, stages: ReadonlySet<Stage>, log: Logger): Promise<Worker> {
  const closing: (() => unknown)[] = []
  try {
    return await compose(config, stages, log, closing)
  } catch (error) {
    // An open connection would keep the process alive, doing nothing.
    for (const close of closing.toReversed()) await close()
    throw error
  }
}

async function compose(
  config: Config,
  stages: ReadonlySet<Stage>,
  log: Logger,
  closing: (() => unknown)[],
): Promise<Worker> {
  const folder = dataFolder(config.dataDir)
  makeFolders(folder)
  const unlock = lockFolder(folder.state)
  clearPorts(folder.ports)
  const registry = processRegistry()
  const metrics = createProcessorMetrics(registry)
  const stop = new AbortController()
  const stopRest = new AbortController()
  closing.push(() => {
    clearPorts(folder.ports)
    unlock()
  })

  // The remote parts.
  const kafka = kafkaOf(config, log)
  const topics = topicsOf(config)
  closing.push(() => kafka.close())
  await checkTopics(kafka, topics)
  // Scenarios and members are what the filter judges by, and of scenarios the ratios are published. The archive needs neither.
  const needsStores = stages.has('filter') || stages.has('stats')
  const redis = stages.has('stats') ? requiredRedis(config, log) : needsStores ? redisOf(config, log) : undefined
  if (redis !== undefined) closing.push(() => redis.close())
  const db = needsStores ? mariadbOf(config) : undefined
  if (db !== undefined) {
    closing.push(() => db.close())
    await checkSchema(db)
  }
  closing.push(() => stopRest.abort())
  const files = archiveFilesOf(config, folder, log)
  const member = {
    kafka,
    memberName: `${hostname()}-${folder.root}`,
    sessionTimeoutMs: config.kafka.sessionTimeoutMs,
    metrics: metrics.kafka,
    log,
  }
  const topicOf: Record<LogName, string> = {
    'event-log': topics.eventLog,
    'scenario-log': topics.scenarioLog,
    'dead-letter': topics.deadLetter,
  }
  const reader = (logName: LogName, stage: string) =>
    kafkaLogReader({ ...member, logName, topic: topicOf[logName], group: groupOf(config, stage) })

  const stores = { config, folder, db, redis, log }
  const scenarios = scenarioStoreOf(stores)

  function filter(): StageRun {
    const source = kafkaLineSource({
      ...member,
      topic: topics.accessLog,
      group: groupOf(config, 'filter'),
      name: 'access-log',
    })
    const writer = kafkaLogWriter({
      kafka,
      topics,
      inputGroup: groupOf(config, 'filter'),
      source: source.name,
      generation: config.topics.generation,
      dedup: config.dedup,
      metrics: metrics.kafka,
      log,
    })
    closing.push(() => writer.close())
    const stage = filterStage({
      source,
      writer,
      scenarios,
      members: memberStoreOf(stores, stopRest.signal),
      ...judgementOf(config),
      metrics: metrics.filter,
      log,
    })
    stage.watch(stopRest.signal)
    return { name: 'filter', health: source.health, run: signal => source.run(stage, signal) }
  }

  function stats(): StageRun {
    const from = reader('scenario-log', 'stats')
    const connection = redis as NonNullable<typeof redis>
    const sink = statsSink({
      reader: from,
      store: redisStatsStore({ redis: connection, topic: topics.scenarioLog }),
      applyEveryMs: Math.min(config.stats.applyEveryMs, WORKER_APPLY_MS),
      archiveHasRows: partition =>
        partitionHasFiles(files, { table: 'scenario_log', log: 'scenario-log', partition, generation: 0 }),
      metrics: metrics.stats,
      log,
    })
    const ratios = {
      redis: connection,
      reader: redisStatsReader({ redis: connection, topic: topics.scenarioLog }),
      scenarios,
      timezone: config.timezone,
      siteTimezone: siteTimezoneOf(config),
      isOwner: () => from.partitions().includes(0),
      log,
    }
    return {
      name: 'stats',
      health: from.health,
      run: async signal => {
        await Promise.all([from.run(sink, signal), publishSuccessRatios(ratios, signal)])
      },
    }
  }

  function archive(table: 'event_log' | 'scenario_log', logName: 'event-log' | 'scenario-log'): StageRun {
    const from = reader(logName, `archive-${logName}`)
    const sink = archiveSink({
      table,
      reader: from,
      files,
      ...archivingOf(config, folder),
      metrics: metrics.archive,
      log,
    })
    const retention = {
      archive: { files, tempDir: archivingOf(config, folder).tempDir, keepDays: config.archive.keepDays, log },
      // One of all archive workers is enough, for both tables.
      isOwner: () => from.partitions().includes(0),
      log,
    }
    return {
      name: `archive ${table}`,
      health: from.health,
      run: async signal => {
        const running = [from.run(sink, signal)]
        if (table === 'event_log') running.push(runArchiveRetention(retention, signal))
        await Promise.all(running)
      },
    }
  }

  const runs = [
    ...(stages.has('filter') ? [filter()] : []),
    ...(stages.has('stats') ? [stats()] : []),
    ...(stages.has('archive') ? [archive('event_log', 'event-log'), archive('scenario_log', 'scenario-log')] : []),
  ]
  const health = await startHealth({ host: config.metrics.host, port: config.metrics.port, registry, log })
  for (const { name, health: paused } of runs) health.addCheck(() => pausedSentence(name, paused))
  const ports = { gateway: 0 as const, metrics: health.port }
  writePorts(folder.ports, ports)

  const running = runs.map(({ run }) => run(stop.signal))
  const failure = new Promise<never>((_, reject) => {
    for (const run of running) run.catch(reject)
  })
  failure.catch(() => {})
  log.info({ stages: [...stages], metrics: ports.metrics }, 'The worker runs')

  return {
    ports,
    failure,
    async stop() {
      stop.abort()
      await Promise.all(running)
      stopRest.abort()
      await health.close()
      for (const close of closing.toReversed()) await close()
    },
  }
}
