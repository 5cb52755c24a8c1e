import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from './find-program.ts'
import { serviceFolder } from './service-folder.ts'
import { startServiceProcess } from './service-process.ts'

/** Installs Fluentd with the Kafka plugin where the project's shared folder lies beside the repository; CI runs it as root. */
const INSTALLER = fileURLToPath(new URL('../../../shared/gems/fluentd/install.sh', import.meta.url))
/** … into this folder. */
const PREFIX = fileURLToPath(new URL('../.services/fluentd', import.meta.url))
const CONFIGURATIONS = fileURLToPath(new URL('../../fluentd', import.meta.url))

/** The `fluentd` command: `FLUENTD` first, then the one of the project's installer, then PATH; undefined when there is none. */
export function findFluentd(): string | undefined {
  return [process.env.FLUENTD ?? '', join(PREFIX, 'fluentd')].find(existsSync) ?? findProgram('fluentd')
}

/** What to tell whoever has no Fluentd. */
export function fluentdMissing(): string {
  return existsSync(INSTALLER)
    ? 'run ../shared/gems/fluentd/install.sh testkit/.services/fluentd'
    : 'install Fluentd 1.18 and fluent-plugin-kafka with rdkafka, or set FLUENTD'
}

/** A real Fluentd of the test's own, with the project's configuration. */
export interface Fluentd {
  readonly pid: number
  /** Holds `log`, `pos` and `buffer/`. */
  readonly folder: string
  /** What it has logged, over all its starts. */
  said(): string
  /** Ends it at once (default SIGKILL); position file and buffer stay. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again after `kill`; resolves when it runs. */
  restart(): Promise<void>
  /** Ends it in an orderly way, by force after 10 s; removes the folder unless the caller gave it. */
  stop(): Promise<void>
}

export interface FluentdOptions {
  /** The access log that it follows, with its rotated siblings. */
  log: string
  brokers: readonly string[]
  /** Default `access-log`. */
  topic?: string
  /** A file of the repository's `fluentd/`. Default `fluent.conf`. */
  configuration?: 'fluent.conf' | 'fluent-nginx.conf'
  /** More of the variables that `fluentd/README.md` lists. */
  env?: Readonly<Record<string, string>>
  /** Default: a new folder, removed by `stop`. */
  folder?: string
}

/** Fluentd's words when all its plugins have started. */
const READY = 'fluentd worker is now running'

/** Starts Fluentd as one process, without its supervisor, and waits until it follows the log. */
export async function startFluentd(options: FluentdOptions): Promise<Fluentd> {
  const fluentd = findFluentd()
  if (fluentd === undefined) throw new Error(`there is no fluentd: ${fluentdMissing()}`)
  const { folder, remove } = serviceFolder('headwater-fluentd', options.folder)
  const logFile = join(folder, 'log')
  const said = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  let seen = 0
  const service = await startServiceProcess({
    name: 'fluentd',
    command: [fluentd, '--no-supervisor', '-c', join(CONFIGURATIONS, options.configuration ?? 'fluent.conf')],
    logFile,
    env: {
      ...process.env,
      HEADWATER_LOG: options.log,
      HEADWATER_POS_FILE: join(folder, 'pos'),
      HEADWATER_BUFFER: join(folder, 'buffer'),
      HEADWATER_KAFKA_BROKERS: options.brokers.join(','),
      HEADWATER_KAFKA_TOPIC: options.topic ?? 'access-log',
      ...options.env,
    },
    isReady: () => Promise.resolve(said().includes(READY, seen)),
  })
  return {
    get pid() {
      return service.pid()
    },
    folder,
    said,
    kill: signal => service.kill(signal),
    restart: () => {
      seen = statSync(logFile).size
      return service.restart()
    },
    stop: async () => {
      const force = setTimeout(() => void service.kill(), 10_000)
      await service.kill('SIGTERM')
      clearTimeout(force)
      remove()
    },
  }
}
