import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MAIN, type Settings } from '../headwater-process.ts'

/** What a command that has ended printed, on both outputs. */
export interface Said {
  code: number
  text: string
}

/** A command that says what is wrong does so soon, and ends. */
const LIMIT_MS = 60_000

/** Runs `headwater <args>` to its end, well or not. Rejects when it has not ended after a minute, with what it printed. */
export async function commandSays(dataDir: string, settings: Settings, args: readonly string[]): Promise<Said> {
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    HEADWATER_DATA_DIR: dataDir,
    HEADWATER_METRICS_PORT: '0',
    ...settings,
  }
  try {
    const limits = { timeout: LIMIT_MS, killSignal: 'SIGKILL' as const, maxBuffer: 1 << 26 }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args], { env, ...limits })
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string }
    if (typeof code !== 'number')
      throw new Error(`headwater ${args.join(' ')} did not end. It said: ${stdout}${stderr}`)
    return { code, text: `${stdout}${stderr}` }
  }
}
