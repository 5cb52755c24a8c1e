import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

/** Where nginx stands on this machine, or undefined. Debian keeps it in /usr/sbin, which is not on every PATH. */
export function findNginx(): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, 'nginx')
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not in this folder.
    }
  }
  return undefined
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
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'headwater-nginx-'))
  const run = join(folder, 'run')
  mkdirSync(run, { recursive: true })
  const log = join(folder, 'access.log')
  const errors = join(folder, 'error.log')
  const configuration = join(folder, 'nginx.conf')

  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
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
    // -e: else it opens the system's error log before it has read its configuration.
    const child = spawn(nginx, ['-p', folder, '-c', configuration, '-e', errors], { stdio: 'ignore' })
    if (await answers(port, child)) return running(child, port, log, options.folder === undefined ? folder : undefined)
    child.kill('SIGKILL')
    const said = readFileSync(errors, 'utf8')
    // Somebody else was quicker with the port.
    if (attempt < 3 && said.includes('Address already in use')) continue
    throw new Error(`nginx did not start. It said: ${said}`)
  }
}

function running(child: ChildProcess, port: number, log: string, remove: string | undefined): Nginx {
  const pid = child.pid as number
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
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
    stop: async () => {
      if (child.exitCode === null) child.kill('SIGQUIT')
      await ended
      if (remove !== undefined) rmSync(remove, { recursive: true, force: true })
    },
  }
}

/** Waits until somebody listens; false when the process has ended or 10 s have passed. */
async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline && child.exitCode === null) {
    const open = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return child.exitCode === null
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return false
}
