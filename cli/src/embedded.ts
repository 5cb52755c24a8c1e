import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Gateway, startGateway } from '@headwater/gateway'
import {
  accessLogSource,
  archiveSink,
  createProcessorMetrics,
  deadLetterSink,
  fileMemberStore,
  filterStage,
  jsonScenarioStore,
  type LogName,
  localFileStore,
  refuseLostState,
  runArchiveRetention,
  runRetention,
  SegmentLog,
  segmentLogReader,
  segmentLogWriter,
  settleArchive,
  stateFileStatsStore,
  statsSink,
} from '@headwater/processor'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { dataFolder, makeFolders } from './data-folder.ts'
import { exampleFile } from './example-files.ts'
import { lockFolder } from './folder-lock.ts'
import { gatewayOptions } from './gateway-options.ts'
import { pausedSentence } from './paused-sentence.ts'
import { clearPorts, writePorts } from './ports-file.ts'
import { processRegistry } from './process-registry.ts'
import { type ScenarioStats, scenarioStats } from './scenario-stats.ts'
import { archivingOf, judgementOf } from './stage-options.ts'

/** A running system, as `headwater start` shows it. */
export interface Embedded {
  ports: { gateway: number; metrics: number }
  files: { scenarios: string; members: string; accessLog: string; archive: string }
  /** Which HTTP server takes the beacons. */
  front: Gateway['front']
  /** Figures for the live line. */
  progress(): Promise<Progress>
  /** Resolves never while all is well; rejects with the error of the first part that ended by itself. */
  failure: Promise<never>
  /** Ends well: answers what was received, reads to the end, stores everything. */
  stop(): Promise<void>
}

export interface Progress {
  /** Events accepted since the start. */
  events: number
  /** Bytes of access log not read yet. */
  lagBytes: number
  /** The newest archive file, and rows that wait for the next one. */
  lastArchiveFile: string | undefined
  heldRows: number
}

/**
 * The whole system in one process, under one data folder: this function is the table of contents.
 *
 *     gateway → access log → source → filter → segment log ─┬▶ statistics
 *                                                           ├▶ archive event_log, archive scenario_log
 *                                                           └▶ dead letters
 *
 * Rejects when a port is taken, another process works in the folder, or a file of ours is damaged; nothing runs on then.
 */
