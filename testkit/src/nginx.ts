import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './find-program.ts'
import { onFreePorts } from './free-port.ts'
import { serviceFolder } from './service-folder.ts'
import { accepts, startServiceProcess } from './service-process.ts'

/** Where nginx stands on this machine, or undefined. */
export function findNginx(): string | undefined {
  return findProgram('nginx')
}

/** A real NGINX of the test's own, with the project's configuration. */
export interface Nginx {
  readonly port: number
  /** The access log. */
  readonly log: string
  readonly pid: number
  /** Process ids of the workers: the ones that spend CPU time, and die in kill tests. */
  workers(): number[]
  /** `kill -USR1` to the master: opens the log anew. */
  reopen(): void
  stop(): Promise<void>
}

export interface NginxOptions {
  /** The repository's `nginx/`. */
  configuration: string
  /** Default: a new folder, removed by `stop`. */
  folder?: string
  /** Default 1, so that lines stand in the order of the requests. */
  workers?: number
}

/**
 * Starts NGINX in the foreground on a free port of 127.0.0.1 and waits until it answers. Its template is used as it is but
 * for `user root;` (tests that run as root: the worker would be `nobody`, and a folder of mode 0700 then gives silent 403s
 * and a log that is never reopened) and the number of workers.
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const nginx = findNginx()
  if (nginx === undefined) throw new Error('nginx is not installed (Debian: nginx-light)')
  const { folder, remove } = serviceFolder('headwater-nginx', options.folder)
  const run = join(folder, 'run')
  mkdirSync(run, { recursive: true })
  const log = join(folder, 'access.log')
  const errors = join(folder, 'error.log')
  const configuration = join(folder, 'nginx.conf')
  return onFreePorts(1, async port => {
    const values: Readonly<Record<string, string>> = {
      HEADWATER_CONF: options.configuration,
      HEADWATER_LISTEN: `127.0.0.1:${port}`,
      HEADWATER_LOG: log,
      HEADWATER_RUN: run,
    }
    const text = readFileSync(join(options.configuration, 'nginx.conf.template'), 'utf8')
      .replace(/\$\{(HEADWATER_\w+)\}/g, (whole, name: string) => values[name] ?? whole)
      .replace('worker_processes auto;', `user root;\ndaemon off;\nworker_processes ${options.workers ?? 1};`)
    writeFileSync(configuration, text)
    const service = await startServiceProcess({
      name: 'NGINX',
      // -e: else it opens the system's error log before it has read its configuration.
      command: [nginx, '-p', folder, '-c', configuration, '-e', errors],
      logFile: errors,
      isReady: () => accepts(port),
    })
    const pid = service.pid()
    return {
      port,
      log,
      pid,
      workers: () =>
        readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
          .split(' ')
          .filter(text => text !== '')
          .map(Number),
      reopen: () => void process.kill(pid, 'SIGUSR1'),
      async stop() {
        await service.kill('SIGQUIT')
        remove()
      },
    }
  })
}
