import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { type Gateway, type GatewaySettings, startGateway } from '../src/index.ts'

export const silent: Logger = pino({ level: 'silent' })

export interface StartedGateway {
  gateway: Gateway
  port: number
  folder: string
  /** The access log's path. */
  log: string
  /** All lines, of rotated files too, in their order, without newlines. A last line without one is an error. */
  lines(): string[]
  stop(): Promise<void>
}

/** A gateway on free ports with a folder of its own. */
export async function startedGateway(
  settings: Omit<GatewaySettings, 'log'> & { log?: Partial<GatewaySettings['log']> } = {},
): Promise<StartedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-gateway-'))
  const log = join(folder, 'access.log')
  const gateway = await startGateway(
    { host: '127.0.0.1', port: 0, healthPort: 0, ...settings, log: { file: log, ...settings.log } },
    { log: silent },
  )
  return {
    gateway,
    port: gateway.port,
    folder,
    log,
    lines: () => logLines(folder),
    stop: async () => {
      await gateway.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The lines of `access.log` and of what was rotated before it. */
export function logLines(folder: string): string[] {
  const names = readdirSync(folder)
    .filter(name => name.startsWith('access.log'))
    .sort((a, b) => (a === 'access.log' ? 1 : b === 'access.log' ? -1 : a < b ? -1 : 1))
  const lines: string[] = []
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'latin1')
    if (text !== '' && !text.endsWith('\n'))
      throw new Error(`${name} ends in the middle of a line: ${text.slice(-200)}`)
    lines.push(...text.split('\n').slice(0, -1))
  }
  return lines
}

/** Waits until `condition` holds, at most 10 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`did not become true within 10 s: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
