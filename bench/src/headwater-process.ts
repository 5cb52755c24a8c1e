import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { benchScenarios, memberCsv } from './access-lines.ts'
import { cpuSecondsOf } from './cpu-time.ts'

/** The built command, as a user starts it. */
const MAIN = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))

/** Variables that a user would set. */
export type Settings = Readonly<Record<`HEADWATER_${string}`, string>>

/** A data folder with a log, scenarios and members, before anybody has started in it. */
export interface DataFolder {
  root: string
  accessLog: string
  archive: string
  /** Where a profile is left. */
  profile: string
  settings: Settings
  remove(): void
}

/** A new data folder below the system's temporary one, with `scenarios` scenarios and `members` members. */
export function makeDataFolder(scenarios: number, members: number): DataFolder {
  const root = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  mkdirSync(join(root, 'log'))
  const scenariosFile = join(root, 'scenarios.json')
  const membersFile = join(root, 'members.csv')
  writeFileSync(scenariosFile, JSON.stringify(benchScenarios(scenarios)))
  writeFileSync(membersFile, memberCsv(members))
  return {
    root,
    accessLog: join(root, 'log', 'access.log'),
    archive: join(root, 'archive'),
    profile: join(root, 'profile'),
    settings: {
      HEADWATER_GATEWAY_PORT: '0',
      HEADWATER_CONSOLE_PORT: '0',
      HEADWATER_SCENARIOS_FILE: scenariosFile,
      HEADWATER_MEMBERS_FILE: membersFile,
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

export interface ScenarioCounts {
  scenario_id: number
  total_count: number
  success_count: number
}

/** A running `headwater start`, `ship` or `worker`. */
export interface HeadwaterProcess {
  pid: number
  /** CPU seconds that its start took, until `/readyz` said yes. */
  startCpu: number
  /** `GET /stats` of the private port; only of `start`. */
  stats(): Promise<ScenarioCounts[]>
  /** Every sample of `GET /metrics`, by name with labels as printed: `headwater_filter_lines_total`. */
  metrics(): Promise<Map<string, number>>
  /** SIGUSR1: opens the access log anew after a rotation. */
  reopenLog(): void
  /** SIGTERM, and waits for the end. Rejects when it ends badly. */
  stop(): Promise<void>
}

/** None outlives this process. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts `headwater start` in a folder and resolves when it is ready. */
export function startHeadwater(folder: DataFolder, settings: Settings, profile: boolean): Promise<HeadwaterProcess> {
  return startCommand(['start'], folder.root, { ...folder.settings, ...settings }, profile ? folder.profile : undefined)
}

/**
 * Starts `headwater <args>` with a data folder of its own and resolves when it is ready; rejects with what it printed when
 * it ends before. With `profile`, a folder, leaves one there when it ends.
 */
export async function startCommand(
  args: readonly string[],
  dataDir: string,
  settings: Settings,
  profile?: string,
): Promise<HeadwaterProcess> {
  const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=2000', `--cpu-prof-dir=${profile}`]
  const child = spawnCommand(args, dataDir, settings, flags)
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
    if (port !== undefined && (await get(port, '/readyz').catch(() => undefined)) !== undefined) break
    if (performance.now() < deadline) continue
    child.kill('SIGKILL')
    throw new Error(`${name} must be ready in 120 s. It printed:\n${printed}`)
  }
  const ask = (path: string) =>
    get(port, path).catch((cause: unknown) => {
      throw new Error(`${name} (${state()}) did not answer GET ${path}. It printed:\n${printed}`, { cause })
    })
  return {
    pid,
    startCpu: cpuSecondsOf(pid),
    stats: async () => (JSON.parse(await ask('/stats')) as { rows: ScenarioCounts[] }).rows,
    metrics: async () => samplesOf(await ask('/metrics')),
    reopenLog: () => void child.kill('SIGUSR1'),
    async stop() {
      if (isRunning()) child.kill('SIGTERM')
      await ended
      if (child.exitCode !== 0) throw new Error(`${name} ${state()}:\n${printed}`)
    },
  }
}

/** Runs `headwater <args>` to its end and gives its standard output. Rejects with what it printed on a non-zero exit. */
export async function runCommand(args: readonly string[], dataDir: string, settings: Settings): Promise<string> {
  const child = spawnCommand(args, dataDir, settings)
  const texts = ['', '']
  for (const [i, stream] of [child.stdout, child.stderr].entries())
    stream.on('data', (chunk: Buffer) => {
      texts[i] += chunk.toString()
    })
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`headwater ${args.join(' ')} ended with ${child.exitCode}:\n${texts[1]}`)
  return texts[0] as string
}

function spawnCommand(args: readonly string[], dataDir: string, settings: Settings, flags: readonly string[] = []) {
  mkdirSync(dataDir, { recursive: true })
  return spawn(process.execPath, [...flags, MAIN, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      HEADWATER_DATA_DIR: dataDir,
      HEADWATER_METRICS_PORT: '0',
      HEADWATER_LOG_LEVEL: 'warn',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function metricsPort(dataDir: string, [command]: readonly string[]): number | undefined {
  try {
    const file = join(dataDir, command === 'ship' ? 'ship' : 'state', 'ports.json')
    return (JSON.parse(readFileSync(file, 'utf8')) as { metrics: number }).metrics
  } catch {
    return undefined
  }
}

/** A connection of its own: one kept alive may be closed by the other side just when a busy machine uses it again. */
function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host: '127.0.0.1', port, path, agent: false }, answer => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        body += chunk
      })
      answer.once('error', reject)
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(body)
        else reject(new Error(`GET ${path}: ${answer.statusCode} ${body}`))
      })
    })
    request.once('error', reject)
  })
}

function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (!line.startsWith('#') && space > 0) samples.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return samples
}
