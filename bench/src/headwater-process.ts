import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { benchScenarios, memberCsv } from './access-lines.ts'

/** The built command, as a user starts it. */
const MAIN = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))

/** A data folder with a log, scenarios and members, before anybody has started in it. */
export interface DataFolder {
  root: string
  accessLog: string
  archive: string
  /** Where a profile is left. */
  profile: string
  /** The variables a user would set. */
  settings: Readonly<Record<`HEADWATER_${string}`, string>>
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
      HEADWATER_DATA_DIR: root,
      HEADWATER_GATEWAY_PORT: '0',
      HEADWATER_CONSOLE_PORT: '0',
      HEADWATER_METRICS_PORT: '0',
      HEADWATER_SCENARIOS_FILE: scenariosFile,
      HEADWATER_MEMBERS_FILE: membersFile,
      HEADWATER_LOG_LEVEL: 'warn',
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

export interface ScenarioCounts {
  scenario_id: number
  total_count: number
  success_count: number
}

/** A running `headwater start`. */
export interface HeadwaterProcess {
  pid: number
  /** `GET /stats` of the private port. */
  stats(): Promise<ScenarioCounts[]>
  /** Every sample of `GET /metrics`, by name with labels as printed: `headwater_filter_lines_total`. */
  metrics(): Promise<Map<string, number>>
  /** SIGUSR1: opens the access log anew after a rotation. */
  reopenLog(): void
  /** SIGTERM, and waits for the end. Rejects when it ends badly. */
  stop(): Promise<void>
}

/** Starts `headwater start` in a folder and resolves when it is ready. Rejects with what it printed when it ends before. */
export async function startHeadwater(
  folder: DataFolder,
  settings: Readonly<Record<`HEADWATER_${string}`, string>>,
  profile: boolean,
): Promise<HeadwaterProcess> {
  const flags = profile ? ['--cpu-prof', '--cpu-prof-interval=2000', `--cpu-prof-dir=${folder.profile}`] : []
  const child = spawn(process.execPath, [...flags, MAIN, 'start'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...folder.settings, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-10_000)
    })
  const ended = once(child, 'exit')
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const pid = child.pid as number

  for (;;) {
    if (!isRunning()) throw new Error(`headwater start ended with ${child.exitCode ?? child.signalCode}:\n${printed}`)
    const port = metricsPort(folder.root)
    if (port !== undefined && (await get(port, '/readyz').catch(() => undefined)) !== undefined) return running(port)
    await pause(20)
  }

  function running(port: number): HeadwaterProcess {
    const ask = (path: string) =>
      get(port, path).catch((cause: unknown) => {
        const state = isRunning() ? 'runs' : `ended with ${child.exitCode ?? child.signalCode}`
        throw new Error(`headwater (${state}) did not answer GET ${path}. It printed:\n${printed}`, { cause })
      })
    return {
      pid,
      stats: async () => (JSON.parse(await ask('/stats')) as { rows: ScenarioCounts[] }).rows,
      metrics: async () => samplesOf(await ask('/metrics')),
      reopenLog: () => void child.kill('SIGUSR1'),
      async stop() {
        if (isRunning()) child.kill('SIGTERM')
        await ended
        if (child.exitCode !== 0) throw new Error(`headwater ended with ${child.exitCode}:\n${printed}`)
      },
    }
  }
}

function metricsPort(root: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(join(root, 'state', 'ports.json'), 'utf8')) as { metrics: number }).metrics
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
