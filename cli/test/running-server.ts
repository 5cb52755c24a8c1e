import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { type Embedded, startEmbedded } from '../src/embedded.ts'
import { type LoadedConfig, loadConfig } from '../src/load-config.ts'

/** A data folder with scenarios and members of its own, and settings under which archive files appear at once. */
export interface TestFolder {
  dir: string
  scenarios: string
  members: string
  load(more?: Record<string, string>): LoadedConfig
  /** Starts the whole system in the folder, or in another one with the same settings. */
  start(dataDir?: string, more?: Record<string, string>): Promise<Embedded>
  remove(): void
}

const SCENARIO = {
  scenario_id: 5,
  title: 'adults',
  manager: 'admin_user',
  log_format: { h: 1 },
  filters: [{ left: 'age', operator: '>', right: '20' }],
  logical_operator: 'AND',
}

export function testFolder(): TestFolder {
  const base = mkdtempSync(join(tmpdir(), 'headwater-cli-'))
  const dir = join(base, 'data')
  const scenarios = join(base, 'scenarios.json')
  const members = join(base, 'members.csv')
  writeFileSync(scenarios, JSON.stringify([SCENARIO]))
  writeFileSync(members, 'memberId,age\n1,30\n2,10\n')
  const load = (more: Record<string, string> = {}) =>
    loadConfig({
      env: {
        HEADWATER_DATA_DIR: dir,
        HEADWATER_GATEWAY_PORT: '0',
        HEADWATER_METRICS_PORT: '0',
        HEADWATER_SCENARIOS_FILE: scenarios,
        HEADWATER_MEMBERS_FILE: members,
        HEADWATER_ARCHIVE_ROLL_EVERY_MS: '300',
        HEADWATER_ARCHIVE_ROLL_IDLE_MS: '200',
        HEADWATER_STATS_APPLY_EVERY_MS: '100',
        ...more,
      },
      cwd: base,
    })
  return {
    dir,
    scenarios,
    members,
    load,
    start: (dataDir = dir, more = {}) =>
      startEmbedded(load({ HEADWATER_DATA_DIR: dataDir, ...more }).config, pino({ level: 'silent' })),
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}

/** Sends one event each, with ids `<name>-<i>`; resolves when all are acknowledged. */
export async function sendEvents({ ports }: Embedded, name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const query = `_id=0123456789abcdef&e_c=click&memberId=${1 + (i % 2)}&hw_id=${name}-${i}`
    const answer = await fetch(`http://127.0.0.1:${ports.gateway}/5?${query}`)
    if (answer.status !== 204) throw new Error(`204 was expected. Found: ${answer.status}.`)
  }
}

/** Waits until `condition` holds, at most 20 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`did not become true within 20 s: ${condition}`)
    await pause(20)
  }
}
