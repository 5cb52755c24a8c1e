import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The built command, as a user starts it. */
export const MAIN = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))

export interface Ports {
  /** 0 of a process without a gateway. */
  gateway: number
  metrics: number
}

/** Environment of a `headwater` process: the variables a user would set. */
export type Settings = Readonly<Record<`HEADWATER_${string}`, string>>

/** A running `headwater start`, `gateway`, `ship` or `worker`, ready for its work. */
export interface HeadwaterProcess {
  ports: Ports
  pid: number
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code after the drain. */
  stop(): Promise<number | null>
  isAlive(): boolean
  /** SIGSTOP: hangs without dying. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Everything printed so far, for failed tests. */
  output(): string
}

/** Starts `headwater <args>` and waits until /readyz says yes. Rejects with its output when it ends before. */
export async function startHeadwater(
  dataDir: string,
  settings: Settings,
  args: readonly string[] = ['start'],
): Promise<HeadwaterProcess> {
  const portsFile = join(dataDir, args[0] === 'ship' ? 'ship' : 'state', 'ports.json')
  await rm(portsFile, { force: true })
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: environment(dataDir, settings),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const keep = (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-20_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const ended = once(child, 'exit')
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`headwater ${args.join(' ')} ended with ${child.exitCode ?? child.signalCode}:\n${printed}`)
    const ports = await readPorts(portsFile)
    if (ports !== undefined && (await isReady(ports.metrics)))
      return {
        ports,
        pid: child.pid as number,
        output: () => printed,
        async kill() {
          child.kill('SIGKILL')
          await ended
        },
        async stop() {
          child.kill('SIGTERM')
          await ended
          return exitCode(child)
        },
        isAlive: () => child.exitCode === null && child.signalCode === null,
        pause: () => void child.kill('SIGSTOP'),
        resume: () => void child.kill('SIGCONT'),
      }
    await pause(20)
  }
}

/** Runs `headwater <args>` to its end and gives its standard output. Rejects on a non-zero exit. */
export async function runHeadwater(dataDir: string, settings: Settings, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], {
    env: environment(dataDir, settings),
    maxBuffer: 1 << 30,
  })
  return stdout
}

/** Begins `headwater <args>`; for who wants to kill it. */
export function spawnHeadwater(dataDir: string, settings: Settings, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { env: environment(dataDir, settings), stdio: 'ignore' })
}

function environment(dataDir: string, settings: Settings): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    HEADWATER_DATA_DIR: dataDir,
    HEADWATER_GATEWAY_PORT: '0',
    HEADWATER_CONSOLE_PORT: '0',
    HEADWATER_METRICS_PORT: '0',
    ...settings,
  }
}

async function readPorts(file: string): Promise<Ports | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Ports
  } catch {
    return undefined
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    return false
  }
}

function exitCode(child: ChildProcess): number | null {
  return child.exitCode
}
