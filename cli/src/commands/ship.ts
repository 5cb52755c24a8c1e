import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { startHealth } from '@headwater/gateway'
import { accessLogSource, createProcessorMetrics, makeFolder, runRetention } from '@headwater/processor'
import { shipLines } from '@headwater/processor/distributed'
import { DataFolderError, dataFolder } from '../data-folder.ts'
import { kafkaOf, topicsOf } from '../distributed-parts.ts'
import { lockFolder } from '../folder-lock.ts'
import type { LoadedConfig } from '../load-config.ts'
import { pausedSentence } from '../paused-sentence.ts'
import { clearPorts, writePorts } from '../ports-file.ts'
import { processLog } from '../process-log.ts'
import { processRegistry } from '../process-registry.ts'
import { runUntilSignal } from '../run-until-signal.ts'

export interface ShipOptions {
  /** Another access log than the data folder's. */
  file?: string
  /** Delete rotated files that are shipped and older than `log.keepMs`. */
  prune?: boolean
}

/** NGINX's workers write to a renamed file until they have opened the new one. */
const ROTATE_WAIT_MS = 5_000
/** A batch of this many bytes costs Kafka least. */
const BATCH_BYTES = 1024 * 1024

/**
 * `headwater ship`: the access log to Kafka, until SIGTERM or SIGINT. Its own state stands in `<data>/ship`, so that it may
 * share the data folder with `headwater gateway`.
 */
export async function ship({ config }: LoadedConfig, options: ShipOptions): Promise<void> {
  const log = processLog(config.log.level)
  const folder = dataFolder(config.dataDir)
  const state = join(folder.root, 'ship')
  try {
    makeFolder(state)
  } catch (error) {
    throw new DataFolderError(folder.root, error as Error)
  }
  const kafka = kafkaOf(config, log)
  const unlock = lockFolder(state)
  const ports = join(state, 'ports.json')
  clearPorts(ports)
  const registry = processRegistry()
  const metrics = createProcessorMetrics(registry)
  const path = options.file === undefined ? folder.accessLog : resolve(options.file)
  const source = await accessLogSource({
    path,
    stateDir: state,
    name: `ship-${hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')}`,
    rotateWaitMs: ROTATE_WAIT_MS,
    maxBatchBytes: BATCH_BYTES,
    lingerMs: 100, // its lines have a longer way before them than those of one process
    log,
    metrics: metrics.tailer,
  })
  const health = await startHealth({ host: config.metrics.host, port: config.metrics.port, registry, log })
  health.addCheck(() => pausedSentence('ship', source.health))
  writePorts(ports, { gateway: 0, metrics: health.port })

  const stop = new AbortController()
  const shipping = shipLines(
    { source, kafka, topic: topicsOf(config).accessLog, log, metrics: { kafka: metrics.kafka, ship: metrics.ship } },
    stop.signal,
  )
  const pruning =
    (options.prune ?? options.file === undefined)
      ? runRetention({ prunables: [source], keepMs: config.log.keepMs, log }, stop.signal)
      : undefined
  log.info({ file: path, topic: topicsOf(config).accessLog, metrics: health.port }, 'Shipping')
  const failure = new Promise<never>((_, reject) => shipping.catch(reject))
  failure.catch(() => {})
  await runUntilSignal(
    {
      failure,
      async stop() {
        stop.abort()
        await shipping
        await pruning
        await health.close()
        await kafka.close()
        clearPorts(ports)
        unlock()
      },
    },
    config.drainMs,
    log,
  )
  // A client that kafkajs could not end, after the death of a broker say, would keep the process alive.
  process.exit()
}
