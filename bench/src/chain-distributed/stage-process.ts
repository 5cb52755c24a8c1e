import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cpuSecondsOf } from '../cpu-time.ts'

/** The built command, as a user starts it. */
const MAIN = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))

/** Variables that a user would set. */
export type Settings = Readonly<Record<`HEADWATER_${string}`, string>>

/** A running `headwater ship` or `headwater worker`. */
export interface StageProcess {
  pid: number
  /** CPU seconds that its start took, until `/readyz` said yes. */
  startCpu: number
  /** Every sample of `GET /metrics`, by name with labels as printed. */
  metrics(): Promise<Map<string, number>>
  /** SIGTERM, and waits for the end. Rejects when it ends badly. */
  stop(): Promise<void>
}

/** None outlives this process. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts `headwater <args>` with a data folder of its own and resolves when it is ready; with `profile`, leaves one there. */
export async function startStage(
  args: readonly string[],
  dataDir: string,
  settings: Settings,
  profile?: string,
): Promise<StageProcess> {
  mkdirSync(dataDir, { recursive: true })
  const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=2000', `--cpu-prof-dir=${profile}`]
  const child = spawn(process.execPath, [...flags, MAIN, ...args], {
    env: environment(dataDir, settings),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-10_000)
    })
  const ended = once(child, 'exit').finally(() => running.delete(child))
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const state = () => (isRunning() ? 'runs' : `ended with ${child.exitCode ?? child.signalCode}`)
  const name = `headwater ${args.join(' ')}`
  const pid = child.pid as number

  let port: number | undefined
  for (const deadline = performance.now() + 120_000; ; await pause(20)) {
    if (!isRunning()) throw new Error(`${name} ${state()}:\n${printed}`)
    port = metricsPort(dataDir, args)
    if (port !== undefined && (await isReady(port))) break
    if (performance.now() < deadline) continue
    child.kill('SIGKILL')
    throw new Error(`${name} must be ready in 120 s. It printed:\n${printed}`)
  }
  return {
    pid,
    startCpu: cpuSecondsOf(pid),
    async metrics() {
      try {
        return samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
      } catch (cause) {
        throw new Error(`${name} (${state()}) did not answer GET /metrics. It printed:\n${printed}`, { cause })
      }
    },
    async stop() {
      if (isRunning()) child.kill('SIGTERM')
      await ended
      if (child.exitCode !== 0) throw new Error(`${name} ${state()}:\n${printed}`)
    },
  }
}

/** Runs `headwater <args>` to its end and gives its standard output. Rejects with what it printed on a non-zero exit. */
export async function runCommand(args: readonly string[], dataDir: string, settings: Settings): Promise<string> {
  mkdirSync(dataDir, { recursive: true })
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: environment(dataDir, settings),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = ['', '']
  for (const [i, stream] of [child.stdout, child.stderr].entries())
    stream.on('data', (chunk: Buffer) => {
      texts[i] += chunk.toString()
    })
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`headwater ${args.join(' ')} ended with ${child.exitCode}:\n${texts[1]}`)
  return texts[0] as string
}

function environment(dataDir: string, settings: Settings): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    HEADWATER_DATA_DIR: dataDir,
    HEADWATER_METRICS_PORT: '0',
    HEADWATER_LOG_LEVEL: 'warn',
    ...settings,
  }
}

function metricsPort(dataDir: string, [command]: readonly string[]): number | undefined {
  try {
    const file = join(dataDir, command === 'ship' ? 'ship' : 'state', 'ports.json')
    return (JSON.parse(readFileSync(file, 'utf8')) as { metrics: number }).metrics
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

function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (!line.startsWith('#') && space > 0) samples.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return samples
}
