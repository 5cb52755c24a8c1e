import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonScenarioStore, stateFileStatsStore } from '@headwater/processor'
import Table from 'cli-table3'
import { pino } from 'pino'
import { isDistributed } from '../config.ts'
import { type DataFolder, dataFolder } from '../data-folder.ts'
import { exampleFile } from '../example-files.ts'
import { folderHolder } from '../folder-lock.ts'
import type { LoadedConfig } from '../load-config.ts'
import { localUrl } from '../local-url.ts'
import { type ScenarioStats, type ScenarioStatsRow, scenarioStats } from '../scenario-stats.ts'

export interface StatsOptions {
  json?: boolean
  /** Also judging versions that are no longer in force. */
  allVersions?: boolean
}

/** `headwater stats`: asks the running process, else reads what it stored last; in the distributed mode what Redis has. */
export async function stats(loaded: LoadedConfig, options: StatsOptions): Promise<void> {
  const folder = dataFolder(loaded.config.dataDir)
  const { rows, faults } = isDistributed(loaded.config)
    ? await (await import('../distributed-stats.ts')).distributedStats(loaded.config)
    : ((await liveStats(folder, loaded)) ?? (await storedStats(folder, loaded)))
  const chosen = options.allVersions === true ? rows : rows.filter(row => row.present)
  if (options.json === true) {
    console.log(JSON.stringify(chosen.map(jsonRow), null, 2))
    return
  }
  console.log(table(chosen, options.allVersions === true))
  for (const { where, message } of faults)
    console.log(`! ${where}: ${message} (the last good version, if there is one, is in force)`)
}

function jsonRow(row: ScenarioStatsRow): object {
  const { scenario_id, title, judging_version, total_count, success_count, success_ratio, last_event_at } = row
  return { scenario_id, title, judging_version, total_count, success_count, success_ratio, last_event_at }
}

async function liveStats(folder: DataFolder, { config }: LoadedConfig): Promise<ScenarioStats | undefined> {
  if (folderHolder(folder.state) === undefined) return undefined
  try {
    const { metrics } = JSON.parse(readFileSync(folder.ports, 'utf8')) as { metrics: number }
    const answer = await fetch(`${localUrl(config.metrics.host, metrics)}/stats`, { signal: AbortSignal.timeout(5000) })
    return answer.ok ? ((await answer.json()) as ScenarioStats) : undefined
  } catch {
    return undefined // starting or stopping just now: what is stored is the answer then
  }
}

async function storedStats(folder: DataFolder, { config }: LoadedConfig): Promise<ScenarioStats> {
  const scenarios = jsonScenarioStore({
    file: config.scenarios.file ?? exampleFile('scenarios.json'),
    stateFile: join(folder.state, 'scenario-versions.json'),
    readOnly: true,
    log: pino({ level: 'silent' }),
  })
  const stored = await stateFileStatsStore({ file: join(folder.state, 'stats.json') }).load(0)
  const counters = stored?.counters
  return scenarioStats(
    await scenarios.list(),
    counters?.read() ?? [],
    counters?.lastMinute(Date.now()) ?? [],
    scenarios.faults(),
  )
}

function table(rows: readonly ScenarioStatsRow[], versions: boolean): string {
  if (rows.length === 0) return 'There are no scenarios yet: see docs/guide/scenarios.md.'
  const head = [
    'scenario',
    'title',
    ...(versions ? ['version'] : []),
    'ratio',
    'total',
    'success',
    'last minute',
    'last event',
  ]
  const colAligns = head.map(name => (name === 'title' || name === 'last event' ? 'left' : 'right')) as (
    | 'left'
    | 'right'
  )[]
  const grid = new Table({ head, colAligns, style: { head: [], border: [] } })
  for (const row of rows)
    grid.push([
      row.scenario_id,
      printable(row.title ?? '(removed)'),
      ...(versions ? [`${row.judging_version}${row.present ? '' : ' (past)'}`] : []),
      row.total_count === 0 ? '–' : `${(row.success_ratio * 100).toFixed(2)} %`,
      row.total_count,
      row.success_count,
      row.last_minute_count,
      row.last_event_at ?? '–',
    ])
  return grid.toString()
}

/** A title is anybody's text: no control characters on a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '�')
}