export async function startEmbedded(config: Config, log: Logger): Promise<Embedded> {
  const folder = dataFolder(config.dataDir)
  makeFolders(folder)
  const unlock = lockFolder(folder.state)
  clearPorts(folder.ports)
  const registry = processRegistry()
  const metrics = createProcessorMetrics(registry)
  const state = (name: string) => join(folder.state, name)

  // What the judgement needs.
  const files = {
    scenarios: config.scenarios.file ?? exampleFile('scenarios.json'),
    members: config.members.file ?? exampleFile('members.csv'),
    accessLog: folder.accessLog,
    archive: folder.archive,
  }
  const scenarios = jsonScenarioStore({ file: files.scenarios, stateFile: state('scenario-versions.json'), log })
  const members = fileMemberStore({ file: files.members, log })
  // Asked here, so that a file that is missing or broken from the start is said at the start.
  await Promise.all([scenarios.list(), members.columns()])

  // The logs between the stages.
  const segments = await SegmentLog.open({
    dir: folder.segments,
    durability: config.log.durability,
    source: 'access-log',
    log,
  })
  const positionsDir = state('positions')
  const reader = (name: LogName, group: string) =>
    segmentLogReader({ segments, log: name, group, positionsDir, logger: log, metrics: metrics.logs })

  const archiveFiles = localFileStore(folder.archive)
  if (segments.to === undefined && !existsSync(state('log-files.json'))) await refuseLostState(archiveFiles)

  // source → filter
  const source = await accessLogSource({
    path: folder.accessLog,
    stateDir: folder.state,
    name: 'access-log',
    rotateWaitMs: 0, // the gateway in this process writes nothing to a renamed file
    log,
    metrics: metrics.tailer,
  })
  const filter = filterStage({
    source,
    writer: segmentLogWriter({ segments, maxIds: config.dedup.maxIds }),
    scenarios,
    members,
    ...judgementOf(config),
    metrics: metrics.filter,
    log,
  })

  // logs → sinks
  const archive = async (table: 'event_log' | 'scenario_log', logName: LogName) => {
    const from = await reader(logName, `archive-${logName}`)
    const sink = archiveSink({
      table,
      reader: from,
      files: archiveFiles,
      ...archivingOf(config, folder),
      metrics: metrics.archive,
      log,
    })
    return { from, sink }
  }
  const events = await archive('event_log', 'event-log')
  const outcomes = await archive('scenario_log', 'scenario-log')
  const statsReader = await reader('scenario-log', 'stats')
  const stats = statsSink({
    reader: statsReader,
    store: stateFileStatsStore({ file: state('stats.json') }),
    applyEveryMs: config.stats.applyEveryMs,
    archiveHasRows: async () => (await archiveFiles.list('scenario_log')).length > 0,
    metrics: metrics.stats,
    log,
  })
  const deadLetterReader = await reader('dead-letter', 'dead-letter')
  const deadLetters = deadLetterSink({
    reader: deadLetterReader,
    folder: folder.deadLetters,
    metrics: metrics.deadLetters,
    log,
  })

  const gateway = await startGateway(gatewayOptions(config, folder.accessLog), { log, registry })
  gateway.onWritten(() => source.wake())
  const readStats = async (): Promise<ScenarioStats> =>
    scenarioStats(await scenarios.list(), stats.read(), stats.lastMinute(Date.now()), scenarios.faults())
  gateway.health?.addRoute('/stats', async () => ({ body: JSON.stringify(await readStats()) }))
  // `headwater forget` asks for it: what it must find has to be in files.
  gateway.health?.addRoute('/archive/settle', async () => {
    await settleArchive({
      inputEnd: () => source.end(),
      judged: () => segments.to,
      sinks: [
        { sink: events.sink, logEnd: () => segments.end('event-log') },
        { sink: outcomes.sink, logEnd: () => segments.end('scenario-log') },
      ],
    })
    return { body: '{"settled":true}\n' }
  })
  const readers = { source, stats: statsReader, event_log: events.from, scenario_log: outcomes.from }
  for (const [name, { health }] of Object.entries(readers)) gateway.health?.addCheck(() => pausedSentence(name, health))

  // Run: sinks begin before the source and are stopped after it, so that they read all that it writes.
  const stopSource = new AbortController()
  const stopSinks = new AbortController()
  const stopRest = new AbortController()
  filter.watch(stopRest.signal)
  members.watch(() => {}, stopRest.signal) // the filter sees the new state by itself
  const retention = runRetention(
    { prunables: [source, segments], keepMs: Math.max(config.log.keepMs, config.dedup.windowMs), log },
    stopRest.signal,
  )
  const archiveRetention = runArchiveRetention(
    {
      archive: {
        files: archiveFiles,
        tempDir: archivingOf(config, folder).tempDir,
        keepDays: config.archive.keepDays,
        log,
      },
      deadLetters: { folder: folder.deadLetters, keepDays: config.deadLetters.keepDays },
      log,
    },
    stopRest.signal,
  )
  const sinkRuns = [
    statsReader.run(stats, stopSinks.signal),
    events.from.run(events.sink, stopSinks.signal),
    outcomes.from.run(outcomes.sink, stopSinks.signal),
    deadLetterReader.run(deadLetters, stopSinks.signal),
  ]
  const sourceRun = source.run(filter, stopSource.signal)
  const failure = new Promise<never>((_, reject) => {
    for (const run of [sourceRun, ...sinkRuns]) run.catch(reject)
  })
  failure.catch(() => {}) // somebody may ask for it later, or nobody

  const ports = { gateway: gateway.port, metrics: gateway.health?.port ?? 0 }
  writePorts(folder.ports, ports)

  return {
    ports,
    files,
    front: gateway.front,
    failure,
    async progress(): Promise<Progress> {
      const judged = await metrics.filter.events.get()
      const lag = await metrics.tailer.lag.get()
      const newest = [events.sink.lastFile(), outcomes.sink.lastFile()]
        .filter(file => file !== undefined)
        .sort((a, b) => b.at - a.at)[0]
      return {
        events: judged.values
          .filter(({ labels }) => ACCEPTED.has(String(labels.result)))
          .reduce((n, v) => n + v.value, 0),
        lagBytes: lag.values[0]?.value ?? 0,
        lastArchiveFile: newest && basename(newest.path),
        heldRows: events.sink.heldRows() + outcomes.sink.heldRows(),
      }
    },
    async stop(): Promise<void> {
      await gateway.close(config.drainMs)
      stopSource.abort()
      await sourceRun
      stopSinks.abort()
      await Promise.all(sinkRuns)
      stopRest.abort()
      await Promise.all([retention, archiveRetention])
      await segments.close()
      clearPorts(folder.ports)
      unlock()
    },
  }
}

/** Results of `headwater_filter_events_total` that are accepted events. */
const ACCEPTED = new Set(['judged', 'disabled_scenario', 'site_without_scenario'])
